"""The optimiser: torch's own steps, without the import of torch's compiler."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="the network is trained with tabad[train]")

from tabad.diffusion.adamw import AdamW  # noqa: E402


def test_steps_are_those_of_torch_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(3)
    start = [torch.randn(shape, generator=generator) for shape in ((5, 7), (7,), (0, 3))]
    ours = [torch.nn.Parameter(value.clone()) for value in start]
    theirs = [torch.nn.Parameter(value.clone()) for value in start]
    step = AdamW(ours, weight_decay=0.02)
    reference = torch.optim.AdamW(theirs, lr=1.0, betas=(0.9, 0.99), weight_decay=0.02, fused=True)
    for rate in (1e-3, 5e-3, 2e-4, 0.0):
        gradients = [torch.randn(value.shape, generator=generator) for value in start]
        for group in (ours, theirs):
            for own, gradient in zip(group, gradients, strict=True):
                own.grad = gradient.clone()
        step.step(rate)
        for options in reference.param_groups:
            options["lr"] = rate
        reference.step()
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other)


def test_a_parameter_without_a_gradient_stays() -> None:
    still, moved = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    moved.grad = torch.ones(2)
    AdamW([still, moved], weight_decay=0.1).step(0.1)
    assert torch.equal(still, torch.ones(2))
    assert (moved < 1).all()
    AdamW([still], weight_decay=0.1).step(0.1)  # nothing to do is no error
    assert torch.equal(still, torch.ones(2))


def test_a_fit_does_not_import_the_compiler() -> None:
    """It takes longer to import than a small network to train."""
    code = (
        "import sys, pyarrow as pa, tabad\n"
        "table = pa.table({'a': [float(i % 37) for i in range(1600)], 'b': ['xyz'[i % 3] for i in range(1600)]})\n"
        "model = tabad.fit(table, quality='default')\n"
        "assert model.manifest['student'] is not None\n"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)

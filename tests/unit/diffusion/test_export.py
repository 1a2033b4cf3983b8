"""A network as a file: canonical, complete, and read back bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_arrays

from tabad.diffusion.energies import energies
from tabad.diffusion.export import export, load
from tabad.diffusion.layout import Layout
from tabad.diffusion.presets import Preset
from tabad.diffusion.train import Trained, train

CPU = torch.device("cpu")
LAYOUT = Layout.of([5, 3], [0], [4, 4, 9])


@pytest.fixture(scope="module")
def trained() -> Trained:
    draw = np.random.default_rng(0)
    c = np.stack([np.zeros(50), draw.integers(0, 3, 50)], axis=1).astype(np.uint16)
    return train(
        draw.normal(size=(50, 1)).astype(np.float32), c, LAYOUT, preset=Preset(16, 2, 16, 3, 1e9), device=CPU, seed=0
    )


def test_config_is_canonical_json_without_floats(trained: Trained) -> None:
    config, _ = export(trained)
    fields = json.loads(config, parse_float=pytest.fail)
    assert config == json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert fields == {
        "atom_sizes": [],
        "atoms": [],
        "blocks": 2,
        "categories": "masked",
        "classes": 0,
        "columns": [0, 0, 1],
        "format": 4,
        "joint": 3,
        "knots": 257,
        "pieces": 8,
        "probes": 5,
        "scored_label": 0,
        "sizes": [5, 3],
        "status": [0],
        "width": 16,
    }


def test_weights_are_float32_with_the_stated_shapes(trained: Trained) -> None:
    tensors = load_arrays(export(trained)[1])
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"float32"}
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "number": (1, 16),
        "skipped": (1, 16),
        "piece": (8, 16),
        "edge": (9,),
        "atom": (0, 0),
        "level": (2, 16),
        "hidden": (2, 16),
        "code": (8, 16),
        "label": (1, 16),
        "inner.0": (16, 16),
        "inner.1": (16, 16),
        "inner_bias.0": (16,),
        "inner_bias.1": (16,),
        "outer.0": (16, 16),
        "outer.1": (16, 16),
        "outer_bias.0": (16,),
        "outer_bias.1": (16,),
        "head": (16, 9),
        "head_bias": (9,),
        "probes": (5, 2),
        "hidden_variance": (1,),
        **dict.fromkeys(("knot", "low", "high", "middle", "drawn", "wanted"), (1, 257)),
    }


def test_a_loaded_network_has_the_same_bits(trained: Trained) -> None:
    module = load(*export(trained), CPU)
    assert module.config == trained.config
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, trained.state[name])


def test_energies_do_not_depend_on_the_company_of_a_row_beyond_the_last_bits(trained: Trained) -> None:
    module = load(*export(trained), CPU)
    x, c = torch.randn(20, 1, generator=torch.Generator().manual_seed(0)), torch.ones(20, 2, dtype=torch.int64)
    c[:10, 0] = 0
    joint, conditional = energies(module, x, c, CPU)
    alone = energies(module, x[5:6], c[5:6], CPU)
    torch.testing.assert_close(joint[5:6], alone[0])
    torch.testing.assert_close(conditional[5:6], alone[1])
    assert joint.shape == (20, 3, 3)
    assert bool((joint[10:, :, 0] == 0).all())
    assert bool((conditional[10:, 0] == 0).all())


@pytest.mark.parametrize(("field", "value"), [("width", 17), ("blocks", 1), ("sizes", [5, 4]), ("format", 1)])
def test_a_config_that_does_not_fit_is_refused(trained: Trained, field: str, value: object) -> None:
    config, weights = export(trained)
    fields = json.loads(config) | {field: value}
    with pytest.raises(ValueError, match=r"do not fit|format 1"):
        load(json.dumps(fields), weights, CPU)

"""The network's energies: Rust = torch = the slow numpy twin, within 1e-4 max(1, |b|), and Rust to the bit by row.

With TABAD_NETWORK_FIXTURE the first network is also written there, for `cargo test -p tabad-core network`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tests.networks import encoded_rows
from tests.oracle import network as oracle

from tabad import _core
from tabad.diffusion.categorical import Kind
from tabad.diffusion.energies import energies
from tabad.diffusion.export import export, load
from tabad.diffusion.layout import Layout
from tabad.diffusion.presets import Preset
from tabad.diffusion.train import train

if TYPE_CHECKING:
    import numpy.typing as npt

CPU = torch.device("cpu")
ROWS = 150
# name -> sizes, status of each number, table column of each feature, kind, labels
TABLES = {
    "mixed": ([5, 5, 4, 60, 2], [0, 1], [0, 1, 0, 1, 2, 3, 0], Kind.MASKED, 3),
    "numbers": ([5] * 9, list(range(9)), [*range(9), *range(9)], Kind.MASKED, 0),
    "categories": ([3, 7, 2], [], [0, 1, 2], Kind.MULTINOMIAL, 0),
    "one": ([300], [], [0], Kind.MASKED, 0),
    "atoms": ([5, 5, 4], [0, 1], [0, 1, 0, 1, 2], Kind.MASKED, 0),
}


@dataclass(frozen=True)
class Case:
    config: str
    weights: bytes
    x: npt.NDArray[np.float32]
    c: npt.NDArray[np.uint16]


@pytest.fixture(scope="module", params=list(TABLES))
def case(request: pytest.FixtureRequest) -> Case:
    sizes, status, columns, kind, classes = TABLES[request.param]
    draw = np.random.default_rng(1)
    x, c = encoded_rows(draw, ROWS, sizes, status, far=12, atoms=request.param == "atoms")
    labels = draw.integers(0, classes, ROWS).astype(np.uint16) if classes else None
    trained = train(
        x,
        c,
        Layout.of(sizes, status, columns),
        preset=Preset(
            48, 2, 64, 60, 1e9, rate=2e-2, kind=kind, pieces=26 if request.param == "numbers" else 8, atoms=8
        ),
        device=CPU,
        seed=0,
        labels=labels,
        classes=classes,
        scored_label=1 if classes else None,
    )
    return Case(*export(trained), x, c)


def test_a_network_may_have_atoms_and_energies_do_not_see_them(case: Case) -> None:
    module = load(case.config, case.weights, CPU)
    if len(case.c[0]) != 3 or not len(case.x[0]):
        assert len(module.atoms) == 0
        return
    assert module.atoms.value_EA.tolist() == [[-0.5, 1.25, 8.0]] * 2
    before = rust(case, np.arange(ROWS))
    with torch.no_grad():
        module.code[14:] += 1.0
    after = energies(module, torch.tensor(case.x), torch.tensor(case.c.astype(np.int64)), CPU)
    for of_rust, of_torch in zip(before, after, strict=True):
        assert_near(of_rust, of_torch.numpy().astype(np.float64))


def rust(case: Case, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    x, c = case.x[rows].tobytes(), case.c[rows].tobytes()
    joint, conditional = _core.network_energies(case.config, case.weights, len(rows), x, c)
    features = case.x.shape[1] + case.c.shape[1]
    return (
        np.frombuffer(joint, "<f4").reshape(len(rows), -1, features),
        np.frombuffer(conditional, "<f4").reshape(len(rows), features),
    )


def assert_near(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float64]) -> None:
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    assert float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max(initial=0.0)) <= 1e-4


def test_rust_torch_and_oracle_agree(case: Case) -> None:
    every = np.arange(ROWS)
    in_rust = rust(case, every)
    module = load(case.config, case.weights, CPU)
    in_torch = energies(module, torch.tensor(case.x), torch.tensor(case.c.astype(np.int64)), CPU)
    in_numpy = oracle.energies(case.config, case.weights, case.x, case.c)
    for of_rust, of_torch, of_numpy in zip(in_rust, in_torch, in_numpy, strict=True):
        assert_near(of_torch.numpy(), of_numpy)
        assert_near(of_rust, of_numpy)
    if "TABAD_NETWORK_FIXTURE" in os.environ and len(case.c[0]) == 5:
        folder = Path(os.environ["TABAD_NETWORK_FIXTURE"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(case.config)
        (folder / "weights.safetensors").write_bytes(case.weights)
        for name, array in {"x": case.x, "c": case.c, "joint": in_torch[0], "conditional": in_torch[1]}.items():
            (folder / f"{name}.bin").write_bytes(np.asarray(array).tobytes())


def test_a_row_has_the_same_bits_alone_reversed_and_in_company(case: Case) -> None:
    joint, conditional = rust(case, np.arange(ROWS))
    back_joint, back_conditional = rust(case, np.arange(ROWS)[::-1])
    assert (back_joint[::-1].tobytes(), back_conditional[::-1].tobytes()) == (joint.tobytes(), conditional.tobytes())
    for row in (0, 64, ROWS - 1):
        alone_joint, alone_conditional = rust(case, np.array([row]))
        assert alone_joint.tobytes() == joint[row].tobytes()
        assert alone_conditional.tobytes() == conditional[row].tobytes()


def test_weights_of_another_config_are_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="tensor"):
        _core.network_energies(case.config.replace('"width":48', '"width":47'), case.weights, 0, b"", b"")

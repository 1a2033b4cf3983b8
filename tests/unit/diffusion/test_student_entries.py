"""The first layer of a student: a product with what is known of a row beforehand, and by looking up; its rate."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tabad.diffusion import distill  # noqa: E402
from tabad.diffusion.layout import Index, Layout  # noqa: E402
from tabad.diffusion.student import KNOTS, Student  # noqa: E402

LAYOUT = Layout.of([2, 2, 5], [0, 1], [0, 1, 0, 1, 2])
ROWS = 40


def _net() -> Student:
    knots = np.tile(np.linspace(-4.0, 4.0, KNOTS, dtype=np.float32), (2, 1))
    return Student(Index(LAYOUT, torch.device("cpu")), knots, 8, 1, generator=torch.Generator().manual_seed(3))


def _rows() -> "tuple[torch.Tensor, torch.Tensor]":
    rng = np.random.default_rng(5)
    x_BN = torch.tensor(rng.normal(size=(ROWS, 2)) * 3.0, dtype=torch.float32)
    c_BC = torch.tensor(np.stack([rng.integers(0, size, ROWS) for size in LAYOUT.sizes], axis=1))
    return torch.where(c_BC[:, :2] == 0, x_BN, 0.0), c_BC


def _slow(net: Student, x_BN: "torch.Tensor", c_BC: "torch.Tensor") -> Iterator[np.ndarray]:
    """The first layer row by row: curves up to a number, slopes, one point for each code."""
    low, high = net.knot[:, 0], net.knot[:, -1]
    for x_N, c_C in zip(x_BN, c_BC, strict=True):
        h_H = net.bias.detach().numpy().astype(float).copy()
        for number in range(2):
            if c_C[number] != 0:
                continue
            value = float(x_N[number].clamp(low[number], high[number]))
            edges = net.knot[number].numpy().astype(float)
            share = np.clip((value - edges[:-1]) / np.diff(edges), 0.0, 1.0)
            h_H += share @ net.step[number].detach().numpy() + value * net.slope[number].detach().numpy()
        for category, code in enumerate(c_C):
            h_H += net.code[int(net.index.offset_C[category] + code)].detach().numpy()
        yield h_H


@pytest.mark.parametrize("one_hot", [True, False])
def test_the_first_layer_is_the_sum_of_curves_slopes_and_codes(one_hot: bool) -> None:
    net, (x_BN, c_BC) = _net(), _rows()
    net.one_hot = one_hot
    with torch.no_grad():
        net.hidden[0].copy_(torch.eye(8))
        net.bias.fill_(50.0)  # no rectifier closes
        net.tails.zero_()
        net.tails[:, :5] = torch.eye(8)[:, :5]
        seen = net.of_entries(net.entries(x_BN, c_BC), net.excess(x_BN, c_BC), c_BC)[1].numpy()

    np.testing.assert_allclose(seen, np.stack(list(_slow(net, x_BN, c_BC)))[:, :5], atol=1e-4)


def test_entries_made_batch_by_batch_give_the_same_student(monkeypatch: pytest.MonkeyPatch) -> None:
    x_BN, c_BC = (part.numpy() for part in _rows())
    rows = x_BN, c_BC.astype(np.uint16)

    def teach(x: np.ndarray, _c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.abs(x).sum(axis=1), np.ones((len(x), 5), np.float32)

    size = dataclasses.replace(distill.size_for("default", 100), width=8, rows=200, steps=20, batch=64)

    def student() -> tuple[str, bytes]:
        return distill.distill(rows, rows, LAYOUT, teach, size=size, seed=1, device=torch.device("cpu"))

    at_once = student()
    monkeypatch.setattr(distill, "_MOST_CELLS", 0)
    assert student() == at_once


def test_the_first_layer_of_many_features_learns_slower() -> None:
    assert [distill.first_rate(features) for features in (0, 1, 16, 64, 256)] == [1.0, 1.0, 1.0, 0.125, 0.015625]

"""The first units of a student: each answers to rows near one place, by squared distance and shared codes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the student is trained with tabad[train]")

from tabad.diffusion.layout import Index, Layout  # noqa: E402
from tabad.diffusion.prototypes import begin_at_rows  # noqa: E402
from tabad.diffusion.student import KNOTS, Student  # noqa: E402

# Two numbers with their status columns (0 and 1), one category of three codes; table columns 0, 1, 2.
LAYOUT = Layout.of([5, 5, 3], [0, 1], [0, 1, 0, 1, 2])
PRESENT, ABSENT = 0, 1
# Groups of ten equal rows: the eight nearest of a row are its like, so a place is that row.
GROUPS = (
    ((-1.0, 0.5), (PRESENT, PRESENT, 0)),
    ((2.0, 1.0), (PRESENT, PRESENT, 1)),
    ((0.0, -2.0), (ABSENT, PRESENT, 2)),
    ((1.5, 0.0), (PRESENT, ABSENT, 0)),
)


def _begun(width: int = 6, seed: int = 0) -> tuple[Student, "torch.Tensor", "torch.Tensor"]:
    generator = torch.Generator().manual_seed(seed)
    knots = np.tile(np.linspace(-4.0, 3.75, KNOTS, dtype=np.float32), (2, 1))  # a quarter apart: every value is a knot
    net = Student(Index(LAYOUT, torch.device("cpu")), knots, width, 1, generator=generator)
    x_BN = torch.tensor([x for x, _ in GROUPS for _ in range(10)])
    c_BC = torch.tensor([c for _, c in GROUPS for _ in range(10)])
    begin_at_rows(net, x_BN, c_BC, generator=generator)
    return net, x_BN[::10], c_BC[::10]


def _first_layer(net: Student, x_BN: "torch.Tensor", c_BC: "torch.Tensor") -> "torch.Tensor":
    code_BH = net.code[c_BC + net.index.offset_C].sum(dim=1)
    return (net.shares(x_BN, c_BC).flatten(1) @ net.step.flatten(0, 1) + code_BH + net.bias).detach()


def _nearness(x: np.ndarray, c: np.ndarray, place: int) -> float:
    """Slow and obvious: shared codes less half the squared distance; numbers no further than 4; absent ones a 0."""
    x_place, c_place = np.array(GROUPS[place][0]), np.array(GROUPS[place][1])
    near = float((c == c_place).sum())
    for number in range(2):
        at = x_place[number] if c_place[number] == PRESENT else 0.0
        if c[number] == PRESENT:
            near -= min(abs(x[number] - at), 4.0) ** 2 / 2
    return near


def test_a_unit_says_how_near_a_row_is_to_its_place() -> None:
    net, x_BN, c_BC = _begun()
    said_BH = _first_layer(net, x_BN, c_BC).numpy()
    for unit in range(said_BH.shape[1]):
        place = int(said_BH[:, unit].argmax())
        expected = np.array([_nearness(x, c, place) for x, c in zip(x_BN.numpy(), c_BC.numpy(), strict=True)])
        # Up to a scale and an offset of the unit: differences are in proportion.
        slope = (said_BH[:, unit].max() - said_BH[:, unit].min()) / (expected.max() - expected.min())
        assert slope > 0
        gaps = said_BH[:, unit] - said_BH[place, unit]
        np.testing.assert_allclose(gaps, slope * (expected - expected[place]), atol=1e-4)


def test_a_unit_answers_to_the_nearest_fifth() -> None:
    net, x_BN, c_BC = _begun(width=32)
    said_BH = _first_layer(net, x_BN, c_BC)
    assert said_BH.shape == (4, 32)
    # One of four equal groups is more than a fifth of the rows: it lies on the threshold itself.
    assert (said_BH.amax(dim=0).abs() < 1e-4).all()
    assert (said_BH.sort(dim=0).values[:3] < -1e-2).all()


def test_a_seed_gives_the_same_places() -> None:
    one, other, third = _begun(seed=1)[0], _begun(seed=1)[0], _begun(seed=2)[0]
    assert torch.equal(one.code, other.code)
    assert not torch.equal(one.code, third.code)


def test_more_units_than_rows_and_no_numbers() -> None:
    layout = Layout.of([4], [], [0])
    net = Student(Index(layout, torch.device("cpu")), np.empty((0, KNOTS), np.float32), 16, 1,
                  generator=torch.Generator().manual_seed(0))  # fmt: skip
    begin_at_rows(net, torch.empty(3, 0), torch.tensor([[0], [1], [3]]), generator=torch.Generator().manual_seed(0))
    assert all(bool(torch.isfinite(value).all()) for value in net.parameters())

"""Removing a row (or all rows of a unit) changes nothing outside the mechanism.

The noisy answers of a first run are handed to a second run on the neighbouring table, whatever it measures. Then all
that is released must be the same to the byte, and what was measured may differ by the sensitivity that was booked, at
most.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

import tabad
from tabad.private import process
from tabad.private.budget import Budget
from tabad.private.noise import LATTICE
from tabad.private.stored import pack

ROWS = 60


class Recorder:
    """Noise of a seed, or the answers of another run; keeps what was measured."""

    secret = False

    def __init__(self, answers: list[npt.NDArray[np.float64]] | None = None) -> None:
        self.measured: list[npt.NDArray[np.float64]] = []
        self.given: list[npt.NDArray[np.float64]] = []
        self._answers = answers
        self._draw = np.random.default_rng(0)

    def counts(self, counts: npt.NDArray[np.int64], sigma: float) -> npt.NDArray[np.float64]:
        return self.reals(counts.astype(np.float64), sigma)

    def reals(self, values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
        values = np.floor(values * LATTICE) / LATTICE
        self.measured.append(values)
        fresh = values + self._draw.normal(size=values.shape) * sigma
        self.given.append(fresh if self._answers is None else self._answers[len(self.given)])
        return self.given[-1]


def table(rows: int = ROWS) -> pa.Table:
    draw = np.random.default_rng(3)
    day = pa.array(draw.integers(0, 300, rows).astype("datetime64[D]"))
    return pa.table({
        "age": draw.integers(18, 80, rows),
        "amount": pa.array(np.where(draw.random(rows) < 0.1, np.nan, draw.normal(0, 50, rows)), from_pandas=True),
        "job": draw.choice(["clerk", "farmer", "smith"], rows),
        "ok": draw.random(rows) < 0.5,
        "day": day,
        "who": draw.integers(0, 15, rows),
    })  # fmt: skip


def released(
    monkeypatch: pytest.MonkeyPatch,
    rows: pa.Table,
    noise: Recorder,
    unit: str | None,
    unit_rows: int,
    label: str | None,
) -> tuple[tuple[str, bytes], list[float]]:
    booked: list[float] = []
    plain = Budget.sigma

    def sigma(self: Budget, purpose: str, sensitivity: float, share: float) -> float:
        booked.append(sensitivity)
        return plain(self, purpose, sensitivity, share)

    monkeypatch.setattr(process, "Noise", lambda _: noise)
    monkeypatch.setattr(Budget, "sigma", sigma)
    vocabulary = {"job": {"kind": "category", "values": ["clerk", "farmer", "smith"]}}
    monkeypatch.setattr(process, "read_bounds", lambda _: vocabulary)
    # So much budget that grids split and pairs are chosen in a table as small as this one.
    options = tabad.PrivateOptions(epsilon=50, delta=1e-3, bounds="-", unit=unit, unit_rows=unit_rows)
    ignore = () if unit else ("who",)
    release, facts, _ = process.make_release(rows, options, label=label, ignore=ignore)
    monkeypatch.undo()
    return pack(release, facts), booked


@pytest.mark.parametrize("label", [None, "ok"])
@pytest.mark.parametrize("removed", range(0, ROWS, 7))
def test_one_row_less(monkeypatch: pytest.MonkeyPatch, removed: int, label: str | None) -> None:
    full, rest = table(), table().filter(pa.array(np.arange(ROWS) != removed))
    first = Recorder()
    answer, booked = released(monkeypatch, full, first, None, 1, label)
    second = Recorder(first.given)

    assert released(monkeypatch, rest, second, None, 1, label)[0] == answer
    moved = [float(np.linalg.norm(a - b)) for a, b in zip(first.measured, second.measured, strict=True)]
    assert len(moved) == len(booked) > 10
    assert all(far <= bound + 1e-9 for far, bound in zip(moved, booked, strict=True))
    # The bounds are met, not merely kept: a row counts once in each histogram.
    assert sum(far == bound == 1.0 for far, bound in zip(moved, booked, strict=True)) >= 5


@pytest.mark.parametrize("removed", range(0, 15, 3))
def test_one_unit_less(monkeypatch: pytest.MonkeyPatch, removed: int) -> None:
    full = table()
    rest = full.filter(pa.array(full["who"].to_numpy() != removed))
    first = Recorder()
    answer, booked = released(monkeypatch, full, first, "who", 2, "ok")
    second = Recorder(first.given)

    assert rest.num_rows < ROWS - 1
    assert released(monkeypatch, rest, second, "who", 2, "ok")[0] == answer
    moved = [float(np.linalg.norm(a - b)) for a, b in zip(first.measured, second.measured, strict=True)]
    assert all(far <= bound + 1e-9 for far, bound in zip(moved, booked, strict=True))
    assert min(booked) == 2.0


def test_a_unit_counts_with_its_first_rows_whatever_they_say() -> None:
    from tabad.private.units import bounded

    rows = pa.table({"who": ["a", "b", "a", None, "a", "b", None, None], "x": [1, 2, 3, 4, 5, 6, 7, 8]})

    assert bounded(rows, "who", 1).to_pydict() == {"x": [1, 2, 4, 7, 8]}
    assert bounded(rows, "who", 2).to_pydict() == {"x": [1, 2, 3, 4, 6, 7, 8]}
    assert bounded(rows.slice(0, 0), "who", 2).num_rows == 0

"""Rows on which the student hears its teacher: training rows, and rows made of them that are odd in every way.

On training rows and a little noise alone a student never sees what it is there to tell apart; it lost two to four
points of AUROC. Axes: B rows, N numbers, C category columns, P table columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .layout import PRESENT

if TYPE_CHECKING:
    from .layout import Layout

__all__ = ["lessons"]

Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]

_LIMIT = 30.0
"""No encoded number lies further out."""
_STRAYED = 0.3
"""Share of the made rows that are moved along others. Without them the student of a table of correlated numbers never
saw a row that is odd in many columns a little: satellite lost 7 points of AUROC to its teacher, with them 2."""


def lessons(x_BN: Numbers, c_BC: Codes, layout: Layout, rows: int, seed: int) -> tuple[Numbers, Codes]:
    """`rows` rows: each training row once as it is, as far as they are a third of all; the others with some columns
    swapped between rows, noised at scales from a hundredth to three, thrown far out, their codes drawn anew, moved as
    the columns hang together, their numbers missing.
    """
    rng = np.random.default_rng([seed, 20_27])
    plain = min(len(x_BN), rows // 3)
    own = np.concatenate([rng.permutation(len(x_BN))[:plain], rng.integers(0, len(x_BN), rows - plain)])
    x, c = x_BN[own].copy(), c_BC[own].copy()
    made = np.arange(plain, rows)
    kind = rng.random(len(made))
    _swap(x, c, (x_BN, c_BC), layout, made[kind < 0.45], rng)
    _noise(x, c, layout, made[(kind > 0.3) & (kind < 0.8)], rng)
    _recode(c, c_BC, layout, made[(kind > 0.6) & (kind < 0.9)], rng)
    _throw(x, c, layout, made[kind > 0.8], rng)
    _stray(x, c, (x_BN, c_BC), layout, made[rng.random(len(made)) < _STRAYED], rng)
    _lose(x, c, layout, made[rng.random(len(made)) < 0.1], rng)
    return x, c


def _share(rows: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which of `most` things in each row: from one of them to all, each count of a doubling as likely."""
    share = np.exp(rng.uniform(np.log(1.0 / max(most, 1)), 0.0, rows))
    chosen = rng.random((rows, most)) < share[:, None]
    chosen[np.arange(rows), rng.integers(0, max(most, 1), rows)] |= most > 0
    return chosen


def _swap(
    x: Numbers,
    c: Codes,
    source: tuple[Numbers, Codes],
    layout: Layout,
    at: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Some table columns whole from another row."""
    x_BN, c_BC = source
    columns = np.asarray(layout.columns)
    other = rng.integers(0, len(x_BN), len(at))
    chosen_BP = _share(len(at), layout.table_columns, rng)
    chosen_BF = chosen_BP[:, columns]
    x[at] = np.where(chosen_BF[:, : layout.numbers], x_BN[other], x[at])
    c[at] = np.where(chosen_BF[:, layout.numbers :], c_BC[other], c[at])


def _noise(x: Numbers, c: Codes, layout: Layout, at: npt.NDArray[np.int64], rng: np.random.Generator) -> None:
    """Gaussian noise on some numbers, one scale a row."""
    if not layout.numbers:
        return
    scale = np.exp(rng.uniform(np.log(0.01), np.log(3.0), len(at)))
    noise = rng.normal(size=(len(at), layout.numbers)) * scale[:, None] * _share(len(at), layout.numbers, rng)
    _move(x, c, layout, at, noise)


def _throw(x: Numbers, c: Codes, layout: Layout, at: npt.NDArray[np.int64], rng: np.random.Generator) -> None:
    """A few numbers far out: exponential steps of either sign, up to the limit."""
    if not layout.numbers:
        return
    few = rng.random((len(at), layout.numbers)) < 2.0 / layout.numbers
    few[np.arange(len(at)), rng.integers(0, layout.numbers, len(at))] = True
    scale = np.exp(rng.uniform(np.log(0.5), np.log(10.0), len(at)))
    steps = rng.exponential(size=(len(at), layout.numbers)) * scale[:, None]
    _move(x, c, layout, at, np.where(few, steps * rng.choice([-1.0, 1.0], steps.shape), 0.0))


def _move(x: Numbers, c: Codes, layout: Layout, at: npt.NDArray[np.int64], by: npt.NDArray[np.float64]) -> None:
    there = c[at][:, list(layout.status)] == PRESENT
    x[at] = np.where(there, np.clip(x[at] + by, -_LIMIT, _LIMIT), 0.0)


def _stray(
    x: Numbers,
    c: Codes,
    source: tuple[Numbers, Codes],
    layout: Layout,
    at: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Rows as they are, moved along the line between two others: noise of the columns' own covariance."""
    x_BN, c_BC = source
    own, one, other = rng.integers(0, len(x_BN), (3, len(at)))
    scale = np.exp(rng.uniform(np.log(0.1), np.log(2.0), len(at)))
    there_BN = c_BC[:, list(layout.status)] == PRESENT
    moved = np.clip(x_BN[own] + scale[:, None] * (x_BN[one] - x_BN[other]), -_LIMIT, _LIMIT)
    x[at] = np.where(there_BN[own] & there_BN[one] & there_BN[other], moved, x_BN[own])
    c[at] = c_BC[own]


def _recode(c: Codes, c_BC: Codes, layout: Layout, at: npt.NDArray[np.int64], rng: np.random.Generator) -> None:
    """Some codes drawn anew: from the training rows, or any code that there is. Status codes stay."""
    free = [category for category in range(layout.categories) if category not in layout.status]
    if not free:
        return
    chosen = _share(len(at), len(free), rng)
    drawn = np.empty((len(at), len(free)), np.uint16)
    for place, category in enumerate(free):
        known = c_BC[rng.integers(0, len(c_BC), len(at)), category]
        drawn[:, place] = np.where(rng.random(len(at)) < 0.5, known, rng.integers(0, layout.sizes[category], len(at)))
    c[np.ix_(at, np.asarray(free))] = np.where(chosen, drawn, c[np.ix_(at, np.asarray(free))])


def _lose(x: Numbers, c: Codes, layout: Layout, at: npt.NDArray[np.int64], rng: np.random.Generator) -> None:
    """A number or two that are not there, for any of the reasons."""
    for status in sorted(set(layout.status)):
        lost = at[rng.random(len(at)) < 1.0 / max(len(layout.status), 1)]
        c[lost, status] = rng.integers(0, layout.sizes[status], len(lost))
        for number in (n for n, own in enumerate(layout.status) if own == status):
            x[lost, number] = np.where(c[lost, status] == PRESENT, x[lost, number], 0.0)

"""SMOTE-NC: rare rows interpolated between neighbours, the peer that generated rows must beat.

After Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique", JAIR 16 (2002), section
6.1: neighbours by Euclidean distance in which a differing category counts the median of the standard deviations of the
numbers; numbers interpolated at a random place on the way to one of five neighbours, categories by their majority.
Axes: B rows, F features, R rare rows, K neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .features import Floats

__all__ = ["smote_nc"]

_NEIGHBOURS = 5


def smote_nc(rare_BF: Floats, categorical: tuple[bool, ...], count: int, seed: int) -> Floats:
    """`count` new rows. An absent number stays absent where its row has none."""
    draw = np.random.default_rng(seed)
    is_code = np.asarray(categorical)
    x, c = rare_BF[:, ~is_code], rare_BF[:, is_code]
    middle = np.array([_median(column) for column in x.T], np.float32)
    filled = np.where(np.isnan(x), middle, x)
    penalty = float(np.median(filled.std(axis=0))) if x.shape[1] else 1.0
    square = ((filled[:, None] - filled[None]) ** 2).sum(axis=2) + penalty**2 * (c[:, None] != c[None]).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    near = np.argsort(square, axis=1, kind="stable")[:, : min(_NEIGHBOURS, len(rare_BF) - 1)]
    base = draw.integers(0, len(rare_BF), count)
    towards = near[base, draw.integers(0, near.shape[1], count)]
    share = draw.random((count, 1)).astype(np.float32)
    made = np.empty((count, rare_BF.shape[1]), np.float32)
    made[:, ~is_code] = np.where(np.isnan(x[base]), np.nan, filled[base] + share * (filled[towards] - filled[base]))
    for place, column in enumerate(np.flatnonzero(is_code)):
        made[:, column] = _majority(c[near, place])[base]
    return made


def _median(column: Floats) -> float:
    there = column[~np.isnan(column)]
    return float(np.median(there)) if len(there) else 0.0


def _majority(codes_RK: Floats) -> Floats:
    """The commonest code of each row; of several the lowest."""
    sorted_RK = np.sort(codes_RK, axis=1)
    counts_RK = (sorted_RK[:, :, None] == sorted_RK[:, None, :]).sum(axis=2)
    commonest_R: Floats = sorted_RK[np.arange(len(codes_RK)), counts_RK.argmax(axis=1)]
    return commonest_R

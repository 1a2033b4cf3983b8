"""Stratified parts of a table's rows. Axes: B rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .learner import Labels

__all__ = ["Places", "parts_of", "splits"]

Places = npt.NDArray[np.intp]


def parts_of(y_B: Labels | Places, parts: int, seed: int) -> Places:
    """The part of each row [B]; each has as many rows of a value (rare ones) as any other, but for one."""
    draw = np.random.default_rng(seed)
    part_B = np.empty(len(y_B), np.intp)
    for value in np.unique(y_B)[::-1]:
        places = draw.permutation(np.flatnonzero(y_B == value))
        part_B[places] = np.arange(len(places)) % parts
    return part_B


def splits(y_B: Labels | Places, folds: int, seed: int) -> Iterator[tuple[Places, Places]]:
    """`(train, held)` places of stratified folds."""
    part_B = parts_of(y_B, folds, seed)
    for part in range(folds):
        yield np.flatnonzero(part_B != part), np.flatnonzero(part_B == part)

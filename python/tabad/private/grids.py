"""Columns as few bins, from noisy counts alone: digits of numbers, one level at a time; rare values together.

A number is counted in cells of the width of its largest digit, cells that hold much are counted again in tenths, and
so on down to single ticks (a tree after PrivTree, Zhang et al. 2016, of fixed depth and known noise): values that
occur often end up in a cell of their own. Each level costs one mechanism, in which a row counts once. The leaves are
then gathered into bins of like mass. All that happens after the noise is free.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabad.private.bounds import Column
from tabad.private.budget import Budget
from tabad.private.codes import MISSING
from tabad.private.noise import Noise

__all__ = ["Grid", "levels", "measure_grid"]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DIGIT = 10
_TOP_CELLS = 20
"""Cells of the first level, at most."""
_SPLIT_NOISE, _SPLIT_SHARE = 12.0, 0.01
"""A cell is split that holds so many standard deviations of the noise, and this share of the rows."""
_LEAST_NOISE = 8.0
"""A bin of a number is planned to hold so many standard deviations of the noise of a count, at least."""
_KEEP_NOISE = 3.0
"""Values with a smaller noisy count, in standard deviations, share a bin."""


@dataclass(frozen=True)
class Grid:
    """Leaves of a column, in order, and the bin that each belongs to. The last leaf is MISSING where there is one."""

    start: Codes
    """First code of each leaf [L]; MISSING stands last."""
    width: Codes
    """Codes per leaf [L]."""
    mass: Floats
    """Estimated rows per leaf [L], >= 0."""
    bin: Codes
    """Bin of each leaf [L], 0 .. bins - 1."""
    sigma: float
    """Noise of a leaf's own count."""

    @property
    def bins(self) -> int:
        return int(self.bin.max()) + 1

    def bins_of(self, codes: Codes) -> Codes:
        """The bin of each code [B]."""
        nullable = self.start[-1] == MISSING
        starts = self.start[:-1] if nullable else self.start
        leaf = np.searchsorted(starts, codes, side="right") - 1
        leaf = np.where(codes == MISSING, len(self.start) - 1 if nullable else 0, leaf)
        return self.bin[leaf]

    def counts(self) -> Floats:
        """Estimated rows per bin."""
        return np.asarray(np.bincount(self.bin, weights=self.mass, minlength=self.bins), np.float64)

    def noise(self) -> float:
        """Standard deviation of a bin's count: the mean over bins of the sum of its leaves' noise."""
        leaves = np.bincount(self.bin, minlength=self.bins)
        return float(self.sigma * np.sqrt(leaves).mean())


def levels(column: Column) -> list[int]:
    """Widths of the cells of a number's levels, widest first, the last 1."""
    width = 1
    while column.ticks / width > _TOP_CELLS:
        width *= DIGIT
    found = [width]
    while width > 1:
        width //= DIGIT
        found.append(width)
    return found


def measure_grid(
    column: Column, codes: Codes, budget: Budget, noise: Noise, *, share: float, sensitivity: float, most: int
) -> Grid:
    """The grid of a column: at most `most` bins and one for MISSING. `share` of the budget goes to its counts.

    `sensitivity`: how far (L2) the counts move by one unit: the rows that a unit may have.
    """
    if column.kind in ("category", "boolean"):
        return _of_values(column, codes, budget, noise, share, sensitivity)
    return _of_ticks(column, codes, budget, noise, share, sensitivity, most)


def _of_values(column: Column, codes: Codes, budget: Budget, noise: Noise, share: float, sensitivity: float) -> Grid:
    size = len(column.values or ())
    start = np.append(np.arange(size), MISSING) if column.nullable else np.arange(size)
    place = np.where(codes == MISSING, size, codes)
    sigma = budget.sigma("values of columns", sensitivity, share)
    noisy = noise.counts(np.bincount(place, minlength=len(start)).astype(np.int64), sigma)
    mass = np.maximum(noisy, 0.0)
    rare = noisy < _KEEP_NOISE * sigma
    if rare.sum() < 2 or rare.all():
        rare[:] = False
    bins = np.cumsum(~rare) - 1
    bins[rare] = (~rare).sum()
    return Grid(start.astype(np.int64), np.ones(len(start), np.int64), mass, bins.astype(np.int64), sigma)


def _of_ticks(
    column: Column, codes: Codes, budget: Budget, noise: Noise, share: float, sensitivity: float, most: int
) -> Grid:
    widths = levels(column)
    lower, ticks = column.lower or 0, column.ticks
    present = codes[codes != MISSING]
    each = share / len(widths)
    # Cells start at whole multiples of their width, so that 0, 40 and 1,000 open a cell.
    first = -(lower % widths[0])
    cells = np.arange(first, ticks, widths[0], dtype=np.int64)
    sigma = budget.sigma("digits of numbers", sensitivity, each)
    missing = int(len(codes) - len(present))
    counted = np.bincount((present - first) // widths[0], minlength=len(cells))
    noisy = noise.counts(np.append(counted, missing if column.nullable else 0).astype(np.int64), sigma)
    mass, gone = np.maximum(noisy[:-1], 0.0), max(0.0, float(noisy[-1]))
    total = mass.sum() + gone
    first_sigma = sigma
    leaves = [(int(c), widths[0], float(m)) for c, m in zip(cells, mass, strict=True)]
    for width in widths[1:]:
        wide = width * DIGIT
        limit = max(_SPLIT_NOISE * sigma, _SPLIT_SHARE * total)
        split = [leaf for leaf in leaves if leaf[1] == wide and leaf[2] > limit]
        if not split:
            break
        kept = [leaf for leaf in leaves if not (leaf[1] == wide and leaf[2] > limit)]
        sigma = budget.sigma("digits of numbers", sensitivity, each)
        opens = np.array([leaf[0] for leaf in split])
        rank = np.searchsorted(opens, present, side="right") - 1
        inside = (rank >= 0) & (present < opens[rank] + wide)
        place = rank[inside] * DIGIT + (present[inside] - opens[rank[inside]]) // width
        noisy = noise.counts(np.bincount(place, minlength=len(split) * DIGIT).astype(np.int64), sigma)
        parts = np.maximum(noisy, 0.0).reshape(-1, DIGIT)
        outside = np.array(
            [[o + k * width + width <= 0 or o + k * width >= ticks for k in range(DIGIT)] for o in opens]
        )
        parts[outside] = 0.0
        sums = parts.sum(axis=1)
        for row, (begin, _, held) in enumerate(split):
            shares = parts[row] / sums[row] if sums[row] > 0 else np.full(DIGIT, 1 / DIGIT)
            kept += [(begin + k * width, width, held * float(shares[k])) for k in range(DIGIT) if not outside[row, k]]
        leaves = sorted(kept)
    start = np.array([max(0, leaf[0]) for leaf in leaves], np.int64)
    end = np.append(start[1:], ticks)
    masses = np.array([leaf[2] for leaf in leaves])
    bins = _like_mass(masses, most, _LEAST_NOISE * first_sigma)
    if column.nullable:
        start, width_all = np.append(start, MISSING), np.append(end - start, 1)
        masses, bins = np.append(masses, gone), np.append(bins, bins.max() + 1)
    else:
        width_all = end - start
    return Grid(start, width_all.astype(np.int64), masses, bins.astype(np.int64), sigma)


def _like_mass(mass: Floats, most: int, least: float) -> Codes:
    """Consecutive leaves gathered into at most `most` bins (one more per heavy leaf's rest) of like mass.

    A leaf heavier than its fair part stands alone and leaves the others to the rest; no bin is planned below `least`.
    """
    heavy = np.zeros(len(mass), bool)
    while True:
        rest = mass[~heavy].sum()
        target = max(least, rest / max(1, most - int(heavy.sum())))
        found = heavy | (mass > target)
        if (found == heavy).all() or int(found.sum()) >= most:
            break
        heavy = found
    bins, held, at = np.zeros(len(mass), np.int64), 0.0, 0
    for leaf, weight in enumerate(mass):
        alone = heavy[leaf] or (leaf and heavy[leaf - 1])
        # Else a leaf opens a bin where the one before is fuller without it than it would lack.
        if leaf and (alone or (held > 0 and held + 0.5 * weight > target)):
            at, held = at + 1, 0.0
        bins[leaf] = at
        held += weight
    return bins

"""Bounds and vocabularies that no file gives, read from the table and paid for.

Bounds: a noisy histogram over powers of two of either sign, cells fixed beforehand; the outermost cells that stand
clear of the noise. Vocabularies: values whose noisy count passes a threshold that the value of one row (or unit)
alone passes with probability `delta` at most (stability-based histogram; Korolova et al. 2009, with Gaussian noise),
so that this delta adds to the mechanisms'. What passes is public from then on; other values count as missing.
"""

from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabad.private.bounds import MOST_VALUES, Column
from tabad.private.budget import Budget
from tabad.private.noise import LATTICE, Noise
from tabad.tables.cells import plain

__all__ = ["discover", "needs_delta"]

_EXPONENTS = range(-20, 53)
"""Powers of two told apart; what is smaller counts as zero, what is larger as the largest."""
_FALSE_CELL = 1e-3
"""Probability that some empty cell stands clear of the noise."""
_STEPS = 4
"""Decimals of floats: so many powers of ten below the width of the bounds."""


def needs_delta(column: Column) -> bool:
    """True where the vocabulary has yet to be paid for: such a discovery costs a delta of its own."""
    return not column.known and column.kind == "category"


def discover(
    column: Column, values: Any, budget: Budget, noise: Noise, *, share: float, delta: float, rows: int
) -> Column:
    """The column with bounds or vocabulary; `rows`: how many of them one unit may have."""
    if column.known:
        return column
    if column.kind == "category":
        return _vocabulary(column, values, budget.sigma("vocabularies", rows, share), noise, delta, rows)
    return _bounds(column, values, budget.sigma("bounds of numbers", rows, share), noise)


def _vocabulary(column: Column, values: Any, sigma: float, noise: Noise, delta: float, rows: int) -> Column:
    texts = pa.chunked_array(values).cast(pa.large_string()) if isinstance(values, list) else _texts(values)
    counted = pc.value_counts(texts.drop_null())
    names = counted.field("values").to_pylist()
    noisy = noise.counts(counted.field("counts").to_numpy(zero_copy_only=False).astype(np.int64), sigma)
    least = _threshold(rows, sigma, delta)
    passed = sorted(((count, name) for name, count in zip(names, noisy, strict=True) if count > least), reverse=True)
    kept = sorted(name for _, name in passed[:MOST_VALUES])
    return replace(column, values=tuple(kept), nullable=True)


def _threshold(rows: int, sigma: float, delta: float) -> float:
    """The noisy count that all values which one unit alone brings pass together with probability `delta` at most.

    A unit can bring at most `rows` values that nobody else has, each at most `rows` times. Noise lies on a lattice, and
    is at least m steps at most as often as a normal variable is at least m - 1 (Canonne, Kamath and Steinke 2020,
    proposition 25).
    """
    return rows - sigma * NormalDist().inv_cdf(delta / rows) + 1.0 / LATTICE


def _texts(values: Any) -> Any:
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return plain(whole).cast(pa.large_string())


def _bounds(column: Column, values: Any, sigma: float, noise: Noise) -> Column:
    reals = _reals(column, values)
    low, high = _EXPONENTS[0], _EXPONENTS[-1]
    size = len(_EXPONENTS)
    with np.errstate(divide="ignore"):
        exponent = np.clip(np.floor(np.log2(np.abs(reals))), low - 1, high).astype(np.int64)
    # Cells from the most negative to the most positive, zero in the middle.
    cell = size + np.sign(reals).astype(np.int64) * (exponent - low + 1)
    noisy = noise.counts(np.bincount(cell, minlength=2 * size + 1).astype(np.int64), sigma)
    clear = np.flatnonzero(noisy > sigma * NormalDist().inv_cdf(1.0 - _FALSE_CELL / len(noisy)))
    ends = (_edges(int(clear[0]) - size, low)[0], _edges(int(clear[-1]) - size, low)[1]) if len(clear) else (0.0, 1.0)
    whole = pa.types.is_integer(column.type) or column.kind == "datetime"
    scale = 1 if whole else 10 ** max(0, _STEPS - int(np.floor(np.log10(ends[1] - ends[0]))))
    lower, upper = int(np.floor(ends[0] * scale)), int(np.ceil(ends[1] * scale))
    return replace(column, lower=lower, upper=max(upper, lower + 1), scale=scale, nullable=True)


def _reals(column: Column, values: Any) -> Any:
    plain = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if column.kind == "datetime":
        date = pa.types.is_date(column.type)
        plain = plain.cast(pa.date32(), safe=False).cast(pa.int32()) if date else plain.cast(
            pa.timestamp("s", column.type.tz), safe=False
        ).cast(pa.int64())  # fmt: skip
    reals = plain.cast(pa.float64(), safe=False).drop_null().to_numpy(zero_copy_only=False)
    return np.clip(reals[~np.isnan(reals)], -(2.0**52), 2.0**52)


def _edges(place: int, low: int) -> tuple[float, float]:
    """Ends of a cell: 0 is zero, 1 the smallest positive power of two, -1 the smallest negative."""
    if place == 0:
        return 0.0, 2.0**low
    least = 2.0 ** (low + abs(place) - 1)
    return (least, 2.0 * least) if place > 0 else (-2.0 * least, -least)

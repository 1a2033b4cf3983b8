"""A table of two types of shop whose mix can drift: what the tests of drift share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabad import _core


def shops(draw: np.random.Generator, rows: int, share: float, *, odd: int = 0) -> pa.Table:
    """Correlated numbers, 1.6 times as wide in shops of type B: a `share` of the rows. The last `odd` rows are odd."""
    is_b = draw.random(rows) < share
    a = draw.normal(size=rows) * np.where(is_b, 1.6, 1.0)
    b = 0.8 * a + 0.6 * draw.normal(size=rows)
    a[rows - odd :] += draw.choice([-1.0, 1.0], odd) * draw.uniform(4.0, 9.0, odd)
    return pa.table({"a": a, "b": b, "shop": np.where(is_b, "B", "A"), "noise": draw.normal(size=rows)})


def fitted(draw: np.random.Generator, rows: int, share: float, *, seed: int = 0) -> _core.Model:
    """A small fast model of such a table; a fifth of the rows calibrate."""
    fit = _core.Fit(memory=64, seed=seed, threads=1)
    fit.observe(shops(draw, rows, share))
    fit.prepare()
    return fit.finish()

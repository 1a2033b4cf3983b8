"""A table as a classifier's features: the model's own encoding, absent numbers as NaN, codes as categories.

Axes: B rows, F features.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    from tabad import _core

__all__ = ["Features", "Floats", "squared_distances"]

Floats = npt.NDArray[np.float32]

_MOST_CODES = 255
"""scikit-learn's limit for a category; columns with more enter as numbers."""
_CHUNK = 512


@dataclass(frozen=True)
class Features:
    """Which features a model's encoding gives."""

    core: _core.Model
    numbers: int
    statuses: tuple[int, ...]
    """Per number the category column that says whether it is there."""
    codes: tuple[int, ...]
    """The category columns that are no statuses."""
    categorical: tuple[bool, ...]
    """Per feature."""

    @classmethod
    def of(cls, core: _core.Model) -> Features:
        """The features of a fitted model; the label is none of them."""
        facts = [feature for column in json.loads(core.manifest())["columns"] for feature in column["features"]]
        numbers = sorted((f["number"], f["status"]) for f in facts if "number" in f)
        statuses = tuple(status for _, status in numbers)
        sizes = {f["category"]: f["size"] for f in facts if "number" not in f}
        codes = tuple(category for category in sorted(sizes) if category not in statuses)
        categorical = (*[False] * len(numbers), *(sizes[code] <= _MOST_CODES for code in codes))
        return cls(core, len(numbers), statuses, codes, categorical)

    def __call__(self, table: pa.Table) -> Floats:
        """`[B, F]`: numbers standardised, NaN where absent, then codes."""
        rows, x, c = self.core.encode(table)
        x_BN = np.frombuffer(bytes(x), "<f4").reshape(rows, self.numbers).copy()
        c_BC = np.frombuffer(bytes(c), "<u2").reshape(rows, -1)
        x_BN[c_BC[:, list(self.statuses)] != 0] = np.nan
        return np.concatenate([x_BN, c_BC[:, list(self.codes)].astype(np.float32)], axis=1)


def squared_distances(a_BF: Floats, b_BF: Floats, features: Any) -> Floats:
    """Squared Euclidean distances of numbers (at most 9 each: three deviations) plus 1 per category that differs.

    A number that only one of the two rows has counts 1, as a category does.
    """
    categorical = np.asarray(features.categorical)
    a_x, b_x = a_BF[:, ~categorical], b_BF[:, ~categorical]
    a_c, b_c = a_BF[:, categorical], b_BF[:, categorical]
    out = np.empty((len(a_BF), len(b_BF)), np.float32)
    for first in range(0, len(a_BF), _CHUNK):
        part = slice(first, first + _CHUNK)
        gap = np.minimum((a_x[part, None] - b_x[None]) ** 2, 9.0)
        one_absent = np.isnan(a_x[part, None]) != np.isnan(b_x[None])
        differ = (a_c[part, None] != b_c[None]).sum(axis=2)
        out[part] = np.nan_to_num(gap).sum(axis=2) + one_absent.sum(axis=2) + differ
    return out

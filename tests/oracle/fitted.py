"""One column fitted by Rust, with its frozen numbers as the model file holds them: what the codec comparisons share.

Fewer than 500 rows, so that every row is a training row and the oracle's `fit_*` can be held against the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tabad import _core
from tests.oracle.model_file import Tensors, strings, take_apart


@dataclass(frozen=True)
class Column:
    """A model of one column (an odd category beside it keeps the model from being empty of features)."""

    name: str
    model: _core.Model
    codec: dict[str, Any]
    tensors: Tensors

    def scale(self, part: str = "scale", at: int = 0) -> tuple[float, float]:
        mean, std = self.tensors[f"codec.0.{part}"][2 * at : 2 * at + 2]
        return float(mean), float(std)

    def unit(self) -> float:
        """Of a number's logarithm; 0 for none."""
        return float(self.tensors["codec.0.scale"][4])

    def strings(self, part: str) -> list[str]:
        return strings(self.tensors, f"codec.0.{part}")

    def counts(self) -> dict[int, int] | np.ndarray:
        """Of a key or a text: by the upper half of a value's hash, or in cells where there are too many values."""
        held = self.tensors["codec.0.counts"]
        if not self.codec["exact"]:
            return held.reshape(2, -1)
        many = len(held) // 5
        return dict(zip(held[: 4 * many].view("<u4").tolist(), held[4 * many :].tolist(), strict=True))

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """x [B, N] float32 and c [B, C] of the column alone."""
        rows, x, c = self.model.encode(self._table(array))
        x_BN = np.frombuffer(x, "<f4").reshape(rows, -1) if x else np.zeros((rows, 0), np.float32)
        return x_BN, np.frombuffer(c, "<u2").reshape(rows, -1)[:, :-1]

    def round_trip(self, array: pa.Array) -> pa.Array:
        return self.model.decode(*self.model.encode(self._table(array)))[self.name]

    def _table(self, array: pa.Array) -> pa.Table:
        return pa.table({self.name: array, "beside": _beside(len(array))})


def _beside(rows: int) -> pa.Array:
    return pa.array(["ab"[row % 2] for row in range(rows)], pa.string())


def fit_column(array: pa.Array, kind: str, *, name: str = "v", screen: bool = False) -> Column:
    """The column, of the kind that Rust infers for it; that it is `kind` is checked."""
    fit = _core.Fit(memory=16, screen=screen, threads=1)
    fit.observe(pa.table({name: array, "beside": _beside(len(array))}))
    fit.prepare()
    model = fit.finish()
    manifest, tensors = take_apart(model.to_bytes())
    codec = manifest["columns"][0]["codec"]
    assert codec["kind"] == kind, codec
    return Column(name, model, codec, tensors)

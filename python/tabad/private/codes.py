"""Values as whole numbers, by a column's public face alone: ticks of numbers and dates, places in a vocabulary.

Every row gets a code whatever it holds, so that no value raises an error or changes another row's code: numbers out of
bounds are moved to the bound, values outside the vocabulary and what is missing or NaN become MISSING (or the first
code, where the column is not nullable).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tabad.arrow_types import without_dictionary
from tabad.private.bounds import Column

__all__ = ["MISSING", "to_array", "to_codes"]

MISSING = -1

Codes = npt.NDArray[np.int64]


def to_codes(column: Column, values: Any) -> Codes:
    """Codes [B] of a pyarrow Array or ChunkedArray: 0 .. ticks - 1 or 0 .. len(values) - 1, else MISSING."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    codes = _places(column, values) if column.kind in ("category", "boolean") else _ticks(column, values)
    return codes if column.nullable else np.asarray(np.where(codes == MISSING, 0, codes), np.int64)


def _places(column: Column, values: Any) -> Codes:
    texts = values.cast(pa.large_string())
    known = pa.array([_text(value) for value in column.values or ()], pa.large_string())
    found = pc.index_in(texts, known, skip_nulls=True)
    return np.asarray(pc.fill_null(found, MISSING).to_numpy(zero_copy_only=False), np.int64)


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _ticks(column: Column, values: Any) -> Codes:
    lower, upper = column.lower or 0, column.upper or 0
    if column.kind == "datetime":
        if pa.types.is_timestamp(values.type):
            raw = values.cast(pa.timestamp("s", values.type.tz), safe=False).cast(pa.int64())
        else:
            raw = values.cast(pa.date32(), safe=False).cast(pa.int32())
        at = pc.fill_null(raw, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        gone = values.is_null().to_numpy(zero_copy_only=False)
        return np.where(gone, MISSING, np.clip(at, lower, upper) - lower)
    reals = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    gone = np.isnan(reals)
    ticks = np.rint(np.clip(np.where(gone, 0.0, reals), -9e15, 9e15) * (column.scale or 1))
    return np.where(gone, MISSING, np.clip(ticks, lower, upper).astype(np.int64) - lower)


def to_array(column: Column, codes: Codes) -> pa.Array:
    """Values of the column's own type from codes."""
    gone = codes == MISSING
    if column.kind in ("category", "boolean"):
        texts = pa.array([_text(value) for value in column.values or ()], pa.large_string())
        known = texts.cast(without_dictionary(column.type))
        return known.take(pa.array(np.where(gone, 0, codes), mask=gone)).cast(column.type)
    ticks = codes + (column.lower or 0)
    if column.kind == "datetime":
        if pa.types.is_date(column.type):
            return pa.array(ticks.astype(np.int32), pa.int32(), mask=gone).cast(pa.date32()).cast(column.type)
        # Seconds since 1970 are the same moment in every zone. A bound may be beyond what nanoseconds reach.
        most = (2**63 - 1) // {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        seconds = pa.array(np.clip(ticks, -most, most), pa.int64(), mask=gone)
        return seconds.cast(pa.timestamp("s", column.type.tz)).cast(column.type)
    if pa.types.is_integer(column.type):
        info = np.iinfo(column.type.to_pandas_dtype())
        whole = np.clip(np.rint(ticks / (column.scale or 1)), info.min, info.max)
        return pa.array(whole.astype(column.type.to_pandas_dtype()), column.type, mask=gone)
    reals = ticks / (column.scale or 1)
    if pa.types.is_decimal(column.type):
        most = 10.0 ** (column.type.precision - column.type.scale) - 10.0**-column.type.scale
        reals = np.clip(reals, -most, most)
    return pa.array(reals, pa.float64(), mask=gone).cast(column.type, safe=False)

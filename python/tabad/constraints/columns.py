"""Columns as numpy sees them, for the search of constraints and for whoever enforces them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tabad.arrow_types import is_text, without_dictionary
from tabad.tables.cells import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "comparable",
    "decimals_of",
    "in_order",
    "is_amount",
    "is_time",
    "listable",
    "measures",
    "slack_of",
    "texts",
    "valid",
]

Floats = npt.NDArray[np.float64]
EXACT = 1e-9
_DECIMALS = 6
_DAY = 86_400e6
"""Microseconds."""


def is_amount(kind: pa.DataType) -> bool:
    """True of what can be added."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_time(kind: pa.DataType) -> bool:
    """True of what has an order and no sum."""
    return bool(pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def listable(kind: pa.DataType) -> bool:
    """True of values that can be written as text and read again without loss."""
    inner = without_dictionary(kind)
    return bool(is_text(inner) or pa.types.is_boolean(inner) or is_amount(inner) or pa.types.is_date(inner))


def comparable(one: pa.DataType, other: pa.DataType) -> bool:
    """True of two amounts, and of two times of a sort (a date is an instant); as in `rules.rs`."""
    if is_time(one) and is_time(other):
        return _clock(one)[0] == _clock(other)[0]
    return is_amount(one) and is_amount(other)


def measures(column: Any) -> Floats:
    """An amount as float64, a time as microseconds, NaN where there is none: exact up to 2^53."""
    array = plain(column)
    micros = 1.0
    if is_time(array.type):
        micros = _clock(array.type)[1]
        width = {32: pa.int32(), 64: pa.int64()}[array.type.bit_width]
        array = array.cast(width)
    numbers = _floats(array.cast(pa.float64(), safe=False))
    return numbers if micros == 1.0 else numbers * micros


def in_order(low: Any, high: Any) -> tuple[Floats, Floats]:
    """Measures of two columns that can be compared: beside a date as days, for noon of a day is not after that day."""
    kinds = [plain(column).type for column in (low, high)]
    first, second = measures(low), measures(high)
    if kinds[0] == kinds[1] or not is_time(kinds[0]):
        return first, second
    # Nanoseconds since 1970 are no exact doubles, whole microseconds are.
    first, second = np.round(first), np.round(second)
    if any(pa.types.is_date(kind) for kind in kinds):
        return np.floor(first / _DAY), np.floor(second / _DAY)
    return first, second


def slack_of(columns: Iterable[Any]) -> float:
    """The share of its size by which a sum or a product of these columns may be off; as in `rules.rs`."""
    kinds = [plain(column).type for column in columns]
    if any(pa.types.is_float16(kind) for kind in kinds):
        return 1e-2
    return 1e-6 if any(pa.types.is_float32(kind) for kind in kinds) else EXACT


def _clock(kind: pa.DataType) -> tuple[str, float]:
    """What a time is compared with, and the microseconds of one of its units."""
    if pa.types.is_date(kind):
        return "instant", _DAY if pa.types.is_date32(kind) else 1e3
    micros = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[kind.unit]
    if pa.types.is_timestamp(kind):
        return "instant" if kind.tz is None else "instant with a time zone", micros
    return "time of day" if pa.types.is_time(kind) else "span", micros


def valid(column: Any) -> npt.NDArray[np.bool_]:
    """Which cells are not null."""
    return _flags(plain(column).is_valid())


def _chunks(column: Any) -> list[Any]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _floats(column: Any) -> Floats:
    """Floats, NaN where there is none. By buffers: `to_numpy` imports pandas where it is installed, for seconds."""
    parts = [np.zeros(0)]
    for chunk in _chunks(column):
        if not len(chunk):
            continue
        values = np.frombuffer(chunk.buffers()[1], "<f8", len(chunk), 8 * chunk.offset)
        parts.append(np.where(_flags(chunk.is_valid()), values, np.nan) if chunk.null_count else values)
    return np.concatenate(parts)


def _flags(column: Any) -> npt.NDArray[np.bool_]:
    """Booleans without nulls, likewise."""
    parts = [np.zeros(0, bool)]
    for chunk in _chunks(column):
        if len(chunk):
            bits = np.unpackbits(np.frombuffer(chunk.buffers()[1], np.uint8), bitorder="little")
            parts.append(bits[chunk.offset : chunk.offset + len(chunk)].astype(bool))
    return np.concatenate(parts)


def texts(column: Any) -> pa.Array:
    """The values as text that `cast` reads again."""
    array = plain(column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(pa.string())


def decimals_of(values: Floats) -> int | None:
    """The fewest decimals, at most 6, that write all values; None where more are needed."""
    there = values[np.isfinite(values)]
    for decimals in range(_DECIMALS + 1):
        if np.array_equal(np.round(there, decimals), there):
            return decimals
    return None


def codes(column: Any) -> tuple[npt.NDArray[np.int64], int]:
    """A number per value, -1 for null, and how many values there are."""
    array = plain(column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_decimal32(array.type) or pa.types.is_decimal64(array.type):  # no kernel counts their values
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    coded = pc.dictionary_encode(array)
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    places: npt.NDArray[np.int64] = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return places, len(coded.dictionary)

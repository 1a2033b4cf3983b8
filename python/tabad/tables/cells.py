"""Single cells of a column replaced, in the column's own type; all other cells are not converted."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["as_type", "plain", "replaced"]


def plain(column: Any) -> Any:
    """The column with the values of its dictionary, where it has one."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def replaced(column: pa.ChunkedArray, mask: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with `values`, one per true cell of `mask`, in these cells.

    A dictionary keeps its values in their order, and new ones follow. Raises `pyarrow.ArrowInvalid` for a value that
    the column's type cannot hold.
    """
    own = _whole(plain(column))
    new = _whole(_cast(plain(values), own.type))
    place_B = np.arange(len(own))
    place_B[mask.combine_chunks().to_numpy(zero_copy_only=False)] = len(own) + np.arange(len(new))
    # Taken, not replaced by a kernel: that knows no durations.
    flat = pa.concat_arrays([own, new]).take(pa.array(place_B))
    return pa.chunked_array([_packed(flat, column)])


def as_type(values: pa.ChunkedArray, like: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values in the type of another column, whose dictionary they continue where it has one."""
    if values.type == like.type and not pa.types.is_dictionary(like.type):
        return values
    flat = _whole(_cast(plain(values), plain(like.slice(0, 0)).type))
    return pa.chunked_array([_packed(flat, like)])


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_integer(wanted) and pa.types.is_floating(values.type):
        values = pc.round(values)
    if pa.types.is_integer(values.type) and pa.types.is_decimal(wanted):  # what is there decides, not what could be
        values = values.cast(pa.decimal128(20, 0))
    return values.cast(wanted)


def _packed(flat: pa.Array, like: pa.ChunkedArray) -> pa.Array:
    """The values in the dictionary type of another column, after the values that it has."""
    kind = like.type
    if not pa.types.is_dictionary(kind):
        return flat
    known = [chunk.dictionary for chunk in like.unify_dictionaries().chunks[:1]]
    own = flat.dictionary_encode().dictionary.drop_null()
    fresh = [own.filter(pc.invert(pc.is_in(own, value_set=known[0])))] if known else [own]
    values = pa.concat_arrays([*known, *fresh])
    at = pc.index_in(flat, value_set=values, skip_nulls=True).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(at, values, ordered=kind.ordered)

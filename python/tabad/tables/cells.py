"""Single cells of a column replaced, in the column's own type; all other cells are not converted."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["plain", "replaced"]


def plain(column: Any) -> Any:
    """The column with the values of its dictionary, where it has one."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def replaced(column: pa.ChunkedArray, mask: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with `values`, one per true cell of `mask`, in these cells."""
    wanted = column.type
    flat = plain(column)
    result: Any = pc.replace_with_mask(
        flat.combine_chunks(), mask.combine_chunks(), plain(values).cast(flat.type).combine_chunks()
    )
    if flat.type != wanted:
        result = result.dictionary_encode().cast(wanted)
    return pa.chunked_array([result], type=wanted)

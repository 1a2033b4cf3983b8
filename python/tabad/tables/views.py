"""String views (polars sends them) as plain strings: pyarrow's kernels cannot filter, take or compare views."""

from collections.abc import Iterator

import pyarrow as pa

__all__ = ["without_view", "without_views"]


def without_views(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same stream, strings in place of string views, in dictionaries too."""
    schema = pa.schema([field.with_type(without_view(field.type)) for field in reader.schema], reader.schema.metadata)
    if schema == reader.schema:
        return reader

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def without_view(kind: pa.DataType) -> pa.DataType:
    """The type of a column in such a stream."""
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, without_view(kind.value_type), kind.ordered)
    return kind


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if column.type == wanted:
        return column
    if pa.types.is_dictionary(wanted):
        values = column.dictionary.cast(wanted.value_type)
        return pa.DictionaryArray.from_arrays(column.indices, values, ordered=wanted.ordered)
    return column.cast(wanted)

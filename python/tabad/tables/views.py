"""String views (polars sends them) as plain strings: pyarrow's kernels cannot filter, take or compare views."""

import pyarrow as pa

__all__ = ["batch_without_views", "without_view", "without_views"]


def without_views(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same stream, strings in place of string views, in dictionaries too."""
    schema = _schema(reader.schema)
    if schema == reader.schema:
        return reader
    return pa.RecordBatchReader.from_batches(schema, map(batch_without_views, reader))


def batch_without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, strings in place of string views."""
    schema = _schema(batch.schema)
    if schema == batch.schema:
        return batch
    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(without_view(field.type)) for field in schema], schema.metadata)


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

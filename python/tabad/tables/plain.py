"""Batches as plain text: nested columns become JSON, types that CSV lacks become strings.

No `pa.array(list)` here: it imports pandas where it is installed, and this is on the way of every CSV.
"""

import array
import base64
import datetime
import decimal
import json
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tabad.errors import InputError


def flat_schema(schema: pa.Schema) -> pa.Schema:
    """The schema in which a table is written as CSV."""
    return pa.schema([pa.field(field.name, _flat_type(field.type)) for field in schema])


def _flat_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _flat_type(kind.value_type)
    if (
        pa.types.is_nested(kind)
        or _is_binary(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_interval(kind)
        or isinstance(kind, pa.BaseExtensionType)
    ):
        return pa.string()
    if pa.types.is_float16(kind):
        return pa.float32()
    return kind


def flat_batch(batch: pa.RecordBatch, flat: pa.Schema) -> pa.RecordBatch:
    """The batch in the schema that `flat_schema` gave."""
    columns = []
    for field, column in zip(flat, batch.columns, strict=True):
        if pa.types.is_dictionary(column.type) and _is_binary(column.type.value_type):
            column = column.dictionary_decode()
        kind = column.type
        if pa.types.is_nested(kind) or pa.types.is_interval(kind):
            column = _text_column(column, lambda value: dumps(value) if value else None)
        elif _is_binary(kind) or isinstance(kind, pa.BaseExtensionType):
            column = _text_column(column, _bare)
        elif column.type != field.type:
            try:
                column = column.cast(field.type)
            except pa.ArrowIndexError as error:
                raise InputError(
                    f"column `{field.name}` has a key that its dictionary does not have: {error}",
                    name="table-unreadable",
                ) from error
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=flat)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _bare(value: Any) -> str:
    """As in JSON, without the quotes of a text: base64 of bytes, the digits of a UUID."""
    text = dumps(value)
    return str(json.loads(text)) if text.startswith('"') else text


def _text_column(column: pa.Array, written: Callable[[Any], str | None]) -> pa.Array:
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    offsets, texts = array.array("i", [0]), []
    bits = bytearray((len(column) + 7) // 8)
    end = 0
    for row, value in enumerate(column.to_pylist()):
        text = None if value is None else written(value)
        if text is not None:
            encoded = text.encode()
            texts.append(encoded)
            end += len(encoded)
            bits[row >> 3] |= 1 << (row & 7)
        offsets.append(end)
    return pa.StringArray.from_buffers(
        len(column), pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(texts)), pa.py_buffer(bytes(bits))
    )


def json_lines(batch: pa.RecordBatch) -> bytes:
    """The rows as JSON lines. Times are ISO text, binary is base64, NaN and infinities are null.

    Raises `InputError` for text that is not UTF-8: JSON has no other.
    """
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:
        raise _not_utf8(batch) from None
    return "".join(dumps(row) + "\n" for row in rows).encode()


def _not_utf8(batch: pa.RecordBatch) -> InputError:
    def is_text(name: str) -> bool:
        try:
            batch.column(name).to_pylist()
        except UnicodeDecodeError:
            return False
        return True

    lost = next(name for name in batch.schema.names if not is_text(name))
    return InputError(
        f"column `{lost}` holds text that is not UTF-8, and JSON lines have no other",
        name="text-encoding",
        hint="write parquet or CSV, or the table again from its source in UTF-8",
    )


def dumps(value: Any) -> str:
    """JSON text of a Python value that came out of Arrow."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_default)
    except ValueError:
        return json.dumps(finite(value), ensure_ascii=False, default=_default)


def finite(value: Any) -> Any:
    """The value with None for what JSON has no number for: NaN and infinities, however deep."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _default(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)

"""JSON lines as record batches: one object a line."""

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.json

from tabad.errors import InputError
from tabad.tables.text import BLOCK, Dialect, Retype, open_text, show_line, unreadable


def json_batches(path: str, shown: str, dialect: Dialect) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of one file of JSON lines. `shown` is the name for messages."""
    try:
        reader = pyarrow.json.open_json(path, read_options=pyarrow.json.ReadOptions(block_size=BLOCK))
        # An explicit type would also add a column that is not there, and hide that it is missing.
        types = {name: kind for name, kind in dialect.types.items() if name in reader.schema.names} | dialect.learned
        # pyarrow takes JSON numbers for dates and times, not ISO text, and no durations at all; other types it reads as
        # they are written here.
        meant = {name: kind for name, kind in types.items() if _as_written(kind) is not None}
        types = {name: _as_written(kind) or kind for name, kind in types.items()}
        if types:
            reader.close()
            reader = pyarrow.json.open_json(
                path,
                read_options=pyarrow.json.ReadOptions(block_size=BLOCK),
                parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema(list(types.items()))),
            )
    except (pa.ArrowException, OSError) as error:
        raise _json_error(error, path, shown, dialect) from error

    schema = pa.schema([field.with_type(meant.get(field.name, field.type)) for field in reader.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                yield _read(batch, schema) if meant else batch
        except (pa.ArrowException, OSError) as error:
            raise _json_error(error, path, shown, dialect) from error

    return schema, batches()


def _as_written(kind: pa.DataType) -> pa.DataType | None:
    """What stands in JSON for a value of a type that pyarrow does not read there: as `plain` writes it."""
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return pa.string()
    return pa.float64() if pa.types.is_duration(kind) else None


def _read(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_meant(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _meant(column: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow.compute as pc

    if column.type == kind:
        return column
    if pa.types.is_time(kind):  # no kernel reads a time of day; a moment of the first day is read
        return (
            pc.binary_join_element_wise("1970-01-01T", column, "")
            .cast(pa.timestamp("ns"))
            .cast(pa.timestamp(kind.unit), safe=False)
            .cast(kind)
        )
    if pa.types.is_duration(kind):
        ticks = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return pc.round(pc.multiply(column, ticks)).cast(pa.int64()).cast(kind)
    return column.cast(kind)


def _json_error(error: Exception, path: str, shown: str, dialect: Dialect) -> InputError | Retype:
    """pyarrow names no column: read the file once more, slowly, and say what each column holds."""
    seen: dict[str, set[type]] = {}
    first_text: dict[str, int] = {}
    with open_text(path, shown) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as reason:
                return InputError(
                    f"line {number:,} of {shown} is not JSON: {reason}",
                    name="json-invalid",
                    hint=f"look at it with: {show_line(number, shown)}",
                )
            if not isinstance(row, dict):
                return InputError(
                    f"line {number:,} of {shown} is not a JSON object",
                    name="json-invalid",
                    hint='one object a line, such as {"amount": 12.5}',
                )
            for name, value in row.items():
                if value is not None:
                    kinds = seen.setdefault(name, set())
                    if type(value) not in kinds:
                        kinds.add(type(value))
                        if type(value) is str:
                            first_text[name] = number
    numbers = {int, float}
    for name, kinds in seen.items():
        if len(kinds) > 1 and not kinds <= numbers:
            line_hint = f" (text in line {first_text[name]:,})" if name in first_text else ""
            found = " and ".join(sorted(_JSON_NAMES.get(kind, kind.__name__) for kind in kinds))
            return InputError(
                f"column `{name}` of {shown} holds {found}{line_hint}",
                name="json-types",
                hint="give the column one type, for example text in every row",
            )
    types = {
        name: _JSON_TYPES[max(kinds, key=_JSON_ORDER.index)]
        for name, kinds in seen.items()
        if kinds <= set(_JSON_ORDER)
    }
    learned = {name: kind for name, kind in types.items() if name not in dialect.types}
    if dialect.learned == learned:
        return unreadable(error, shown)
    return Retype(learned)


_JSON_ORDER: list[type] = [bool, int, float, str]
_JSON_TYPES: dict[type, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
_JSON_NAMES: dict[type, str] = {
    bool: "booleans",
    int: "numbers",
    float: "numbers",
    str: "text",
    dict: "objects",
    list: "lists",
}

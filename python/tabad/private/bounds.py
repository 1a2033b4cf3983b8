"""What is known of a table before anybody looks at it: kinds, bounds and vocabularies, from a file (`--public-bounds`).

    {"columns": {"age": {"kind": "number", "lower": 17, "upper": 90, "decimals": 0},
                 "job": {"kind": "category", "values": ["clerk", "farmer"], "nullable": false},
                 "day": {"kind": "datetime", "lower": "2024-01-01", "upper": "2024-12-31"}}}

The file must come from documentation, law or common sense; bounds read from the table give its outliers away. Columns
that it leaves out get their kind from their Arrow type and their bounds or vocabulary from `discovery`, which is paid
for. Values are never looked at here.
"""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from tabad.arrow_types import is_text, without_dictionary
from tabad.errors import InputError, UsageError

__all__ = ["Column", "declared", "describe", "read_bounds"]

MOST_VALUES = 5_000
MOST_TICKS = 2**53
_KEYS = {
    "number": {"kind", "lower", "upper", "decimals", "nullable"},
    "datetime": {"kind", "lower", "upper", "nullable"},
    "category": {"kind", "values", "nullable"},
    "boolean": {"kind", "nullable"},
}
KINDS = tuple(_KEYS)
_EXAMPLE = 'for example {"columns": {"age": {"kind": "number", "lower": 0, "upper": 120, "decimals": 0}}}'


@dataclass(frozen=True)
class Column:
    """A column's public face. Numbers are counted in ticks from `lower`: value = (lower + tick) / scale."""

    name: str
    type: pa.DataType
    kind: str
    nullable: bool = True
    values: tuple[str | bool, ...] | None = None
    """Of a category: its vocabulary; None while it has yet to be paid for."""
    lower: int | None = None
    upper: int | None = None
    """Of a number or datetime, in ticks; None while they have yet to be paid for."""
    scale: int | None = None
    """Ticks per unit of a number: 10 to the decimals."""

    @property
    def known(self) -> bool:
        return self.values is not None if self.kind in ("category", "boolean") else self.lower is not None

    @property
    def ticks(self) -> int:
        """How many values a number or datetime may take."""
        return (self.upper or 0) - (self.lower or 0) + 1


def read_bounds(path: str) -> dict[str, dict[str, Any]]:
    """The columns of a bounds file. Raises `UsageError`, naming the file and the column."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except OSError as error:
        raise UsageError(f"cannot open {path}: {error.strerror}", name="bounds-file") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", name="bounds-file", hint=_EXAMPLE) from error
    columns = found.get("columns") if isinstance(found, dict) else None
    if not isinstance(columns, dict) or not all(isinstance(facts, dict) for facts in columns.values()):
        raise UsageError(f"{path} holds no object `columns` of columns", name="bounds-file", hint=_EXAMPLE)
    return columns


def declared(schema: pa.Schema, public: dict[str, dict[str, Any]], ignore: tuple[str, ...]) -> list[Column]:
    """The columns of a table as far as its types and the file say. Raises `UsageError` and `InputError`."""
    absent = [name for name in public if name not in schema.names]
    if absent:
        raise UsageError(
            f"the bounds speak of {', '.join(f'`{name}`' for name in absent[:10])}, which the table does not have",
            name="bounds-file",
            hint=f"its columns are {', '.join(schema.names[:10])}",
        )
    return [_column(field, public.get(field.name)) for field in schema if field.name not in ignore]


def _column(field: pa.Field, facts: dict[str, Any] | None) -> Column:
    kind = _kind(field)
    column = Column(field.name, field.type, kind)
    if kind == "boolean":
        column = replace(column, values=(False, True))
    if facts is None:
        return column
    told = facts.get("kind", kind)
    if told not in _KEYS:
        raise _wrong(field.name, f"kind {told!r} is none of {', '.join(_KEYS)}")
    if told != kind and not (told == "category" and kind == "number" and pa.types.is_integer(field.type)):
        raise _wrong(field.name, f"kind {told} does not go with type {field.type}, which is a {kind}")
    unknown = sorted(set(facts) - _KEYS[told])
    if unknown:
        raise _wrong(field.name, f"a {told} has no {', '.join(unknown)}")
    column = replace(column, kind=told, nullable=bool(facts.get("nullable", False)))
    if told == "category":
        return replace(column, values=_vocabulary(field, facts.get("values")))
    if told == "boolean":
        return column
    decimals = facts.get("decimals", 0 if pa.types.is_integer(field.type) or told == "datetime" else 2)
    if not isinstance(decimals, int) or not 0 <= decimals <= 12:
        raise _wrong(field.name, f"decimals {decimals!r} is not a whole number from 0 to 12")
    scale = 10**decimals
    lower, upper = (_tick(field, facts.get(key), key, scale) for key in ("lower", "upper"))
    if lower >= upper or upper - lower >= MOST_TICKS:
        raise _wrong(field.name, "lower is not below upper, or too far below for its decimals")
    return replace(column, lower=lower, upper=upper, scale=scale)


def _kind(field: pa.Field) -> str:
    """By type alone: what the values look like is private."""
    type_ = without_dictionary(field.type)
    if pa.types.is_boolean(type_):
        return "boolean"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return "datetime"
    if is_text(type_):
        return "category"
    raise InputError(
        f"column `{field.name}` is {field.type}, which a private fit does not model",
        name="column-type",
        hint=f"leave it out with --ignore {field.name}",
    )


def _vocabulary(field: pa.Field, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or len(values) > MOST_VALUES:
        raise _wrong(field.name, f"values is not a list of 1 to {MOST_VALUES:,} values")
    if pa.types.is_integer(field.type) and not all(isinstance(value, int) for value in values):
        raise _wrong(field.name, f"values are not all whole numbers, as type {field.type} asks for")
    texts = tuple(str(value) for value in values)
    if len(set(texts)) < len(texts):
        raise _wrong(field.name, "values holds a value twice")
    return texts


def _tick(field: pa.Field, value: Any, key: str, scale: int) -> int:
    kind = _kind(field)
    if kind == "datetime":
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise _wrong(field.name, f"{key} {value!r} is not a date such as 2024-12-31") from None
        return day_or_second(field.type, moment)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST_TICKS:
        raise _wrong(field.name, f"{key} {str(value)[:40]} is not a number within 2^53")
    return round(value * scale)


def day_or_second(type_: pa.DataType, moment: datetime) -> int:
    """Days of a date column, seconds of a timestamp, since 1970."""
    if pa.types.is_date(type_):
        return (moment.date() - date(1970, 1, 1)).days
    return int((moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds())


def _wrong(name: str, what: str) -> UsageError:
    return UsageError(f"the bounds of column `{name}` are wrong: {what}", name="bounds-file", hint=_EXAMPLE)


def describe(column: Column) -> dict[str, Any]:
    """The column for a manifest: what `Column` holds, as JSON without floats."""
    facts: dict[str, Any] = {"name": column.name, "kind": column.kind, "nullable": column.nullable}
    if column.kind in ("category", "boolean"):
        facts["values"] = [str(value) for value in column.values or ()]
    else:
        facts.update(lower=column.lower, upper=column.upper, scale=column.scale)
    return facts

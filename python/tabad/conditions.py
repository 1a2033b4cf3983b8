"""What rows must obey: `COL=VALUE`, `COL!=VALUE`, `COL<VALUE` and so on, parsed, read in a column's type, and tested.

As in SQL a null obeys no condition. Which of them a generation can hold, and which it must draw again for, is its own
affair (`tabad.diffusion.generate`).
"""

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tabad.errors import UsageError

__all__ = ["Condition", "conditions", "in_type", "parse_conditions"]

_TEXT = re.compile(r"(?P<column>.+?)(?P<gap> ?)(?P<operator>!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)
_COMPARE = {"=": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}


@dataclass(frozen=True)
class Condition:
    """A column, how it is compared, and with what."""

    column: str
    operator: str
    value: Any

    def __str__(self) -> str:
        return f"{self.column} {self.operator} {self.value}"

    @property
    def ordered(self) -> bool:
        """True where the values of the column must have an order."""
        return self.operator not in ("=", "!=")

    def read(self, field: Any) -> Any:
        """The value as an array of one, in the type of its column; `UsageError` where it is no value of that."""
        return in_type(self.value, field)

    def test(self, column: Any, value: Any) -> Any:
        """Per row of an Arrow column whether it obeys; `value` is an array of one, in the column's type."""
        import pyarrow as pa
        import pyarrow.compute as pc

        def plain(array: Any) -> Any:
            array = array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array
            return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array  # no kernel compares halves

        obeys = pc.call_function(_COMPARE[self.operator], [plain(column), plain(value)[0]])
        return pc.fill_null(obeys, False)


def parse_conditions(texts: Iterable[str] | None) -> list[Condition]:
    """`["country=FR", "amount > 1000"]` as conditions; the first operator parts column and value.

    One space on either side of the operator belongs to it. Raises `UsageError` for a text that is no condition.
    """
    found = []
    for text in texts or ():
        parts = _TEXT.fullmatch(text)
        if parts is None:
            raise UsageError(
                f"`{text}` is no condition on a column",
                name="condition",
                hint="for example country=FR or 'amount > 1000'; also >=, <, <=, !=",
            )
        value = parts["value"].removeprefix(" ") if parts["gap"] else parts["value"]
        found.append(Condition(parts["column"], parts["operator"], value))
    return found


def conditions(where: Mapping[str, Any] | Iterable[str] | str | None) -> list[Condition]:
    """`{"country": "FR"}` or texts as conditions, as Python callers give them."""
    if isinstance(where, Mapping):
        return [Condition(column, "=", value) for column, value in where.items()]
    return parse_conditions([where] if isinstance(where, str) else where)


def in_type(value: Any, field: Any) -> Any:
    """A value as an Arrow array of one, in the type of its column; text is read as that type.

    Raises `UsageError` for what is no value of that type.
    """
    import pyarrow as pa

    from tabad.arrow_types import without_dictionary

    wanted = field.type
    plain = without_dictionary(wanted)
    try:
        if isinstance(value, str) and pa.types.is_time(plain):
            value = datetime.time.fromisoformat(value)
            if value.tzinfo is not None:
                raise ValueError(value)
        elif isinstance(value, str) and pa.types.is_duration(plain):
            value = _span(value)
        elif pa.types.is_integer(plain) and isinstance(value, float) and not value.is_integer():
            raise ValueError(value)  # Arrow would cut it off
        elif _is_naive(value) and pa.types.is_timestamp(plain) and plain.tz is not None:
            value = str(value)  # Arrow would take what clocks there say for UTC
        try:
            array = pa.array([value], plain)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            array = _read(str(value), plain)
        return array.dictionary_encode().cast(wanted) if plain is not wanted else array
    except (pa.ArrowException, ValueError, OverflowError):
        raise UsageError(
            f"`{value}` is not a value of column `{field.name}`, which is {wanted}", name="where-value"
        ) from None


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime.datetime) and value.tzinfo is None


def _read(text: str, kind: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pa.array([text])
    try:
        return words.cast(kind)
    except pa.ArrowInvalid:
        if not pa.types.is_timestamp(kind) or kind.tz is None:
            raise
        # Without an offset it is what clocks there say.
        return pc.assume_timezone(words.cast(pa.timestamp(kind.unit)), kind.tz)


def _span(text: str) -> datetime.timedelta:
    """`90`, `1:30` and `0:01:30.5`: hours and minutes where they are given, and seconds."""
    *larger, seconds = text.removeprefix("-").split(":")
    if len(larger) > 2:
        raise ValueError(text)
    hours, minutes = [0, 0, *(int(part) for part in larger)][-2:]
    span = datetime.timedelta(hours=hours, minutes=minutes, seconds=float(seconds))
    return -span if text.startswith("-") else span

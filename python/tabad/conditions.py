"""What rows must obey: `COL=VALUE`, `COL!=VALUE`, `COL<VALUE` and so on, parsed, read in a column's type, and tested.

As in SQL a null obeys no condition. Which of them a generation can hold, and which it must draw again for, is its own
affair (`tabad.diffusion.generate`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tabad.errors import UsageError

__all__ = ["Condition", "conditions", "parse_conditions"]

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

"""What the rows of a table obey: `a <= b`, `total = net + tax`, `amount = quantity * price`, `zip -> city`, nulls.

The words and their reading. Orders, sums and products are found by the compiled module (`rules/find.rs`), the others by
`find`; what is generated obeys them (`tabad.diffusion.obey`).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabad.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "AT_MOST",
    "DETERMINES",
    "NULL",
    "NULL_BY",
    "NULL_TOGETHER",
    "NULL_WITH",
    "OF_AMOUNTS",
    "PRODUCT",
    "SUM",
    "THERE",
    "Constraint",
    "check_columns",
    "check_types",
    "from_text",
    "parse",
]

AT_MOST, SUM, PRODUCT, DETERMINES = "at_most", "sum", "product", "determines"
NULL_TOGETHER, NULL_WITH, NULL_BY = "null_together", "null_with", "null_by"
OF_AMOUNTS = (AT_MOST, SUM, PRODUCT)
"""Rules on amounts and times, which every fit looks for."""
NULL, THERE = "null", "there"
"""What a value of the first column says of the second (`NULL_BY`)."""

_OPERATOR = re.compile(r"\s*(->|<=|>=|=)\s*")
_EXAMPLES = "for example 'start <= end', 'total = net + tax', 'amount = quantity * price' or 'zip -> city'"


@dataclass(frozen=True)
class Constraint:
    """A rule and its columns: low and high, total and parts or factors, from and to, or those that are null together.

    `pairs` says of a dependency which value comes with which, both as text, and where nulls go by the value of another
    column, with which values they come (`NULL`) and with which not (`THERE`). `broken`: how many of `rows` rows of the
    fit broke it, None where that is not known; where they are few, a row that breaks it is odd.
    `of_normal`: these rows were those known to be normal, and some of the others break it. `decimals`: to which a
    product is rounded, None where it is not.
    """

    rule: str
    columns: tuple[str, ...]
    given: bool = False
    pairs: tuple[tuple[str, str], ...] = ()
    broken: int | None = None
    rows: int = 0
    of_normal: bool = False
    decimals: int | None = None

    def __str__(self) -> str:
        first, rest = self.columns[0], self.columns[1:]
        match self.rule:
            case "at_most":
                return f"{first} <= {rest[0]}"
            case "sum":
                return f"{first} = {' + '.join(rest)}"
            case "product":
                return f"{first} = {' * '.join(rest)}"
            case "determines":
                return f"{first} -> {rest[0]}"
            case "null_together":
                return f"{', '.join(self.columns)}: null together"
            case "null_by":
                return f"{first} tells where {rest[0]} is null"
            case _:
                return f"{rest[0]} is null where {first} is"

    def to_json(self) -> dict[str, Any]:
        """As the compiled module takes it."""
        return {
            "rule": self.rule, "columns": self.columns, "given": self.given, "broken": self.broken, "rows": self.rows,
            "of_normal": self.of_normal, "pairs": self.pairs, "decimals": self.decimals,
        }  # fmt: skip


def from_text(text: str) -> list[Constraint]:
    """The constraints that a model holds (`_core.Model.constraints`)."""
    return [
        Constraint(
            one["rule"],
            tuple(one["columns"]),
            one["given"],
            tuple((a, b) for a, b in one["pairs"]),
            one["broken"],
            one["rows"],
            one.get("of_normal", False),
            one.get("decimals"),
        )
        for one in json.loads(text)
    ]


def parse(texts: Iterable[str]) -> list[Constraint]:
    """`["start <= end", "total = net + tax", "amount = quantity * price", "zip -> city"]` as constraints.

    Raises `UsageError` for a text that is none of these.
    """
    found = []
    for text in texts:
        parts = _OPERATOR.split(text.strip())
        left, operator, right = parts if len(parts) == 3 else ("", "", "")
        if operator == ">=":
            left, operator, right = right, "<=", left
        times = operator == "=" and " + " not in text and " * " in text
        sides = [[name.strip() for name in side.split(" * " if times else " + ")] for side in (left, right)]
        if operator == "=" and len(sides[0]) > 1:
            sides.reverse()
        columns = tuple(name for side in sides for name in side)
        whole = len(sides[0]) == 1 and (len(sides[1]) == 2 if times else operator == "=" or len(sides[1]) == 1)
        if not operator or not whole or not all(columns) or len(set(columns)) < len(columns):
            raise UsageError(f"`{text}` is no constraint on columns", name="constraint", hint=_EXAMPLES)
        rule = {"<=": AT_MOST, "=": PRODUCT if times else SUM, "->": DETERMINES}[operator]
        found.append(Constraint(rule, columns, given=True))
    return found


def check_columns(constraints: Iterable[Constraint], columns: Iterable[str], where: str) -> None:
    """Raise `UsageError` where a constraint is about something that is no column: of another table, of another row."""
    known = list(columns)
    for one in constraints:
        strange = [name for name in one.columns if name not in known]
        if strange:
            parts = {part.strip() for name in strange for part in re.split(r"[+*]", name)}
            more = "join tables before the fit"
            if len(parts) > len(strange) and parts <= set(known):
                more = "+ and * want a space on each side: " + re.sub(r"\s*([+*])\s*", r" \1 ", str(one))
            shown = ", ".join(f"`{name}`" for name in strange[:10])
            raise UsageError(
                f"`{one}`: {shown} {'is' if len(strange) == 1 else 'are'} no column of {where}, and a constraint "
                "is about one row of one table: keys between several tables and sequences of rows are not generated",
                name="constraint-column",
                hint=f"columns are {', '.join(f'`{name}`' for name in known[:10])}; {more}",
            )


def check_types(given: Iterable[Constraint], schema: "pa.Schema") -> None:
    """Raise `UsageError` where a column has no order, cannot be added, or cannot be listed."""
    from .columns import comparable, is_amount, is_time, listable

    for one in given:
        for name in one.columns:
            kind = schema.field(name).type
            amount = is_amount(kind)
            fits = {AT_MOST: amount or is_time(kind), SUM: amount, PRODUCT: amount, DETERMINES: listable(kind)}
            if not fits[one.rule]:
                needs = {
                    AT_MOST: "has no order", SUM: "cannot be added", PRODUCT: "cannot be multiplied",
                    DETERMINES: "cannot be listed",
                }  # fmt: skip
                raise UsageError(
                    f"`{one}`: column `{name}` is {kind}, which {needs[one.rule]}",
                    name="constraint-type",
                    hint="<= wants numbers or times, + and * want numbers, "
                    "-> wants texts, whole numbers, dates or booleans",
                )
        types = [schema.field(name).type for name in one.columns]
        if one.rule == AT_MOST and not comparable(*types):
            raise UsageError(
                f"`{one}`: column `{one.columns[0]}` is {types[0]} and `{one.columns[1]}` is {types[1]}, "
                "which cannot be compared",
                name="constraint-type",
                hint="<= wants two numbers, two times of day, two spans of time, or two dates and times, "
                "both with a time zone or both without",
            )

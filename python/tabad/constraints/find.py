"""Dependencies and rules on nulls that hold in every row read: looked for in the first rows, then checked against all.

Orders, sums and products are found by the compiled module (`rules/find.rs`). A rule is found where it is true without
exception and chance is excluded. Chance is what rows would do if the columns had nothing to do with each other, at the
shares that the table has; a rule needs `_EVIDENCE` nats against it:
- `a -> b`: rows that repeat a value of a, times -ln of the share of pairs of rows that agree in b (functional
  dependencies; Huhtala et al. 1999 search them in full, here one column determines another).
- nulls: rows in which the first is null, times -ln of the share of nulls of the second.
- nulls by value (a shipping date by the status): rows that repeat a value of a, times -ln of the share of pairs of rows
  that agree in whether b is null.
Rules that follow from others are left out. Axes: B rows, D columns that can be listed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from . import AT_MOST, DETERMINES, NULL, NULL_BY, NULL_TOGETHER, NULL_WITH, PRODUCT, SUM, THERE, Constraint
from .columns import EXACT, codes, in_order, listable, measures, slack_of, texts, valid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .columns import Floats

    _Coded = tuple[npt.NDArray[np.int64], int]

__all__ = [
    "FIRST",
    "adds_up",
    "chance_is_out",
    "computed",
    "multiplies",
    "pairs_of",
    "presence",
    "search",
    "unbroken",
    "usual_decimals",
    "with_pairs",
]

FIRST = 20_000
"""Rows that candidates are looked for in; those that follow can only strike them out."""
_EVIDENCE = 20.0
"""Nats against chance: one in 5e8, for a few thousand pairs of columns tried."""
_LEAST_ROWS = 20
"""Rows that must speak for a rule, whatever the nats: a cell that is null."""
_GLANCE = 512
"""Rows of a first look, which most pairs do not survive."""
_MOST_LISTED = 120
"""Columns beyond which dependencies are not looked for."""


def search(rows: pa.Table) -> list[Constraint]:
    """The constraints that hold in all of these rows; dependencies and nulls by value without their pairs."""
    coded = _coded(rows)
    empty = {name: ~valid(rows.column(name)) for name in rows.column_names}
    empty = {name: flags for name, flags in empty.items() if _LEAST_ROWS <= flags.sum() < len(flags)}
    known = [*_dependencies(coded), *_nulls(empty)]
    return [*known, *_nulls_by(empty, coded, known)]


def chance_is_out(rows: int, share: float) -> bool:
    """True where so many rows that obey by chance with that probability each are beyond it."""
    return rows >= _LEAST_ROWS and rows * -np.log(max(share, 1.0 / rows)) >= _EVIDENCE


def adds_up(total_B: Floats, parts: Iterable[Floats], slack: float = EXACT) -> npt.NDArray[np.bool_]:
    """Rows whose parts make the total, to the last decimal; where a cell is absent nothing is said."""
    parts = list(parts)
    gap = np.abs(total_B - np.sum(parts, axis=0))
    size = np.maximum(np.abs(total_B), np.max(np.abs(parts), axis=0))
    obeys: npt.NDArray[np.bool_] = ~(gap > slack * np.maximum(size, 1e-3))
    return obeys


def multiplies(
    total_B: Floats, factors: Iterable[Floats], decimals: int | None, slack: float = EXACT
) -> npt.NDArray[np.bool_]:
    """Rows whose factors make the total, rounded to so many decimals; where a cell is absent nothing is said."""
    product_B = np.prod(list(factors), axis=0)
    unit = 0.0 if decimals is None else 10.0**-decimals
    # Halves that doubles cannot tell go either way.
    reach_B = slack * np.maximum(np.abs(product_B), 1e-3) + unit * (0.5 + 1e-6)
    obeys: npt.NDArray[np.bool_] = ~(np.abs(total_B - product_B) > reach_B)
    return obeys


def computed(columns: Sequence[Any], one: Constraint) -> npt.NDArray[np.bool_]:
    """Rows that obey a sum or a product, its columns in their order."""
    total, *others = (measures(column) for column in columns)
    slack = slack_of(columns)
    return adds_up(total, others, slack) if one.rule == SUM else multiplies(total, others, one.decimals, slack)


def usual_decimals(values: Floats, slack: float = EXACT) -> int | None:
    """The fewest decimals, at most 6, that write all values but one in a hundred; None where more are needed.

    `slack`: where it says that values have 32 bits, they are compared as such.
    """
    there = values[~np.isnan(values)]
    kind = np.float64 if slack == EXACT else np.float32
    for decimals in range(7):
        written = np.round(there * 10.0**decimals) / 10.0**decimals
        if np.count_nonzero(written.astype(kind) != there.astype(kind)) <= len(there) // 100:
            return decimals
    return None


def _coded(rows: pa.Table) -> dict[str, _Coded]:
    """Codes of the columns whose values repeat; none where there are too many of them."""
    names = [field.name for field in rows.schema if listable(field.type)]
    coded = {}
    for name in names:
        place, values = codes(rows.column(name))
        if 1 < values <= 0.5 * rows.num_rows:
            coded[name] = (place, values)
    return coded if len(coded) <= _MOST_LISTED else {}


def _dependencies(coded: dict[str, _Coded]) -> list[Constraint]:
    found = []
    for source, (from_B, values) in coded.items():
        for target, (to_B, _) in coded.items():
            if source == target:
                continue
            if _determined(from_B[:_GLANCE], to_B[:_GLANCE], values) and _determined(from_B, to_B, values):
                both = (from_B >= 0) & (to_B >= 0)
                repeats = int(both.sum()) - len(np.unique(from_B[both]))
                shares = np.bincount(to_B[both]) / max(int(both.sum()), 1)
                if chance_is_out(repeats, float(np.square(shares).sum())):
                    found.append(Constraint(DETERMINES, (source, target)))
    return found


def _determined(from_B: npt.NDArray[np.int64], to_B: npt.NDArray[np.int64], values: int) -> bool:
    both = (from_B >= 0) & (to_B >= 0)
    first = np.zeros(values, np.int64)
    first[from_B[both]] = to_B[both]
    return bool((first[from_B[both]] == to_B[both]).all())


def _nulls(empty: dict[str, npt.NDArray[np.bool_]]) -> list[Constraint]:
    groups: dict[bytes, list[str]] = {}
    for name, flags in empty.items():
        groups.setdefault(np.packbits(flags).tobytes(), []).append(name)
    firsts = [members[0] for members in groups.values()]
    found = []
    for members in groups.values():
        flags = empty[members[0]]
        if len(members) > 1 and chance_is_out(int(flags.sum()), float(flags.mean())):
            found.append(Constraint(NULL_TOGETHER, tuple(members)))
    edges = {
        (a, b)
        for a in firsts
        for b in firsts
        if a != b and not (empty[a] & ~empty[b]).any() and chance_is_out(int(empty[a].sum()), float(empty[b].mean()))
    }
    implied = {(a, c) for a, b in edges for b2, c in edges if b == b2 and (a, c) in edges}
    ordered = sorted(edges - implied, key=lambda edge: [firsts.index(name) for name in edge])
    return [*found, *(Constraint(NULL_WITH, edge) for edge in ordered)]


def _nulls_by(
    empty: dict[str, npt.NDArray[np.bool_]], coded: dict[str, _Coded], known: list[Constraint]
) -> list[Constraint]:
    """Not where another rule says it: of columns that are null together the first, of columns that tell each other the
    last in a chain, and of two that turn round the first."""
    follows = {name for one in known if one.rule == NULL_TOGETHER for name in one.columns[1:]}
    determined = {one.columns for one in known if one.rule == DETERMINES}
    found = []
    for target, null_B in empty.items():
        if target in follows or null_B.sum() > len(null_B) - _LEAST_ROWS:
            continue
        telling = [name for name, (from_B, _) in coded.items() if name != target and _tells(from_B, null_B)]
        for place, source in enumerate(telling):
            others = [(other, at) for at, other in enumerate(telling) if (source, other) in determined]
            if all((other, source) in determined and place < at for other, at in others):
                found.append(Constraint(NULL_BY, (source, target)))
    return found


def _tells(from_B: npt.NDArray[np.int64], null_B: npt.NDArray[np.bool_]) -> bool:
    """Whether a value is with nulls always or never, and both occur beyond chance."""
    for part in (slice(0, _GLANCE), slice(None)):
        there_B = from_B[part] >= 0
        rows_V = np.bincount(from_B[part][there_B])
        nulls_V = np.bincount(from_B[part][there_B], null_B[part][there_B])
        if ((nulls_V > 0) & (nulls_V < rows_V)).any():
            return False
    nulls, rows = int(nulls_V.sum()), int(rows_V.sum())
    share = nulls / max(rows, 1)
    return 0 < nulls < rows and chance_is_out(rows - int(np.count_nonzero(rows_V)), share**2 + (1.0 - share) ** 2)


def pairs_of(rows: Any, one: Constraint) -> pa.Table:
    """Distinct pairs of a dependency with how often each occurs: columns `from`, `to` as text and `count`."""
    source = texts(rows.column(one.columns[0]))
    target = rows.column(one.columns[1])
    target = presence(target) if one.rule == NULL_BY else texts(target)
    pairs = pa.table({"from": source, "to": target}).drop_null()
    counted = pairs.group_by(["from", "to"]).aggregate([([], "count_all")])
    return counted.rename_columns(["from", "to", "count"])


def presence(column: Any) -> pa.Array:
    """`NULL` or `THERE` per cell."""
    return pa.array(np.where(valid(column), THERE, NULL), pa.string())


def unbroken(rows: Any, one: Constraint) -> npt.NDArray[np.bool_]:
    """Per row whether it obeys; what a rule with pairs says of a row alone is nothing."""
    if one.rule == AT_MOST:
        low, high = in_order(*(rows.column(name) for name in one.columns))
        return ~(low > high)
    if one.rule in (SUM, PRODUCT):
        return computed([rows.column(name) for name in one.columns], one)
    if one.rule in (NULL_TOGETHER, NULL_WITH):
        first, *others = (~valid(rows.column(name)) for name in one.columns)
        agrees: list[npt.NDArray[np.bool_]] = [
            first == other if one.rule == NULL_TOGETHER else ~first | other for other in others
        ]
        obeys: npt.NDArray[np.bool_] = np.logical_and.reduce(agrees)
        return obeys
    return np.ones(rows.num_rows, bool)


def with_pairs(one: Constraint, pairs: pa.Table) -> Constraint:
    """The dependency with the commonest value of `to` for each of `from`; of equally common ones the first as text."""
    ordered = pairs.sort_by([("from", "ascending"), ("count", "descending"), ("to", "ascending")])
    chosen: dict[str, str] = {}
    for source, target in zip(ordered["from"].to_pylist(), ordered["to"].to_pylist(), strict=True):
        chosen.setdefault(source, target)
    return replace(one, pairs=tuple(chosen.items()))

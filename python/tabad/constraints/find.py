"""Constraints that hold in the rows read: looked for in the first rows, then checked against all that follow.

A rule is found where it is true, of sums and orders with few exceptions (`most_broken`), and chance is excluded. Chance
is what rows would do if the columns had nothing to do with each other, at the shares that the table has; a rule needs
`_EVIDENCE` nats against it:
- `a <= b`: rows in which both are there, times -ln of the share that obeys once b is shuffled; at least one shuffled
  row in fifty must break it, so that columns of different size say nothing, and twenty times as many as do.
- `a = b + c (+ d)`: rows in which two parts are not 0, times -ln of the share that adds up once a is shuffled.
- `a -> b`: rows that repeat a value of a, times -ln of the share of pairs of rows that agree in b (functional
  dependencies; Huhtala et al. 1999 search them in full, here one column determines another).
- nulls: rows in which the first is null, times -ln of the share of nulls of the second.
Rules that follow from others are left out. Axes: B rows, N amounts, D columns that can be listed.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from . import AT_MOST, DETERMINES, NULL_TOGETHER, NULL_WITH, SUM, Constraint
from .columns import codes, is_amount, is_time, listable, measures, texts, valid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .columns import Floats

__all__ = ["FIRST", "adds_up", "chance_is_out", "most_broken", "search"]

FIRST = 20_000
"""Rows that candidates are looked for in; those that follow can only strike them out."""
_EVIDENCE = 20.0
"""Nats against chance: one in 5e8, for a few thousand pairs of columns tried."""
_LEAST_BROKEN = 0.02
_LEAST_ROWS = 20
"""Rows that must speak for a rule, whatever the nats: a part that is not 0, a cell that is null."""
_GLANCE = 512
"""Rows of a first look, which most pairs do not survive."""
_GLANCE_OF_SUMS = 64
_FEW = 100
"""One row in so many may break a sum or an order that is still one (`rust/core/src/constraints.rs` has the same)."""
_TIMES_FEWER = 20
"""Rows that break an order are so many times fewer than by chance."""
_MOST_TRIPLES, _MOST_PAIRS, _MOST_LISTED = 25, 80, 120
"""Columns beyond which sums of three, sums of two, and dependencies are not looked for."""
_EXACT = 1e-9


def search(rows: pa.Table) -> list[Constraint]:
    """The constraints that hold in all of these rows; dependencies without their pairs."""
    amounts = [field.name for field in rows.schema if is_amount(field.type)]
    times = [field.name for field in rows.schema if is_time(field.type)]
    cells = {name: measures(rows.column(name)) for name in [*amounts, *times]}
    found = _sums(amounts, cells)
    equal: set[tuple[str, ...]] = {one.columns for one in found if len(one.columns) == 2}
    groups = [amounts, *([t for t in times if rows.schema.field(t).type == kind] for kind in _types(rows, times))]
    for group in groups:
        found += _orders(group, cells, equal)
    return [*found, *_dependencies(rows), *_nulls(rows)]


def most_broken(rule: str, rows: int) -> int:
    """Of so many rows those that may break what is still a rule."""
    return rows // _FEW if rule in (AT_MOST, SUM) else 0


def chance_is_out(rows: int, share: float) -> bool:
    """True where so many rows that obey by chance with that probability each are beyond it."""
    return rows >= _LEAST_ROWS and rows * -np.log(max(share, 1.0 / rows)) >= _EVIDENCE


def adds_up(total_B: Floats, parts: Iterable[Floats]) -> npt.NDArray[np.bool_]:
    """Rows whose parts make the total, to the last decimal; where a cell is absent nothing is said."""
    parts = list(parts)
    gap = np.abs(total_B - np.sum(parts, axis=0))
    size = np.maximum(np.abs(total_B), np.max(np.abs(parts), axis=0))
    obeys: npt.NDArray[np.bool_] = ~(gap > _EXACT * np.maximum(size, 1e-3))
    return obeys


def _types(rows: pa.Table, names: list[str]) -> list[pa.DataType]:
    return list(dict.fromkeys(rows.schema.field(name).type for name in names))


def _shuffled(values_B: Floats) -> Floats:
    shuffled: Floats = np.random.default_rng(0).permutation(values_B)
    return shuffled


def _orders(names: list[str], cells: dict[str, Floats], equal: set[tuple[str, ...]]) -> list[Constraint]:
    if len(names) < 2:
        return []
    edges = set()
    rows = len(cells[names[0]])
    head = {name: _spread(cells[name], _GLANCE) for name in names}
    most, most_of_head = most_broken(AT_MOST, rows), _most_seen(AT_MOST, rows, _GLANCE)
    for low in names:
        for high in names:
            same = low == high or (low, high) in equal or (high, low) in equal
            if same or np.count_nonzero(head[low] > head[high]) > most_of_head:
                continue
            broken = int(np.count_nonzero(cells[low] > cells[high]))
            if broken > most:
                continue
            both = ~np.isnan(cells[low]) & ~np.isnan(cells[high])
            low_B, high_B = cells[low][both], cells[high][both]
            chance = float((low_B > _shuffled(high_B)).mean()) if len(low_B) else 0.0
            by_chance = chance < _LEAST_BROKEN or broken * _TIMES_FEWER > chance * len(low_B)
            if not by_chance and chance_is_out(len(low_B) - broken, 1.0 - chance):
                edges.add((low, high))
    implied = {(a, c) for a, b in edges for b2, c in edges if b == b2 and (a, c) in edges and len({a, b, c}) == 3}
    return [Constraint(AT_MOST, edge) for edge in sorted(edges - implied, key=lambda e: [names.index(n) for n in e])]


def _spread(values_B: Floats, most: int) -> Floats:
    """As many of the rows as `most`, evenly spread: what is wrong in a table often stands together."""
    spread: Floats = values_B[np.linspace(0, len(values_B) - 1, min(most, len(values_B))).astype(np.int64)]
    return spread


def _most_seen(rule: str, rows: int, looked_at: int) -> int:
    """Of rows looked at those that may break a rule which as many of all rows break as may: four deviations above."""
    expected = most_broken(rule, rows) / max(rows, 1) * min(rows, looked_at)
    return int(expected + 4.0 * expected**0.5)


def _sums(names: list[str], cells: dict[str, Floats]) -> list[Constraint]:
    names = [name for name in names if len(np.unique(cells[name][~np.isnan(cells[name])])) > 1]
    found: list[Constraint] = []
    done: set[str] = set()
    candidates = _candidates(np.stack([cells[name] for name in names], axis=1)) if names else []
    # Those without exception first. One sum a total, the one of fewest parts; equal columns are said once.
    for most in (0, most_broken(SUM, len(cells[names[0]]))) if names else ():
        for total, places in candidates:
            name, parts = names[total], [names[place] for place in places]
            if name in done or any(part in done for part in parts):
                continue
            if _is_sum(cells[name], [cells[part] for part in parts], most):
                found.append(Constraint(SUM, (name, *parts)))
                done.add(name)
    return found


def _candidates(cells_BN: Floats) -> list[tuple[int, list[int]]]:
    """Totals and their parts that a glance does not rule out, those of fewest parts first."""
    rows, columns = cells_BN.shape
    glance = _spread(cells_BN, _GLANCE_OF_SUMS)
    most_of_glance = _most_seen(SUM, rows, _GLANCE_OF_SUMS)
    filled = (np.nan_to_num(cells_BN) != 0).astype(np.float32)
    together_NN = filled.T @ filled
    found = []
    for count, most in ((1, columns), (2, _MOST_PAIRS), (3, _MOST_TRIPLES)):
        if not count < columns <= most:
            break
        parts_KS = np.array(list(combinations(range(columns), count)), np.int64).reshape(-1, count)
        pairs = list(combinations(range(count), 2)) or [(0, 0)]
        speak_K = sum(together_NN[parts_KS[:, a], parts_KS[:, b]] for a, b in pairs) >= _LEAST_ROWS
        parts_KS = parts_KS[speak_K]
        glance_BK = glance[:, parts_KS].sum(axis=2)
        for total in range(columns):
            agrees = np.isnan(glance_BK) | np.isclose(glance_BK, glance[:, total, None], rtol=1e-9, atol=1e-9)
            fits_K = (np.count_nonzero(~agrees, axis=0) <= most_of_glance) & (parts_KS != total).all(axis=1)
            found += [(total, parts.tolist()) for parts in parts_KS[fits_K]]
    return found


def _is_sum(total_B: Floats, parts: list[Floats], most: int) -> bool:
    """True where chance is out, and `most` rows break it at most, and as small a share of those that tell."""
    if np.count_nonzero(~adds_up(total_B, parts)) > most:
        return False
    there = ~np.isnan(total_B) & ~np.isnan(np.sum(parts, axis=0))
    filled = np.stack([part[there] != 0 for part in parts])
    tells = filled.sum(axis=0) >= min(2, len(parts))
    total_B, parts = total_B[there][tells], [part[there][tells] for part in parts]
    broken = int(np.count_nonzero(~adds_up(total_B, parts)))
    if broken > most_broken(SUM, len(total_B)) or (filled[:, tells].sum(axis=1) < _LEAST_ROWS).any():
        return False
    return chance_is_out(len(total_B) - broken, float(adds_up(_shuffled(total_B), parts).mean()))


def _dependencies(rows: pa.Table) -> list[Constraint]:
    names = [field.name for field in rows.schema if listable(field.type)]
    coded = {}
    for name in names:
        place, values = codes(rows.column(name))
        if 1 < values <= 0.5 * rows.num_rows:
            coded[name] = (place, values)
    if len(coded) > _MOST_LISTED:
        return []
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


def _nulls(rows: pa.Table) -> list[Constraint]:
    empty = {name: ~valid(rows.column(name)) for name in rows.column_names}
    empty = {name: flags for name, flags in empty.items() if _LEAST_ROWS <= flags.sum() < len(flags)}
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


def pairs_of(rows: Any, one: Constraint) -> pa.Table:
    """Distinct pairs of a dependency with how often each occurs: columns `from`, `to` as text and `count`."""
    source, target = (texts(rows.column(name)) for name in one.columns)
    pairs = pa.table({"from": source, "to": target}).drop_null()
    counted = pairs.group_by(["from", "to"]).aggregate([([], "count_all")])
    return counted.rename_columns(["from", "to", "count"])


def unbroken(rows: Any, one: Constraint) -> npt.NDArray[np.bool_]:
    """Per row whether it obeys; what a dependency says of a row alone is nothing."""
    if one.rule == AT_MOST:
        low, high = (measures(rows.column(name)) for name in one.columns)
        return ~(low > high)
    if one.rule == SUM:
        total, *parts = (measures(rows.column(name)) for name in one.columns)
        return adds_up(total, parts)
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

"""Generated rows made to obey what the rows of their table obey.

What a constraint determines is not drawn but computed: the column that another determines is looked up, a total is the
sum of its parts or the product of its factors, cells that are null together or by the value of another become null.
What it only limits (`a <= b`) cannot be computed: rows that break it are for the caller to draw again, so that those
kept follow the network's own distribution among the rows that obey. Cells that stand (a condition, the present cells of
a row that is filled) are never changed: what is free moves, or the row is drawn again. Axes: B rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tabad.constraints import AT_MOST, DETERMINES, NULL, NULL_BY, NULL_TOGETHER, NULL_WITH, PRODUCT, SUM, THERE
from tabad.constraints.columns import decimals_of, in_order, measures, slack_of, texts, valid
from tabad.constraints.find import adds_up, computed, multiplies, presence
from tabad.tables.cells import plain, replaced

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from tabad.constraints import Constraint

    Flags = npt.NDArray[np.bool_]

__all__ = ["Obedience", "Rows"]

_FEW = 0.1
"""Rules that are broken less than this share as often as the most broken one are no reason that too few rows obey."""
_KIND_RANK = {"key": 0, "category": 1, "boolean": 2}
"""Of two columns that determine each other the one that the network draws best stands: a key, then a category."""


class Rows:
    """Columns of some rows, and which of their cells may change."""

    def __init__(self, columns: dict[str, pa.ChunkedArray], free: dict[str, Flags]) -> None:
        self.columns, self.free = columns, free

    def put(self, name: str, where_B: Flags, values: pa.Array) -> None:
        """`values`, one per true cell of `where_B`, into a column."""
        if where_B.any():
            mask = pa.chunked_array([pa.array(where_B)])
            self.columns[name] = replaced(self.columns[name], mask, pa.chunked_array([values]))


class Obedience:
    """The constraints of a model in the order in which they are enforced."""

    def __init__(self, constraints: Sequence[Constraint], kinds: dict[str, str]) -> None:
        self._kinds = kinds
        self.at_most = [one for one in constraints if one.rule == AT_MOST]
        # What the value of another column tells first: what it empties may empty more.
        self._nulls_by = [one for one in constraints if one.rule == NULL_BY]
        self.nulls = [*self._nulls_by, *(one for one in constraints if one.rule in (NULL_TOGETHER, NULL_WITH))]
        self.names = list(dict.fromkeys(name for one in constraints for name in one.columns))
        self._broken: dict[Constraint, int] = {}
        self.determines = _in_order([one for one in constraints if one.rule == DETERMINES], kinds)
        self.computed = _parts_first([one for one in constraints if one.rule in (SUM, PRODUCT)])
        self._looked_up = {
            one: (pa.array([a for a, _ in one.pairs], pa.string()), pa.array([b for _, b in one.pairs], pa.string()))
            for one in constraints
            if one.rule in (DETERMINES, NULL_BY)
        }

    def __bool__(self) -> bool:
        return bool(self.at_most or self.nulls or self.determines or self.computed)

    @property
    def said(self) -> list[str]:
        """The constraints that rows break, oftenest first; not those that break few beside them."""
        most = max(self._broken.values(), default=0)
        often = sorted(self._broken.items(), key=lambda pair: -pair[1])
        return [f"`{one}`" for one, count in often if count > _FEW * most]

    def enforce(self, rows: Rows, *, nulls: bool = True, last: bool = False) -> Flags:
        """Change what is free; return the rows that still break something [B].

        `nulls`: rules on missing cells count too; without, those alone that go by a value, of cells that stand. `last`:
        rows will not be drawn again, so that two cells in the wrong order are exchanged, or made equal where one of
        them stands.
        """
        for one in self.determines:
            self._determine(rows, one)
        for one in self.nulls if nulls else ():
            self._empty(rows, one)
        self._compute(rows)
        # Of orders in a chain one exchange may undo another, and a sum be undone by them.
        for _ in range(len(self.at_most) + 1 if last else 0):
            if not self.broken(rows, nulls=nulls).any():
                break
            for one in self.at_most:
                self._exchange(rows, one)
            self._compute(rows)
        return self.broken(rows, nulls=nulls)

    def _compute(self, rows: Rows) -> None:
        for one in self.computed:
            (self._add if one.rule == SUM else self._multiply)(rows, one)

    def mended(
        self, made: pa.RecordBatch, *, held: Container[str] = (), last: bool = False
    ) -> tuple[pa.RecordBatch, Flags]:
        """Rows with what could be changed changed, but in columns that are held; and which obey [B]."""
        columns = {name: pa.chunked_array([made.column(name)]) for name in self.names}
        rows = Rows(columns, {name: np.full(made.num_rows, name not in held) for name in self.names})
        obeys_B = ~self.enforce(rows, last=last)
        for name in self.names:
            place = made.schema.get_field_index(name)
            made = made.set_column(place, made.schema.field(place), rows.columns[name].combine_chunks())
        return made, obeys_B

    def broken(self, rows: Rows, *, nulls: bool = True) -> Flags:
        """Rows that break something that a free cell could mend [B]."""
        count = len(next(iter(rows.columns.values()))) if rows.columns else 0
        found: Flags = np.zeros(count, bool)
        for one in [*self.at_most, *self.computed, *self.determines, *(self.nulls if nulls else ())]:
            movable = np.logical_or.reduce([rows.free[name] for name in one.columns])
            wrong_B = movable & self._breaks(rows, one)
            if wrong_B.any():
                self._broken[one] = self._broken.get(one, 0) + int(wrong_B.sum())
            found |= wrong_B
        missing = {} if nulls else self.surely_missing(rows.columns)
        for one in () if nulls else self._nulls_by:
            source, target = one.columns
            said = self._said(rows.columns[source], one)
            there_B = valid(rows.columns[target]) | missing.get(target, False)
            false_B = np.where(there_B, _equal(said, NULL), _equal(said, THERE))
            found |= rows.free[source] & ~rows.free[target] & false_B
        return found

    def meant_to_be_null(self, rows: pa.Table) -> dict[str, Flags]:
        """Cells that are null by the value of another column, or since such a one is, by column [B]."""
        found: dict[str, Flags] = {}
        for one in self._nulls_by:
            source, target = one.columns
            said_B = _equal(self._said(rows.column(source), one), NULL)
            found[target] = found.get(target, said_B) | said_B
        rules = [one for one in self.nulls if one.rule != NULL_BY]
        for one in rules * len(rules):
            together = one.rule == NULL_TOGETHER
            meant = [found[name] for name in (one.columns if together else one.columns[:1]) if name in found]
            for target in (one.columns if together else one.columns[1:]) if meant else ():
                found[target] = np.logical_or.reduce([*meant, found.get(target, meant[0])])
        return found

    def surely_missing(self, columns: Mapping[str, pa.ChunkedArray]) -> dict[str, Flags]:
        """Cells that are null beside one that is there only where they are, by column [B]."""
        found: dict[str, Flags] = {}
        rules = [one for one in self.nulls if one.rule != NULL_BY and columns.keys() >= {*one.columns}]
        for one in rules * len(rules):
            empty = [~valid(columns[name]) for name in one.columns]
            there = [~empty_B | found.get(name, False) for name, empty_B in zip(one.columns, empty, strict=True)]
            known_B = np.logical_or.reduce(there if one.rule == NULL_TOGETHER else there[1:])
            bound = one.columns if one.rule == NULL_TOGETHER else one.columns[:1]
            for name, empty_B in zip(bound, empty, strict=False):
                found[name] = found.get(name, False) | (known_B & empty_B)
        return found

    def telling(self) -> set[str]:
        """The columns whose values say where others are null."""
        return {one.columns[0] for one in self._nulls_by}

    def contradicted(self, held: Mapping[str, pa.Array]) -> list[Constraint]:
        """The constraints that held values, arrays of one, break between themselves."""
        columns = {name: pa.chunked_array([value]) for name, value in held.items()}
        every = [*self.at_most, *self.computed, *self.determines, *self.nulls]
        return [one for one in every if held.keys() >= {*one.columns} and self._breaks(Rows(columns, {}), one)[0]]

    def _breaks(self, rows: Rows, one: Constraint) -> Flags:
        if one.rule in (DETERMINES, NULL_BY):
            _, known_B, differs_B = self._lookup(rows, one)
            return known_B & differs_B
        if one.rule in (NULL_TOGETHER, NULL_WITH):
            empty = [~valid(rows.columns[name]) for name in one.columns]
            wrong = [empty[0] != other if one.rule == NULL_TOGETHER else empty[0] & ~other for other in empty[1:]]
            breaks: Flags = np.logical_or.reduce(wrong)
            return breaks
        if one.rule == AT_MOST:
            return _too_large(rows, one)
        return ~computed([rows.columns[name] for name in one.columns], one)

    def _lookup(self, rows: Rows, one: Constraint) -> tuple[pa.Array, Flags, Flags]:
        """Per row what the first column says of the second, as text; whether it does; whether the row has another."""
        expected = self._said(rows.columns[one.columns[0]], one)
        cells = rows.columns[one.columns[1]]
        found = presence(cells) if one.rule == NULL_BY else texts(cells)
        known_B = expected.is_valid().to_numpy(zero_copy_only=False) & valid(found)
        differs = pc.fill_null(pc.not_equal(expected, found), False).to_numpy(zero_copy_only=False)
        return expected, known_B, differs

    def _said(self, cells: pa.ChunkedArray, one: Constraint) -> pa.Array:
        """What the values of its first column say of the second, as text; null where they say nothing."""
        source, target = self._looked_up[one]
        return target.take(pc.index_in(texts(cells), value_set=source))

    def _determine(self, rows: Rows, one: Constraint) -> None:
        expected, known_B, differs_B = self._lookup(rows, one)
        wrong_B = known_B & differs_B & rows.free[one.columns[1]]
        if wrong_B.any():
            kind = plain(rows.columns[one.columns[1]]).type
            rows.put(one.columns[1], wrong_B, expected.filter(pa.array(wrong_B)).cast(kind))

    def _empty(self, rows: Rows, one: Constraint) -> None:
        first, *others = one.columns
        if one.rule == NULL_BY:
            empty_B = _equal(self._said(rows.columns[first], one), NULL)
        elif one.rule == NULL_TOGETHER:
            # The first column says; a cell that stands says more.
            empty_B = ~valid(rows.columns[first])
            for name in one.columns:
                empty_B = np.where(rows.free[name], empty_B, ~valid(rows.columns[name]))
        else:
            empty_B = ~valid(rows.columns[first])
        for name in one.columns if one.rule == NULL_TOGETHER else others:
            gone_B = empty_B & rows.free[name] & valid(rows.columns[name])
            rows.put(name, gone_B, pa.nulls(int(gone_B.sum()), plain(rows.columns[name]).type))

    def _add(self, rows: Rows, one: Constraint) -> None:
        total, *parts = one.columns
        cells = {name: measures(rows.columns[name]) for name in one.columns}
        slack = slack_of(rows.columns[name] for name in one.columns)
        left_B = ~adds_up(cells[total], [cells[name] for name in parts], slack)
        for name in [total, *reversed(parts)]:
            if not (left_B & rows.free[name]).any():
                continue
            others = [cells[part] for part in parts if part != name]
            value_B = np.sum([*others, 0.0 * cells[total]], axis=0)
            value_B = value_B if name == total else cells[total] - value_B
            whole = [decimals_of(values) for part, values in cells.items() if part != name]
            if None not in whole:
                value_B = np.round(value_B, max(0, *(decimals or 0 for decimals in whole)))
            # A part that would leave the range of what is drawn is no part: the row is drawn again.
            # So is a total that its type cannot hold.
            kind = plain(rows.columns[name]).type
            in_range_B = _holds(value_B, kind)
            if name != total:
                in_range_B &= (value_B >= np.nanmin(cells[name])) & (value_B <= np.nanmax(cells[name]))
            mended_B = left_B & rows.free[name] & in_range_B
            rows.put(name, mended_B, _amounts(value_B[mended_B], kind))
            cells[name] = measures(rows.columns[name])
            left_B = ~adds_up(cells[total], [cells[part] for part in parts], slack)

    def _multiply(self, rows: Rows, one: Constraint) -> None:
        total, *factors = one.columns
        cells = {name: measures(rows.columns[name]) for name in one.columns}
        slack = slack_of(rows.columns[name] for name in one.columns)
        left_B = ~multiplies(cells[total], [cells[name] for name in factors], one.decimals, slack)
        for name in [total, *reversed(factors)]:
            if not (left_B & rows.free[name]).any():
                continue
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                others_B = np.prod([cells[factor] for factor in factors if factor != name], axis=0)
                value_B = others_B if name == total else cells[total] / others_B
            decimals = one.decimals if name == total else decimals_of(cells[name])
            value_B = value_B if decimals is None else np.round(value_B, decimals)
            kind = plain(rows.columns[name]).type
            mended_B = left_B & rows.free[name] & _holds(value_B, kind)
            if name != total:
                # A factor that no row has, or of which the total is not the product, is none: the row is drawn again.
                known_B = np.isin(value_B, cells[name]) if self._kinds.get(name) == "category" else True
                mended_B &= known_B & (value_B >= np.nanmin(cells[name])) & (value_B <= np.nanmax(cells[name]))
                mended_B &= multiplies(cells[total], [others_B, value_B], one.decimals, slack)
            rows.put(name, mended_B, _amounts(value_B[mended_B], kind))
            cells[name] = measures(rows.columns[name])
            left_B = ~multiplies(cells[total], [cells[factor] for factor in factors], one.decimals, slack)

    @staticmethod
    def _exchange(rows: Rows, one: Constraint) -> None:
        low, high = one.columns
        wrong_B = _too_large(rows, one)
        both_B = wrong_B & rows.free[low] & rows.free[high]
        mask = pa.array(both_B)
        was_low, was_high = (plain(rows.columns[name]).filter(mask) for name in one.columns)
        if was_low.type == was_high.type:
            rows.put(low, both_B, was_high.combine_chunks())
            rows.put(high, both_B, was_low.combine_chunks())
            wrong_B &= ~both_B
        for name, other in ((high, low), (low, high)):
            still_B = wrong_B & rows.free[name] & _too_large(rows, one)
            value = plain(rows.columns[other]).filter(pa.array(still_B)).combine_chunks()
            rows.put(name, still_B, value.cast(plain(rows.columns[name]).type, safe=False))


def _equal(texts: pa.Array, text: str) -> Flags:
    return np.asarray(pc.fill_null(pc.equal(texts, text), False).to_numpy(zero_copy_only=False))


def _too_large(rows: Rows, one: Constraint) -> Flags:
    """Rows whose first cell is above the second [B]."""
    low_B, high_B = in_order(*(rows.columns[name] for name in one.columns))
    return np.asarray(low_B > high_B)


def _holds(value_B: npt.NDArray[np.float64], kind: pa.DataType) -> Flags:
    """Which numbers the type of a column can hold [B]."""
    if pa.types.is_decimal(kind):
        size_B = np.abs(np.round(value_B, kind.scale))
        return np.asarray(size_B < 10.0 ** (kind.precision - kind.scale))
    if pa.types.is_integer(kind):
        signed = pa.types.is_signed_integer(kind)
        low, high = (
            (-(2.0 ** (kind.bit_width - 1)), 2.0 ** (kind.bit_width - 1)) if signed else (0.0, 2.0**kind.bit_width)
        )
        return np.asarray((np.round(value_B) >= low) & (np.round(value_B) < high))
    return np.isfinite(value_B)


def _amounts(values_B: npt.NDArray[np.float64], kind: pa.DataType) -> pa.Array:
    """Numbers in the type of a column, which holds them."""
    if pa.types.is_integer(kind):
        return pa.array(np.round(values_B)).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        return pa.array([f"{value:.{kind.scale}f}" for value in values_B], pa.string()).cast(kind)
    return pa.array(values_B).cast(kind)


def _in_order(constraints: list[Constraint], kinds: dict[str, str]) -> list[Constraint]:
    """Dependencies such that a column is looked up before it is looked up by; of two that turn round one stays."""
    both = {one.columns for one in constraints}
    order = {name: place for place, name in enumerate(dict.fromkeys(n for one in constraints for n in one.columns))}

    def rank(name: str) -> tuple[int, int]:
        return _KIND_RANK.get(kinds.get(name, ""), 3), order[name]

    kept = [one for one in constraints if one.columns[::-1] not in both or rank(one.columns[0]) < rank(one.columns[1])]
    ordered: list[Constraint] = []
    while kept:
        targets = {one.columns[1] for one in kept}
        ready = [one for one in kept if one.columns[0] not in targets]
        # Three columns that turn round, which no two of them do: begin anywhere.
        ready = ready or kept[:1]
        ordered += ready
        kept = [one for one in kept if one not in ready]
    return ordered


def _parts_first(computed: list[Constraint]) -> list[Constraint]:
    """Sums and products such that a total is made before it is a part or a factor."""
    left, ordered = list(computed), []
    while left:
        totals = {one.columns[0] for one in left}
        ready = [one for one in left if not totals & set(one.columns[1:])] or left[:1]
        ordered += ready
        left = [one for one in left if one not in ready]
    return ordered

"""A table on its way into a fit, watched for dependencies, nulls and what was given: one pass, few rows in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tabad.tables.views import without_views

from . import DETERMINES, NULL_BY, OF_AMOUNTS, PRODUCT, Constraint, check_columns, check_types
from .columns import measures, slack_of
from .find import FIRST, pairs_of, search, unbroken, usual_decimals, with_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Watch"]

_MOST_KEPT = 65_536
"""Values of a determining column beyond which the dependency is not kept."""
_UNREAD = ("id", "ignored", "label")
_WITH_PAIRS = (DETERMINES, NULL_BY)
_LISTED = ("category", "boolean", "key", "number")


class Watch:
    """Finds constraints in the rows that pass, and counts the rows that break those that were given."""

    def __init__(self, given: Iterable[Constraint] = (), *, search: bool = True) -> None:
        self.given = list(given)
        self._search = search
        self._live: list[Constraint] = []
        self._pairs: dict[Constraint, pa.Table] = {}
        self._head: list[pa.RecordBatch] = []
        self._rows = 0
        self._searched = False
        self._read = 0
        self.broken: dict[Constraint, int] = {}

    def through(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The same stream, looked at as it goes by."""
        check_columns(self.given, reader.schema.names, "the table")
        check_types(self.given, reader.schema)
        reader = without_views(reader)
        self.broken = dict.fromkeys(self.given, 0)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                self._look(batch)
                yield batch
            self._begin()

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def found(self, columns: list[dict[str, Any]]) -> list[Constraint]:
        """The constraints among the model's `columns`, given ones first."""
        kinds = {column["name"]: column["kind"] for column in columns}
        result = []
        for one in dict.fromkeys([*self.given, *self._live]):
            if not all(self._speaks_of(one, kinds[name], place) for place, name in enumerate(one.columns)):
                continue
            broken = self.broken.get(one, 0)
            if one.rule in _WITH_PAIRS:
                one = with_pairs(one, self._pairs[one])
            result.append(replace(one, broken=broken, rows=self._read))
        return result

    @staticmethod
    def _speaks_of(one: Constraint, kind: str, place: int) -> bool:
        if one.rule in OF_AMOUNTS:
            # Whole numbers of few values are categories, and have their order all the same: `check_types`.
            return kind not in _UNREAD
        listed = one.rule == DETERMINES or (one.rule == NULL_BY and place == 0)
        return kind in _LISTED if listed else kind not in _UNREAD

    def _look(self, batch: pa.RecordBatch) -> None:
        if self._searched:
            self._check(batch)
            return
        self._head.append(batch)
        self._rows += batch.num_rows
        if self._rows >= FIRST:
            self._begin()

    def _begin(self) -> None:
        """Search the rows held so far, which then count like all others."""
        if self._searched:
            return
        self._searched = True
        if self._head:
            head = pa.Table.from_batches(self._head).unify_dictionaries()
            self._round(head)
            if self._search:
                self._live = [one for one in search(head.slice(0, FIRST)) if one not in self.given]
            self._check(head)
        self._head = []

    def _round(self, head: pa.Table) -> None:
        """Say of products that were given to how many decimals their total is rounded, by the rows held so far."""
        told = {
            one: replace(one, decimals=_decimals(head.column(one.columns[0])))
            for one in self.given
            if one.rule == PRODUCT
        }
        self.given = [told.get(one, one) for one in self.given]
        self.broken = dict.fromkeys(self.given, 0)

    def _check(self, rows: Any) -> None:
        self._read += rows.num_rows
        for one in self.given:
            self.broken[one] += int(np.count_nonzero(~unbroken(rows, one)))
        self._live = [one for one in self._live if unbroken(rows, one).all()]
        for one in [*self.given, *self._live]:
            if one.rule in _WITH_PAIRS:
                self._pairs[one] = _together(self._pairs.get(one), pairs_of(rows, one))
        for one in [one for one in self._live if one.rule in _WITH_PAIRS]:
            pairs = self._pairs[one]
            if len(pairs["from"].unique()) < pairs.num_rows or pairs.num_rows > _MOST_KEPT:
                self._live.remove(one)

    def notes(self) -> list[str]:
        """What the caller should hear of the given ones."""
        broken = {
            one: "1 row of the table breaks" if count == 1 else f"{count:,} rows of the table break"
            for one, count in self.broken.items()
            if count
        }
        said = [f"`{one}` was given, and {count} it" for one, count in broken.items()]
        for one in self.given:
            if one.rule == DETERMINES and one in self._pairs:
                pairs = self._pairs[one]
                twice = pairs.num_rows - len(pairs["from"].unique())
                if twice:
                    said.append(f"`{one}` was given, and {twice:,} pairs of the table contradict a commoner one")
        return said


def _decimals(column: Any) -> int | None:
    return usual_decimals(measures(column), slack_of([column]))


def _together(before: pa.Table | None, now: pa.Table) -> pa.Table:
    if before is None:
        return now
    counted = pa.concat_tables([before, now]).group_by(["from", "to"]).aggregate([("count", "sum")])
    return counted.rename_columns(["from", "to", "count"])

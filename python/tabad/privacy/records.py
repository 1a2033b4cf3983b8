"""Three tables as the attacks see them: encoded rows for distances, codes of values for equality, numbers to compare.

The encoder is fitted on training and held-out rows together, in random order: fitted on the training rows alone it
would know their keys and bounds, and tell the ones from the others before any attack does. Values are equal when they
are equal in the table, not when they are encoded alike (texts are not, see the codec of text).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabad import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabad.config import AuditOptions

__all__ = ["Column", "Records", "Space", "encode", "encoder", "row_codes", "value_codes"]

_KEPT = 32
"""Rows in the memory of the model whose encoder is used: as few as a fit takes, for nothing is scored."""


@dataclass(frozen=True)
class Column:
    """A modelled column: a `number` or `datetime` has an order, the others have equal and different only."""

    name: str
    kind: str

    @property
    def ordered(self) -> bool:
        """Values can be compared by size."""
        return self.kind in ("number", "datetime")


@dataclass(frozen=True)
class Records:
    """Rows of one table. Axes: B rows, P columns, N encoded numbers, C encoded categories."""

    x_BN: Any  # noqa: N815
    c_BC: Any  # noqa: N815
    codes_BP: Any  # noqa: N815
    """int64: equal where the values are equal, over all three tables."""
    values_BP: Any  # noqa: N815
    """float64 for ordered columns, NaN for null; 0 for the others."""

    def __len__(self) -> int:
        return len(self.codes_BP)

    def take(self, rows: Any) -> Records:
        """Some of the rows."""
        return Records(self.x_BN[rows], self.c_BC[rows], self.codes_BP[rows], self.values_BP[rows])

    @staticmethod
    def together(first: Records, second: Records) -> Records:
        """The rows of both, one after the other."""
        pairs = zip(first._parts(), second._parts(), strict=True)
        return Records(*(np.concatenate(pair) for pair in pairs))

    def _parts(self) -> tuple[Any, ...]:
        return (self.x_BN, self.c_BC, self.codes_BP, self.values_BP)


@dataclass(frozen=True)
class Space:
    """Where the records lie: their columns, and the search for the nearest ones."""

    model: _core.Model
    columns: tuple[Column, ...]
    threads: int = 0

    def nearest(
        self, rows: Records, reference: Records, k: int = 1, *, columns: Sequence[int] | None = None, own: bool = False
    ) -> tuple[Any, Any]:
        """Distances (not squared) and places [B, k] of the nearest reference rows. `own`: the tables are one."""
        names = None if columns is None else [self.columns[column].name for column in columns]
        answer: Any = self.model.nearest(
            _block(rows), _block(reference), k=k, columns=names, exclude_self=own, threads=self.threads
        )
        squared, found = answer
        distances = np.sqrt(np.frombuffer(squared, np.float32).astype(np.float64)).reshape(len(rows), k)
        return distances, np.frombuffer(found, np.uint32).astype(np.int64).reshape(len(rows), k)


def _block(records: Records) -> tuple[int, Any, Any]:
    return len(records), np.ascontiguousarray(records.x_BN).tobytes(), np.ascontiguousarray(records.c_BC).tobytes()


def encode(
    tables: dict[str, pa.Table], fitted: dict[str, Any], used: dict[str, Any], options: AuditOptions
) -> tuple[Space, dict[str, Records]]:
    """The space of three tables of one schema, fitted on the rows `fitted`, and the rows `used` of each in it."""
    draw = np.random.default_rng([options.seed, 1])
    train, holdout = (tables[name].take(pa.array(fitted[name])) for name in ("train", "holdout"))
    pool = pa.concat_tables([train, holdout])
    pool = pool.take(pa.array(draw.permutation(pool.num_rows)))
    # Row numbers that start again in each table would repeat in the pool, and be no ids there.
    alone = json.loads(_fit(train, dict(options.kinds), options).prepare())["columns"]
    kinds = dict(options.kinds) | {column["name"]: "id" for column in alone if column["kind"] == "id"}
    model = encoder(pool, kinds, options)
    facts = json.loads(model.manifest())["columns"]
    columns = tuple(Column(c["name"], c["kind"]) for c in facts if c["kind"] not in ("id", "ignored", "label"))
    space = Space(model, columns, options.threads)
    taken = {name: tables[name].take(pa.array(used[name])) for name in tables}
    codes = value_codes(taken, [column.name for column in columns])
    positions = {c["name"]: _position(c) for c in facts}
    return space, {name: _records(space, table, codes[name], positions) for name, table in taken.items()}


def encoder(table: pa.Table, kinds: dict[str, str], options: AuditOptions) -> _core.Model:
    """A model of which nothing but the encoder is used."""
    fit = _fit(table, kinds, options)
    fit.prepare()
    return fit.finish()


def _fit(table: pa.Table, kinds: dict[str, str], options: AuditOptions) -> _core.Fit:
    """The fit of an encoder, observed."""
    fit = _core.Fit(kinds=kinds, memory=_KEPT, seed=options.seed, screen=True, threads=options.threads)
    fit.observe(table)
    return fit


def _position(column: dict[str, Any]) -> tuple[int, int] | None:
    """Number and status of a column's first number in the block."""
    for feature in column["features"]:
        if "number" in feature:
            return feature["number"], feature["status"]
    return None


def _records(space: Space, table: pa.Table, codes_BP: Any, positions: dict[str, tuple[int, int] | None]) -> Records:
    block: Any = space.model.encode(table, threads=space.threads)
    rows, x, c = block
    x_BN = np.frombuffer(x, np.float32).reshape(rows, -1) if rows else np.zeros((0, 0), np.float32)
    c_BC = np.frombuffer(c, np.uint16).reshape(rows, -1) if rows else np.zeros((0, 0), np.uint16)
    values = np.zeros((rows, len(space.columns)))
    for place, column in enumerate(space.columns):
        if column.ordered:
            values[:, place] = _values(table[column.name], column, x_BN, c_BC, positions[column.name])
    return Records(x_BN, c_BC, codes_BP, values)


def _values(column: pa.ChunkedArray, about: Column, x_BN: Any, c_BC: Any, position: tuple[int, int] | None) -> Any:
    """Numbers as they are; times at their place on the encoder's axis, which keeps their order."""
    if about.kind == "number":
        kind = column.type
        if pa.types.is_duration(kind):
            column = column.cast(pa.int64())
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            column = column.cast(pa.float64(), safe=False)
            return column.to_numpy()
    if position is None:
        return np.full(len(column), np.nan)
    number, status = position
    return np.where(c_BC[:, status] == 0, x_BN[:, number].astype(np.float64), np.nan)


def value_codes(tables: dict[str, pa.Table], names: Sequence[str]) -> dict[str, Any]:
    """Per table int64 [B, P]: the same code where the same value stands; null and NaN are values of their own."""
    out = {name: np.empty((table.num_rows, len(names)), np.int64) for name, table in tables.items()}
    for place, column in enumerate(names):
        whole = pa.concat_tables([table.select([column]) for table in tables.values()])[column].combine_chunks()
        codes = pc.dictionary_encode(whole, null_encoding="encode").indices.to_numpy(zero_copy_only=False)
        start = 0
        for name, table in tables.items():
            out[name][:, place] = codes[start : start + table.num_rows]
            start += table.num_rows
    return out


def row_codes(codes: dict[str, Any]) -> dict[str, Any]:
    """Per table int64 [B]: the same code for rows that are the same in every column."""
    together = np.concatenate(list(codes.values()))
    rows = np.zeros(len(together), np.int64)
    for place in range(together.shape[1]):
        pair = rows * (int(together[:, place].max(initial=0)) + 1) + together[:, place]
        rows = np.unique(pair, return_inverse=True)[1].ravel()
    ends = np.cumsum([len(part) for part in codes.values()])[:-1]
    return dict(zip(codes, np.split(rows, ends), strict=True))

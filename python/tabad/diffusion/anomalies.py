"""Rows of a table, some cells of each moved, with the truth beside them: the Arrow side of `counterfactual`.

Which rows: those of the normal class where the model knows one and the table has the label; of these a sample, less the
oddest twentieth by the model's own p-value. What was moved stands in two added columns.
"""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tabad import _core, tables
from tabad.errors import InputError, TabadWarning
from tabad.tables.cells import replaced
from tabad.tables.views import without_views

from .counterfactual import moved
from .rows import Sampler
from .seeding import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabad.tables import Table

__all__ = ["anomalies"]

DONORS = 8_192
"""Rows whose values are candidates."""
PART = 4_096
_LOOKED_AT = 256
"""Rows that usual ones are looked for in, where few are asked for."""
_USUAL = 0.05
"""Rows with a p-value up to this are not taken as normal."""


def anomalies(
    core: _core.Model,
    network: tuple[str, bytes],
    table: Table,
    n: int,
    *,
    columns: Sequence[str] | int,
    prefix: str,
    seed: int,
    device: str,
) -> pa.Table:
    """`n` rows of the table with moved cells, and the columns `{prefix}changed` and `{prefix}original`.

    Fewer usual rows than `n` are used several times, moved differently. Raises `InputError` for a table with no usual
    row or with those columns already, and `UsageError` for columns that cannot be moved.
    """
    sampler = Sampler(core, network, device)
    names, count = ([], columns) if isinstance(columns, int) else (list(columns), len(columns))
    rows = table.reread(lambda: _sample(without_views(table.open(types=core.schema())), sampler, 2 * n + DONORS, seed))
    tables.check_taken(rows.schema, [f"{prefix}changed", f"{prefix}original"])
    donors = rows.slice(0, DONORS)
    usual = _usual(core, rows, n)
    if not usual.num_rows and n:
        raise InputError(
            f"{table.name} has no usual row to start from",
            name="anomalies-without-rows",
            hint="give rows of the normal class, or a table like the one that the model was fitted on",
        )
    parts, fewer = [], 0
    for part, first in enumerate(range(0, n, PART)):
        at = np.arange(first, min(first + PART, n)) % usual.num_rows
        chunk = usual.take(pa.array(at))
        moves = moved(
            sampler, chunk, donors, columns=names, count=count, generator=seeded(sampler.index.device, seed, part)
        )
        donor_BP = moves.donor_BP.cpu().numpy()
        fewer += int(((donor_BP >= 0).sum(axis=1) < count).sum())
        parts.append(_with_moves(chunk, donors, moves.columns, donor_BP, prefix))
    if fewer:
        warnings.warn(
            f"{fewer:,} of {n:,} rows have fewer than {count} moved cells: no other legal value came up for the rest",
            TabadWarning,
            stacklevel=4,
        )
    return pa.concat_tables(parts or [_with_moves(rows.slice(0, 0), donors, [], np.zeros((0, 0), np.int64), prefix)])


def _written(value: Any) -> Any:
    """A cell in JSON, which has no NaN, no infinity, no decimals and no dates: those as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def _sample(reader: pa.RecordBatchReader, sampler: Sampler, most: int, seed: int) -> pa.Table:
    """At most so many rows of the normal class, drawn evenly in one pass, in an order drawn at random."""
    # Not the seed alone: tables that numpy drew by it would come in the order of a column.
    draw = np.random.default_rng((seed, 1))
    known = sampler.manifest.get("label") or {"column": None, "normal": None}
    kept, keys = pa.Table.from_batches([], reader.schema), np.zeros(0)
    for batch in reader:
        key = draw.random(batch.num_rows)
        if known["normal"] is not None and known["column"] in batch.schema.names:
            label = _core.label_texts(batch.select([known["column"]]))
            normal = pc.fill_null(pc.equal(label, known["normal"]), False)
            batch, key = batch.filter(normal), key[normal.to_numpy(zero_copy_only=False)]
        kept = pa.concat_tables([kept, pa.Table.from_batches([batch])])
        keys = np.concatenate([keys, key])
        if len(keys) > 2 * most:
            kept, keys = _least(kept, keys, most)
    return _least(kept, keys, most)[0]


def _least(rows: pa.Table, keys: npt.NDArray[np.float64], most: int) -> tuple[pa.Table, npt.NDArray[np.float64]]:
    order = np.argsort(keys, kind="stable")[:most]
    return rows.take(pa.array(order)).unify_dictionaries().combine_chunks(), keys[order]


def _usual(core: _core.Model, rows: pa.Table, n: int) -> pa.Table:
    """The first `n` rows that the model does not find odd."""
    some = rows.slice(0, max(2 * n, _LOOKED_AT))
    scored = pa.table(core.score(some, append=False, explain="none", prefix="", oddest=0))
    return some.filter(pc.greater(scored["p_value"], _USUAL)).slice(0, n)


def _with_moves(
    rows: pa.Table, donors: pa.Table, columns: list[str], donor_BP: npt.NDArray[np.int64], prefix: str
) -> pa.Table:
    was: list[dict[str, Any]] = [{} for _ in range(rows.num_rows)]
    changed: list[list[str]] = [[] for _ in range(rows.num_rows)]
    for place, name in enumerate(columns):
        mask = donor_BP[:, place] >= 0
        if not mask.any():
            continue
        column, picked = rows.column(name), pa.chunked_array([pa.array(mask)])
        for row, value in zip(np.flatnonzero(mask).tolist(), column.filter(picked).to_pylist(), strict=True):
            was[row][name] = value
            changed[row].append(name)
        taken = donors.column(name).take(pa.array(donor_BP[mask, place]))
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), replaced(column, picked, taken))
    texts = [json.dumps({name: _written(value) for name, value in cells.items()}, ensure_ascii=False) for cells in was]
    rows = rows.append_column(f"{prefix}changed", pa.array(changed, pa.list_(pa.string())))
    return rows.append_column(f"{prefix}original", pa.array(texts, pa.string()))

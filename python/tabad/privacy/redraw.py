"""Generated rows that are exact copies of training rows, or nearer to them than asked for, drawn again.

On request only, and with the training table in hand: it makes a table without copies, not a private one (a copy that
is missing, or a hole around a row, tells that the row was there; arXiv 2312.05114), so an audit still has to pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tabad.config import AuditOptions
from tabad.errors import InputError, UsageError
from tabad.privacy import checks
from tabad.privacy.records import encoder, row_codes, value_codes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["without_copies"]

_ROUNDS = 20


def without_copies(
    rows: pa.Table,
    train: pa.Table,
    columns: list[str],
    again: Callable[[int, int], pa.Table],
    name: str,
    near: float = 0.0,
) -> tuple[pa.Table, int]:
    """The rows with every copy replaced, and how many were.

    A copy equals, in all `columns`, a row that stands once in `train`, or is nearer to a training row than this share
    `near` of the training rows are to the nearest other one. `again(n, turn)` draws n more rows; in other columns, ids
    among them, rows stay as they are. Raises `InputError` where copies keep coming: what then stands in the table is
    the training table; `UsageError` where `train` lacks a column.
    """
    absent = [column for column in columns if column not in train.column_names]
    if absent:
        raise UsageError(
            f"{name} has no column {', '.join(f'`{column}`' for column in absent[:10])}, which the model generates",
            name="column-absent",
            hint="give the table that the model was fitted on",
        )
    is_near = _near(train.select(columns), near) if near else None

    def copies(made: pa.Table) -> Any:
        found = _copies(made, train, columns, name)
        return found if is_near is None else found | is_near(made.select(columns))

    replaced = 0
    first = rows
    # Those that are not known to be none.
    places = np.arange(rows.num_rows)
    for turn in range(_ROUNDS):
        places = places[copies(rows.take(pa.array(places)))]
        if not len(places):
            for place, column in enumerate(rows.column_names):
                if column not in columns:
                    rows = rows.set_column(place, rows.schema.field(place), first.column(column))
            return rows, replaced
        replaced += len(places)
        fresh = again(len(places), turn + 1).select(rows.column_names).cast(rows.schema)
        order = np.arange(rows.num_rows)
        order[places] = rows.num_rows + np.arange(len(places))
        both = pa.concat_tables([rows, fresh]).unify_dictionaries()
        rows = both.take(pa.array(order)).combine_chunks()
    left = int(copies(rows.take(pa.array(places))).sum())
    raise InputError(
        f"after {_ROUNDS} turns of drawing again {left:,} rows are still copies{' or near ones' if near else ''}",
        name="copies-remain",
        hint="the generator has learned its training rows by heart: train on more rows or for fewer steps"
        + (", or ask for a smaller share" if near else ""),
    )


def _copies(rows: pa.Table, train: pa.Table, columns: list[str], name: str) -> Any:
    """Bool [B]."""
    names = {"train": name, "synthetic": "the generated table"}
    both = checks.alike({"train": train.select(columns), "synthetic": rows.select(columns)}, names, ())
    codes = row_codes(value_codes(both, columns))
    values, counts = np.unique(codes["train"], return_counts=True)
    return np.isin(codes["synthetic"], values[counts == 1])


def _near(train: pa.Table, share: float) -> Callable[[pa.Table], Any]:
    """Of rows: bool [B], nearer to a training row than that share of them are to each other."""
    model = encoder(train, {}, AuditOptions())
    block: Any = model.encode(train)

    def distances(rows: Any, *, own: bool = False) -> Any:
        squared: Any = model.nearest(rows, block, k=1, exclude_self=own)[0]
        return np.sqrt(np.frombuffer(squared, np.float32).astype(np.float64))

    edge = np.quantile(distances(block, own=True), share)
    return lambda rows: distances(model.encode(rows)) < edge

"""Generated rows that are exact copies of training rows, or nearer to them than asked for, drawn again.

On request only, and with the training table in hand: it makes a table without copies, not a private one (a copy that
is missing, or a hole around a row, tells that the row was there; arXiv 2312.05114), so an audit still has to pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tabad.config import AuditOptions
from tabad.errors import InputError
from tabad.privacy import checks
from tabad.privacy.records import encode, row_codes, value_codes

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
    `near` of the training rows are to the nearest other one. `again(n, turn)` draws n more rows. Raises `InputError`
    where copies keep coming: what then stands in the table is the training table.
    """
    replaced = 0
    for turn in range(_ROUNDS):
        copy = _copies(rows, train, columns, name, near)
        if not copy.any():
            return rows, replaced
        replaced += int(copy.sum())
        fresh = again(int(copy.sum()), turn + 1).select(rows.column_names).cast(rows.schema)
        place = np.arange(rows.num_rows)
        place[copy] = rows.num_rows + np.arange(int(copy.sum()))
        both = pa.concat_tables([rows, fresh]).unify_dictionaries()
        rows = both.take(pa.array(place)).combine_chunks()
    left = int(_copies(rows, train, columns, name, near).sum())
    raise InputError(
        f"after {_ROUNDS} turns of drawing again {left:,} rows are still copies{' or near ones' if near else ''}",
        name="copies-remain",
        hint="the generator has learned its training rows by heart: train on more rows or for fewer steps"
        + (", or ask for a smaller share" if near else ""),
    )


def _copies(rows: pa.Table, train: pa.Table, columns: list[str], name: str, near: float) -> Any:
    """Bool [B]."""
    names = {"train": name, "synthetic": "the generated table"}
    both = checks.alike({"train": train.select(columns), "synthetic": rows.select(columns)}, names, ())
    codes = row_codes(value_codes(both, columns))
    values, counts = np.unique(codes["train"], return_counts=True)
    copy: Any = np.isin(codes["synthetic"], values[counts == 1])
    return copy | _near(both, near) if near else copy


def _near(tables: dict[str, pa.Table], share: float) -> Any:
    """Bool [B]: nearer to a training row than that share of them are to each other."""
    every = {**tables, "holdout": tables["train"].slice(0, 0)}
    places = {what: np.arange(table.num_rows) for what, table in every.items()}
    space, records = encode(every, places, places, AuditOptions())
    apart, _ = space.nearest(records["train"], records["train"], own=True)
    found, _ = space.nearest(records["synthetic"], records["train"])
    return found[:, 0] < np.quantile(apart[:, 0], share)

"""What an audit refuses: tables that cannot be compared, too few rows, a holdout that was trained on, no such class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabad.arrow_types import is_text, without_dictionary
from tabad.errors import InputError, UsageError
from tabad.privacy.statistics import hypergeometric_tail

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LEAST_ROWS", "alike", "class_rows", "enough_rows", "no_overlap"]

LEAST_ROWS = 20
_SURE = 1e-6
"""P-value below which held-out rows that stand in the training table are no coincidence."""
_MORE = 0.01
"""And by how much their share must exceed that of training rows which repeat each other."""
_SHOWN = 10

Named = dict[str, pa.Table]
"""By what they are: train, holdout, synthetic."""


def alike(tables: Named, names: dict[str, str], ignore: Iterable[str]) -> Named:
    """The tables with the same columns, in the same order and types, without those to ignore.

    Raises `InputError` where a column is missing in one of them or has types that cannot be brought together, and
    `UsageError` for an unknown name to ignore.
    """
    known = {column for table in tables.values() for column in table.column_names}
    unknown = [name for name in ignore if name not in known]
    if unknown:
        raise UsageError(
            f"no table has a column {_listed(unknown)}",
            name="column-unknown",
            hint=f"the columns of {names['train']} are {_listed(tables['train'].column_names)}",
        )
    every = [c for c in tables["train"].column_names if c not in set(ignore)]
    every += sorted(known - set(every) - set(ignore))
    lacking = {
        name: missing
        for name, table in tables.items()
        if (missing := [c for c in every if c not in table.column_names])
    }
    if lacking:
        told = "; ".join(
            f"{names[name]} has no column{'s' if len(missing) > 1 else ''} {_listed(missing)}"
            for name, missing in lacking.items()
        )
        raise InputError(
            told,
            name="columns-differ",
            hint="an audit compares whole rows: give the three tables the same columns, or leave columns out with "
            "--ignore COL (ignore=...)",
        )
    fields, misfits = [], []
    for column in every:
        kinds = [table.schema.field(column).type for table in tables.values()]
        common = _common([_plain(kind) for kind in kinds])
        fields.append(pa.field(column, common or kinds[0]))
        if common is None:
            told = ", ".join(f"{kind} in {names[name]}" for name, kind in zip(tables, kinds, strict=True))
            misfits.append(f"column `{column}` is {told}")
    if misfits:
        more = f"; and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
        raise InputError(
            "; ".join(misfits[:_SHOWN]) + more,
            name="column-types-differ",
            hint="cast the columns to the types of the training table",
        )
    schema = pa.schema(fields)
    return {name: _cast(table.select(every), schema) for name, table in tables.items()}


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type in which values are compared: dictionaries decoded, strings of one width."""
    return pa.large_string() if is_text(kind) else without_dictionary(kind)


def _common(kinds: list[pa.DataType]) -> pa.DataType | None:
    given = [kind for kind in kinds if not pa.types.is_null(kind)] or kinds
    if all(kind == given[0] for kind in given):
        return given[0]
    if all(pa.types.is_integer(kind) for kind in given):
        return pa.int64()
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) for kind in given):
        return pa.float64()
    if all(pa.types.is_timestamp(kind) or pa.types.is_date(kind) for kind in given):
        zones = [getattr(kind, "tz", None) for kind in given]
        # Zoned times are instants, whatever the zone; a time without one is not.
        return pa.timestamp("us", zones[0]) if all(zones) or not any(zones) else None
    return None


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table if table.schema == schema else table.cast(schema, safe=False)


def enough_rows(tables: Named, names: dict[str, str]) -> None:
    """Raise `InputError` where a table has fewer than 20 rows."""
    few = [f"{names[name]} has {table.num_rows:,}" for name, table in tables.items() if table.num_rows < LEAST_ROWS]
    if few:
        raise InputError(
            f"an audit needs at least {LEAST_ROWS} rows of each table: {', '.join(few)}",
            name="too-few-rows",
            hint="generate more rows, or hold out more; verdicts need a few hundred",
        )


def no_overlap(train: Any, holdout: Any, names: dict[str, str]) -> None:
    """Raise `InputError` where held-out rows stand in the training table more often than its rows repeat each other.

    Arguments: row codes. A held-out row that was trained on is no control.
    """
    values, counts = np.unique(train, return_counts=True)
    repeated = int(counts[counts > 1].sum())
    hits = int(np.isin(holdout, values).sum())
    chance = hypergeometric_tail(hits, len(holdout), len(train), hits + repeated)
    if chance < _SURE and hits / len(holdout) > repeated / len(train) + _MORE:
        raise InputError(
            f"{hits:,} of {len(holdout):,} rows of {names['holdout']} ({hits / len(holdout):.1%}) stand in "
            f"{names['train']} too, where {repeated / len(train):.1%} of the rows repeat each other",
            name="holdout-overlap",
            hint="hold out rows that the generator was not trained on, drawn at random from the same source",
        )


def class_rows(tables: Named, names: dict[str, str], label: str, value: str) -> dict[str, Any]:
    """Bool per row of each table: the label column reads `value`. Raises `UsageError`."""
    if label not in tables["train"].column_names:
        raise UsageError(
            f"{names['train']} has no column `{label}` to read the class from",
            name="column-unknown",
            hint=f"its columns are {_listed(tables['train'].column_names)}",
        )
    found, absent = {}, []
    for name, table in tables.items():
        values = pc.unique(table[label]).to_pylist()
        wanted = [v for v in values if v is not None and value in _readings(v)]
        found[name] = np.isin(np.array([str(v) for v in table[label].to_pylist()]), [str(v) for v in wanted])
        if not wanted:
            absent.append((names[name], values))
    if absent:
        there = sorted({str(v) for _, values in absent for v in values if v is not None})
        raise UsageError(
            f"no row of {' or '.join(name for name, _ in absent)} has class `{value}` in column `{label}`",
            name="class-absent",
            hint=f"there are {_listed(there)}",
        )
    return found


def _readings(value: Any) -> set[str]:
    """How a value may be written on a command line."""
    if isinstance(value, bool):
        return {str(value), str(value).lower()}
    return {str(value), f"{value:g}"} if isinstance(value, float) else {str(value)}


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")

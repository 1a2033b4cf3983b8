"""Rows straight from a private release, batch by batch; conditions and classes are met by drawing again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tabad.conditions import Condition
from tabad.errors import InputError, UsageError
from tabad.private.codes import to_codes
from tabad.private.release import Release

__all__ = ["generated"]

BATCH = 65_536
LEAST_SHARE = 0.002
"""Below this share of rows that obey, conditions are given up."""
_FEW = 0.1
"""Where fewer of the rows drawn obey, cells in the wrong order are exchanged."""


class Rules(Protocol):
    """What rows obey: `tabad.diffusion.obey`."""

    @property
    def said(self) -> list[str]:
        """The rules that rows break."""

    def mended(self, made: pa.RecordBatch, *, last: bool) -> tuple[pa.RecordBatch, npt.NDArray[np.bool_]]:
        """Rows with what could be changed changed, and which obey [B]."""


def generated(
    release: Release, rows: int, *, seed: int, where: Sequence[Condition], rules: Rules | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of `rows` rows, all of which obey. The same seed gives the same rows.

    Raises `UsageError` for a column or value that the release does not know, and `InputError` from the stream where
    fewer than one row in 500 obeys.
    """
    tests = [(one, _value(release, one)) for one in where]

    def batches() -> Iterator[pa.RecordBatch]:
        draw = np.random.default_rng(seed)
        done = drawn = obeying = 0
        while done < rows:
            count = BATCH if tests or rules else min(BATCH, rows - done)
            made = release.rows(count, draw)
            if rules is not None:
                made, obeys = rules.mended(made, last=obeying < _FEW * drawn)
                made = made.filter(pa.array(obeys))
            drawn += count
            for one, value in tests:
                made = made.filter(one.test(made.column(one.column), value))
            obeying += made.num_rows
            if obeying < LEAST_SHARE * drawn:
                said = [*(f"`{one}`" for one, _ in tests), *(rules.said if rules is not None else ())]
                raise InputError(
                    f"{obeying:,} of {drawn:,} rows drawn obey {' and '.join(said[:10])}: too few",
                    name="where-rare",
                    hint="widen the condition",
                )
            made = made.slice(0, rows - done)
            done += made.num_rows
            if made.num_rows:
                yield made

    return release.schema, batches()


def _value(release: Release, one: Condition) -> pa.Array:
    """The value of a condition as an array of one, in the column's type."""
    kinds = {column.name: column for column in release.columns}
    if one.column not in kinds:
        raise UsageError(
            f"`{one.column}` cannot be held at a value: it is no column of the model",
            name="where-column",
            hint=f"modelled columns are {', '.join(f'`{name}`' for name in list(kinds)[:10])}",
        )
    column = kinds[one.column]
    if one.ordered and column.kind in ("category", "boolean"):
        raise UsageError(
            f"`{one}`: the values of column `{one.column}` have no order ({column.kind})",
            name="where-order",
            hint="compare it with = or !=",
        )
    value = one.read(pa.field(column.name, column.type))
    known = one.operator != "=" or column.kind != "category" or to_codes(replace(column, nullable=True), value)[0] >= 0
    if not known:
        shown = ", ".join(f"`{text}`" for text in (column.values or ())[:10])
        raise UsageError(
            f"no row of the model has `{one.value}` in `{one.column}`",
            name="where-value",
            hint=f"its values are {shown or 'all missing'}",
        )
    return value

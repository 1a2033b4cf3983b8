"""A guarantee per unit (customer, patient): so many rows of each, whatever they say."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabad.tables.cells import plain

__all__ = ["bounded"]


def bounded(table: pa.Table, unit: str, rows: int) -> pa.Table:
    """The table without the column `unit`, the first `rows` rows of each unit.

    Which rows of a unit stay depends on their order alone, and on no other unit. A row without a unit is one by itself.
    """
    if table.num_rows == 0:
        return table.drop_columns([unit])
    codes = pc.dictionary_encode(plain(table[unit]).combine_chunks(), null_encoding="mask").indices
    names: Any = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(names, kind="stable")
    ranked = names[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names)) - np.repeat(starts, np.diff(np.append(starts, len(names))))
    return table.drop_columns([unit]).filter(pa.array((rank < rows) | (names < 0)))

"""Tables in which a customer or a plane has many rows, parted so that no unit is in two parts.

Rows of a unit are no independent witnesses: where nobody told the audit of units, chance looks like a leak.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import data

UNITS, MOST_ROWS = 300, 6_000
"""Of a part."""
TABLES = {
    "fraud_handbook_raw/dev_first49days": ("CUSTOMER_ID", ("TRANSACTION_ID", "TX_FRAUD_SCENARIO")),
    "nycflights13/data": ("tailnum", ("year",)),
}
"""Their unit, and columns that tell rows apart or nothing."""


def tables() -> dict[str, tuple[pa.Table, str]]:
    """The tables that are at hand, rows without a unit left out, and the column of their unit."""
    found = {}
    for name, (unit, dropped) in TABLES.items():
        path = data.folder() / f"{name}.parquet"
        if path.exists():
            table = pq.read_table(path).replace_schema_metadata(None).drop_columns(list(dropped))
            found[name] = table.filter(table[unit].is_valid()), unit
    return found


def parts(table: pa.Table, unit: str, seed: int) -> list[pa.Table]:
    """Synthetic, training and held-out rows: of 300 units each, at most 6,000 rows of them at random."""
    code = table[unit].combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.random.default_rng([seed, 9]).permutation(int(code.max()) + 1)
    found: list[Any] = []
    for part in range(3):
        own = np.flatnonzero(np.isin(code, order[part * UNITS : (part + 1) * UNITS]))
        own = np.random.default_rng([seed, part]).permutation(own)[:MOST_ROWS]
        found.append(table.take(pa.array(own)))
    return found

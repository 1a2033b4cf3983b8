"""Generated tables: the one that speed is measured on, and small labelled ones for where no data sets are at hand.

The speed table has 20 columns: 12 numbers, 6 categories (3 to 200 values, skewed), a boolean and a timestamp; some
columns hang together; no value is missing, so that no peer needs an imputer. Made in chunks of 100,000 rows, each
from its own seed: the first rows are the same whatever the size, and 50 M rows need no memory.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import DataSet

CHUNK = 100_000
LEVELS = {"channel": 3, "currency": 5, "device": 12, "country": 25, "product": 60, "branch": 200}
NUMBERS = (
    "amount", "price", "items", "balance", "age", "tenure_days", "distance_km", "latitude", "longitude", "discount",
    "weight_kg", "sessions",
)  # fmt: skip
START = np.datetime64("2024-01-01T00:00:00", "us").astype(np.int64)


def chunk(number: int, rows: int = CHUNK, seed: int = 0) -> pa.Table:
    """Rows `number * CHUNK` and on of the speed table."""
    rng = np.random.default_rng([seed, number])
    codes = {name: np.searchsorted(_cumulated(size), rng.random(rows)) for name, size in LEVELS.items()}
    codes["currency"] = codes["country"] % LEVELS["currency"]
    price = np.round(np.exp(rng.normal(2 + 0.05 * codes["product"], 0.3)), 2)
    items = 1 + rng.poisson(1.5, rows)
    discount = np.round(rng.beta(1, 8, rows), 3)
    columns: dict[str, Any] = {
        "amount": np.round(price * items * (1 - discount), 2),
        "price": price,
        "items": items.astype(np.int32),
        "balance": np.round(rng.standard_t(4, rows) * 900 + 2500, 2),
        "age": rng.integers(18, 91, rows).astype(np.int32),
        "tenure_days": rng.exponential(900, rows).astype(np.int32),
        "distance_km": rng.gamma(1.5, 12, rows),
        "latitude": 40 + codes["country"] * 0.6 + rng.normal(0, 0.8, rows),
        "longitude": 5 + codes["country"] * 1.1 + rng.normal(0, 1.5, rows),
        "discount": discount,
        "weight_kg": (rng.gamma(2, 0.7, rows) * items).astype(np.float32),
        "sessions": rng.negative_binomial(2, 0.2, rows).astype(np.int32),
    }
    for name, size in LEVELS.items():
        names = pa.array([f"{name}_{code:03d}" for code in range(size)])
        columns[name] = names.take(pa.array(codes[name]))
    columns["repeat_buyer"] = rng.random(rows) < 1 - np.exp(-columns["tenure_days"] / 700)
    second = rng.integers(0, 365 * 86_400, rows)
    columns["at"] = pa.array(START + second * 1_000_000, pa.timestamp("us"))
    return pa.table(columns)


def _cumulated(size: int) -> npt.NDArray[np.float64]:
    """Cumulated shares of that many values, the k-th in proportion to 1 / k."""
    shares = 1 / np.arange(1, size + 1)
    cumulated: npt.NDArray[np.float64] = np.cumsum(shares / shares.sum())
    cumulated[-1] = 1.0
    return cumulated


def chunks(rows: int, seed: int = 0) -> Iterator[pa.Table]:
    """The speed table, piece by piece."""
    for number, start in enumerate(range(0, rows, CHUNK)):
        yield chunk(number, seed=seed).slice(0, min(CHUNK, rows - start))


def table(rows: int, seed: int = 0) -> pa.Table:
    """The speed table in memory, as one chunk a column."""
    return pa.concat_tables(chunks(rows, seed)).combine_chunks()


def write(path: Path, rows: int, seed: int = 0) -> Path:
    """The speed table as parquet: row groups of 100,000, snappy, as most writers do it."""
    pieces = chunks(rows, seed)
    first = next(pieces)
    with pq.ParquetWriter(path, first.schema, compression="snappy") as writer:
        writer.write_table(first)
        for piece in pieces:
            writer.write_table(piece)
    return path


def labelled(rows: int, seed: int, *, mixed: bool = True, share: float = 0.02) -> pa.Table:
    """The speed table with planted anomalies: in a row that is one, five cells come from other rows."""
    rng = np.random.default_rng([99, seed])
    whole = table(rows, seed)
    kept = whole if mixed else whole.select(NUMBERS)
    odd = rng.random(rows) < share
    columns = {name: kept[name].combine_chunks() for name in kept.column_names}
    for row_set in np.array_split(rng.permutation(np.flatnonzero(odd)), 4):
        for name in rng.choice(list(columns), 5, replace=False):
            source = np.arange(rows)
            source[row_set] = rng.integers(0, rows, len(row_set))
            columns[name] = columns[name].take(pa.array(source))
    return pa.table({**columns, "is_anomaly": odd.astype(np.int8)})


def data_sets(*, mixed: bool) -> tuple[DataSet, ...]:
    """Three labelled tables in a temporary folder, for detection cases without data sets."""
    folder = Path(tempfile.gettempdir()) / "tabad-benchmarks-generated"
    folder.mkdir(exist_ok=True)
    made = []
    for seed, rows in enumerate((600, 2_000, 6_000)):
        name = f"generated_{'mixed' if mixed else 'numeric'}_{rows}"
        path = folder / f"{name}.parquet"
        if not path.exists():
            pq.write_table(labelled(rows, seed, mixed=mixed), path)
        made.append(DataSet(name, "generated", name, path, "is_anomaly"))
    return tuple(made)

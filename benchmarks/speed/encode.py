"""One timed encoding in a process of its own: `python -m benchmarks.speed.encode METHOD THREADS TABLE MODEL`.

Reads the table into memory (not timed), fits on its first 20,000 rows (not timed), encodes a tenth to warm up, then
times one transform of the whole Arrow table, conversion from Arrow and into the result counted. Prints seconds.
"""

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FIT_ROWS = 20_000

Transform = Callable[[pa.Table], Any]


def tabad(_head: pa.Table, model: Path, threads: int) -> Transform:
    """The Rust encoder, as `bytes`: float32 numbers and uint16 codes."""
    from tabad import _core

    loaded = _core.Model.from_bytes(model.read_bytes())
    return lambda table: loaded.encode(table.to_reader(), threads=threads)


def sklearn_quantile(head: pa.Table, _model: Path, _threads: int) -> Transform:
    """Quantiles of numbers and of the timestamp, ordinal codes of categories."""
    from sklearn.preprocessing import QuantileTransformer

    return _columns(head, QuantileTransformer())


def sklearn_standard(head: pa.Table, _model: Path, _threads: int) -> Transform:
    """Standardised numbers and timestamp, ordinal codes of categories."""
    from sklearn.preprocessing import StandardScaler

    return _columns(head, StandardScaler())


def _columns(head: pa.Table, numbers: Any) -> Transform:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    categories = [f.name for f in head.schema if pa.types.is_string(f.type) or pa.types.is_boolean(f.type)]
    others = [name for name in head.column_names if name not in categories]
    coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("numbers", numbers, others), ("categories", coder, categories)])

    def frame(table: pa.Table) -> Any:
        pandas = table.to_pandas()
        pandas["at"] = pandas["at"].astype("int64")  # scikit-learn takes no timestamps
        return pandas

    columns.fit(frame(head))
    return lambda table: columns.transform(frame(table))


def skrub(head: pa.Table, _model: Path, _threads: int) -> Transform:
    """TableVectorizer at its defaults."""
    from skrub import TableVectorizer

    vectorizer = TableVectorizer().fit(head.to_pandas())
    return lambda table: vectorizer.transform(table.to_pandas())


def polars(head: pa.Table, model: Path, _threads: int) -> Transform:
    """The transform of tabad's model as polars expressions: the same features, float32 and uint16 matrices."""
    from benchmarks.speed.polars_encode import expressions

    return expressions(head, model)


METHODS: dict[str, Callable[[pa.Table, Path, int], Transform]] = {
    "tabad": tabad,
    "polars": polars,
    "sklearn standard": sklearn_standard,
    "sklearn quantile": sklearn_quantile,
    "skrub": skrub,
}


def main(method: str, threads: str, table: str, model: str) -> None:
    """Time one transform and print its seconds."""
    whole = pq.read_table(table).combine_chunks()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transform = METHODS[method](whole.slice(0, FIT_ROWS), Path(model), int(threads))
        transform(whole.slice(0, max(1, len(whole) // 10)))
        started = time.perf_counter()
        transform(whole)
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])

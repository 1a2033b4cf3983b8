"""The pipeline of a peer as one program, as a careful user would write it in Python.

`python -m benchmarks.speed.pipeline fit METHOD TABLE MODEL` fits on 100,000 rows and keeps encoder and detector;
`... score METHOD TABLE MODEL OUT` reads parquet in batches, encodes, scores, and writes parquet with the score. Its
encoding is scikit-learn's fastest: standardised numbers, ordinal codes of categories.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIT_ROWS = 100_000
BATCH = 100_000


def _frame(table: Any) -> Any:
    pandas = table.to_pandas()
    pandas["at"] = pandas["at"].astype("int64")
    return pandas


def fit(method: str, table: str, model: str) -> None:
    """Fit encoder and detector on the first rows, and keep them."""
    import joblib
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    head = next(pq.ParquetFile(table).iter_batches(FIT_ROWS))
    categories = [f.name for f in head.schema if pa.types.is_string(f.type) or pa.types.is_boolean(f.type)]
    others = [f.name for f in head.schema if f.name not in categories]
    coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = ColumnTransformer([("numbers", StandardScaler(), others), ("categories", coder, categories)])
    joblib.dump((encoder, DETECTORS[method](encoder.fit_transform(_frame(head)))), model)


def _forest(encoded: Any) -> Any:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(n_estimators=100, random_state=0, n_jobs=-1).fit(encoded)


def _hbos(encoded: Any) -> Any:
    from pyod.models.hbos import HBOS

    return HBOS().fit(encoded)


def _ecod(encoded: Any) -> Any:
    from pyod.models.ecod import ECOD

    return ECOD(n_jobs=1).fit(encoded)


def _knn(encoded: Any) -> Any:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=5, n_jobs=-1).fit(encoded)


DETECTORS: dict[str, Callable[[Any], Any]] = {
    "IsolationForest": _forest,
    "HBOS": _hbos,
    "ECOD": _ecod,
    "kNN": _knn,
}


def score(method: str, table: str, model: str, out: str) -> None:
    """Read, encode, score, write."""
    import joblib

    encoder, detector = joblib.load(model)
    with pq.ParquetFile(table) as source:
        added = source.schema_arrow.append(pa.field("score", pa.float64()))
        with pq.ParquetWriter(out, added) as writer:
            for batch in source.iter_batches(BATCH):
                encoded = encoder.transform(_frame(batch))
                if method == "kNN":
                    scores = detector.kneighbors(encoded)[0][:, -1]
                elif method == "IsolationForest":
                    scores = -detector.score_samples(encoded)
                else:
                    scores = detector.decision_function(encoded)
                columns = [*batch.columns, pa.array(np.asarray(scores, float))]
                writer.write_table(pa.Table.from_arrays(columns, schema=added))


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    fit(*arguments) if verb == "fit" else score(*arguments)

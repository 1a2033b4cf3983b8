"""Public bounds, splits and judges of the comparison of private generators, and the environment of the peers.

The bounds of numbers are those of the tables' documentation (UCI); vocabularies and whether a column has nulls are read
from the tables, which a user must not do. Both are the same for every method. The peers are MST and AIM of dpmm
0.1.9, which needs Python below 3.12 and numpy 1.26: an environment that is built here with uv, once.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import cache, data

DELTA = 1e-6
BOUNDS: dict[str, dict[str, tuple[int, int]]] = {
    "adult": {
        "age": (17, 90), "fnlwgt": (0, 1_500_000), "education-num": (1, 16), "capital-gain": (0, 99_999),
        "capital-loss": (0, 5_000), "hours-per-week": (1, 99),
    },
    "bank_full": {
        "age": (18, 100), "balance": (-10_000, 110_000), "day": (1, 31), "duration": (0, 5_000), "campaign": (1, 65),
        "pdays": (-1, 900), "previous": (0, 300),
    },
}  # fmt: skip
PEERS = {"MST": ("mst", ""), "AIM": ("aim", ""), "AIM 80 MB": ("aim", "80"), "AIM 16 MB": ("aim", "16")}
"""Mechanism, and the most megabytes of its model: AIM's authors say 80, dpmm's pipeline has no limit."""
_PEER = Path(__file__).with_name("private_peers.py")


def table(name: str) -> pa.Table:
    """The rows of a set, without the columns that say how it was once split."""
    rows = pq.read_table(data.folder() / name / "data.parquet").replace_schema_metadata(None)
    return rows.drop_columns(["split"]) if "split" in rows.column_names else rows


def public(name: str, rows: pa.Table) -> dict[str, Any]:
    """The schema that counts as public: bounds by the documentation, vocabularies and nulls by the table itself."""
    columns: dict[str, Any] = {}
    for column in rows.column_names:
        if column in BOUNDS[name]:
            lower, upper = BOUNDS[name][column]
            columns[column] = {"kind": "number", "lower": lower, "upper": upper, "decimals": 0}
        else:
            values = sorted(value for value in pc.unique(rows[column]).to_pylist() if value is not None)
            columns[column] = {"kind": "category", "values": values, "nullable": rows[column].null_count > 0}
    return {"columns": columns}


def split(rows: pa.Table, seed: int) -> tuple[pa.Table, pa.Table]:
    """Four fifths to learn from, a fifth to test on, at random."""
    order = np.random.default_rng([seed, 77]).permutation(rows.num_rows)
    cut = int(0.8 * rows.num_rows)
    return rows.take(pa.array(order[:cut])), rows.take(pa.array(order[cut:]))


def aucs(train: pa.Table, test: pa.Table, schema: dict[str, Any], label: str = "label") -> dict[str, float]:
    """AUC on the test rows of two learners trained on the rows given (train on synthetic, test on real)."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

    (x, y, category), (x_test, y_test, _) = (_features(rows, schema, label) for rows in (train, test))
    if len(set(y)) < 2:
        return {"trees": 0.5, "logistic": 0.5}
    trees = HistGradientBoostingClassifier(categorical_features=category, random_state=0).fit(x, y)
    numbers = make_pipeline(SimpleImputer(), QuantileTransformer(output_distribution="normal", random_state=0))
    encoded = ColumnTransformer([("n", numbers, ~category), ("c", OneHotEncoder(handle_unknown="ignore"), category)])
    logistic = make_pipeline(encoded, LogisticRegression(max_iter=300)).fit(x, y)
    return {
        name: round(float(roc_auc_score(y_test, model.predict_proba(x_test)[:, 1])), 4)
        for name, model in (("trees", trees), ("logistic", logistic))
    }


def _features(rows: pa.Table, schema: dict[str, Any], label: str) -> tuple[Any, Any, Any]:
    columns, category = [], []
    for name, facts in schema["columns"].items():
        if name == label:
            continue
        if facts["kind"] == "number":
            columns.append(rows[name].cast(pa.float64()).to_numpy())
        else:
            place = {value: at for at, value in enumerate(facts["values"])}
            columns.append(np.array([place.get(value, np.nan) for value in rows[name].to_pylist()], float))
        category.append(facts["kind"] != "number")
    y = np.array([int(value) for value in rows[label].to_pylist()])
    return np.stack(columns, 1), y, np.array(category)


def own(train: pa.Table, bounds: Path, epsilon: float, method: str, seed: int) -> pa.Table:
    """tabad's rows, as many as the noisy count says. To a network of DP-SGD the label is a column like others."""
    import tabad

    options = tabad.PrivateOptions(epsilon=epsilon, delta=DELTA, bounds=str(bounds), method=method)  # type: ignore[arg-type]
    quality = "fast" if method == "marginals" else "default"
    label = "label" if method == "marginals" else None
    model = tabad.fit(train, private=options, label=label, quality=quality)  # type: ignore[arg-type]
    rows: pa.Table = model.generate(train.num_rows, seed=seed)
    return rows


def environment() -> Path:
    """The Python of the peers' environment, built where there is none."""
    home = cache.folder() / "dpmm-0.1.9"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", "-p", "3.11", str(home)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), "dpmm==0.1.9"], check=True)
    return python


def peer(train: pa.Table, bounds: Path, epsilon: float, method: str, seed: int, limit: float) -> pa.Table:
    """A peer's rows; `subprocess.TimeoutExpired` after so many seconds."""
    import pyarrow.csv

    where = bounds.with_name(f"{bounds.stem}-{os.getpid()}")
    pyarrow.csv.write_csv(train, f"{where}.train.csv")
    call = [str(environment()), str(_PEER), str(bounds), f"{where}.train.csv", f"{where}.made.csv", str(epsilon),
            str(DELTA), *PEERS[method], str(seed)]  # fmt: skip
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    subprocess.run(call, check=True, timeout=limit, env={**os.environ, **threads})
    kinds = {
        name: pa.float64() if facts["kind"] == "number" else pa.string()
        for name, facts in json.loads(bounds.read_text())["columns"].items()
    }
    reading = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=["", "None", "nan"], column_types=kinds)
    return pyarrow.csv.read_csv(f"{where}.made.csv", convert_options=reading)


def timed(work: Any) -> tuple[pa.Table, float]:
    """What `work` makes, and the seconds it took."""
    began = time.perf_counter()
    return work(), round(time.perf_counter() - began, 1)

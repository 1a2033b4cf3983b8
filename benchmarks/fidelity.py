"""Generated rows beside unseen real ones, and a classifier trained on them that is tested on those.

A set is halved (at most so many rows a half): a generator sees one half, and what it makes, as many rows, is compared
with the other half. `halves` is what two disjoint parts of the real rows say of each other.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import cache, data, synthesis_peers
from benchmarks.data import DataSet
from benchmarks.detectors.tabad import build
from benchmarks.metrics import auroc

VERSION = "2"
LABEL = "target"
_LEAF = 20


def _own(quality: Any, train: pa.Table, rows: int, seed: int) -> tuple[pa.Table, str]:
    import tabad

    model = tabad.fit(train, quality=quality, seed=seed, kinds={LABEL: "category"}, all_rows=True)
    made: pa.Table = model.generate(rows, seed=seed)
    return made, ""


GENERATORS: dict[str, Callable[[pa.Table, int, int], tuple[pa.Table, str]]] = {
    "tabad": partial(_own, "default"),
    "tabad-best": partial(_own, "best"),
    "CTGAN": partial(synthesis_peers.gan, "ctgan"),
    "TVAE": partial(synthesis_peers.gan, "tvae"),
    "TabDDPM": synthesis_peers.tabddpm,
}
METHODS = (*GENERATORS, "SMOTE")


def run(data_set: DataSet, seed: int, most: int, method: str) -> cache.Result:
    """One set and method; read from the cache where it is there."""
    version = f"{VERSION}-{build()}" if method.startswith("tabad") else VERSION
    path = cache.place(f"synthesis-fidelity-{most}", data_set.name, seed, method, version)
    found = cache.read(path)
    if found is None:
        found = _run(data_set, seed, most, method)
        cache.write(path, found)
    return found


def halves(data_set: DataSet, seed: int, most: int) -> tuple[pa.Table, pa.Table]:
    """Two disjoint halves of the rows at random, with the label as a column."""
    table, positive = data.load(data_set)
    table = table.append_column(LABEL, pa.array(np.where(positive, "yes", "no")))
    order = np.random.default_rng(seed).permutation(table.num_rows)
    half = min(most, table.num_rows // 2)
    one, other = (table.take(pa.array(part)).combine_chunks() for part in (order[:half], order[half : 2 * half]))
    return one, other


def _run(data_set: DataSet, seed: int, most: int, method: str) -> cache.Result:
    import tabad
    from tabad.synthesis.features import Features

    train, test = halves(data_set, seed, most)
    features = Features.of(tabad.fit(train, quality="fast", memory=64, label=LABEL).core)
    x_BF, y_B = features(train), _answer(train)
    found: cache.Result = {
        "part": "fidelity", "set": data_set.name, "seed": seed, "method": method, "train_rows": train.num_rows,
        "columns": train.num_columns, "auc_real": _auc(features, x_BF, y_B, test, seed),
    }  # fmt: skip
    if method == "SMOTE":
        # Only a classifier can be trained on it: its rows are features, not rows of the table.
        x_BF, y_B = synthesis_peers.smote(x_BF, y_B, features.categorical, seed)
        return {**found, "auc_generated": _auc(features, x_BF, y_B, test, seed)}
    started = time.perf_counter()
    made, note = GENERATORS[method](train, train.num_rows, seed)
    seconds = time.perf_counter() - started
    compared = tabad.compare(test, made, label=LABEL, seed=seed)
    real = tabad.compare(test, train, label=LABEL, seed=seed)
    return {
        **found,
        "auc_generated": _auc(features, features(made), _answer(made), test, seed),
        "shape_error": 1.0 - compared.generated.shape, "shape_error_real": 1.0 - real.generated.shape,
        "trend_error": 1.0 - compared.generated.trend, "trend_error_real": 1.0 - real.generated.trend,
        "c2st": compared.generated.c2st, "c2st_real": real.generated.c2st,
        "manifold": compared.generated.manifold, "seconds": round(seconds, 1), "note": note,
    }  # fmt: skip


def _answer(rows: pa.Table) -> Any:
    return np.asarray(rows[LABEL].to_numpy(zero_copy_only=False)) == "yes"


def _auc(features: Any, x_BF: Any, y_B: Any, test: pa.Table, seed: int) -> float:
    from tabad.synthesis.learner import fitted

    if y_B.all() or not y_B.any():
        return 0.5
    learner = fitted(x_BF, y_B, features.categorical, _LEAF, weights=False, seed=seed)
    return float(auroc(_answer(test), learner.predict_proba(features(test))[:, 1]))

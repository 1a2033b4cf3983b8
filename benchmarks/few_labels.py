"""The other half of the cycle: a detector that knows few anomalies, with and without generated ones beside them.

The detector sees the training rows without labels but for the few rare ones (`feedback`), once as they are and once
with as many generated rows of the loop's first round as there are known ones, marked as known anomalies too. Both score
the test rows.
"""

import time
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import cache
from benchmarks.metrics import average_precision
from benchmarks.rare import LABEL, Job

KNOWN = "benchmark_known"
ARMS = ("no labels", "few labels", "few labels + generated")


def run(job: Job) -> cache.Result:
    """Average precision per arm; read from the cache where it is there."""
    path, result = job.read("few-labels")
    if result is None:
        result = _run(job)
        cache.write(path, result)
    return result


def _run(job: Job) -> cache.Result:
    from tabad.synthesis.loop import Plan, Rare

    rows, y_B, test, truth = job.rows()
    started = time.perf_counter()
    rare = Rare(Plan(LABEL, "rare", seed=job.seed), rows, y_B, job.seed)
    rare.go_to(1)
    made = rare.kept[0].slice(0, job.positives)
    seconds = time.perf_counter() - started
    plain = rows.drop_columns([LABEL])
    known = pa.array(np.where(y_B, "anomaly", None).tolist(), pa.string())
    few = plain.append_column(KNOWN, known)
    more = made.select(plain.column_names).cast(plain.schema)
    more = more.append_column(KNOWN, pa.array(["anomaly"] * made.num_rows, pa.string()))
    both = pa.concat_tables([few, more]).unify_dictionaries().combine_chunks()
    unseen = test.drop_columns([LABEL])
    found = {
        "no labels": _precision(plain, unseen, truth, job.seed, None),
        "few labels": _precision(few, unseen, truth, job.seed, KNOWN),
        "few labels + generated": _precision(both, unseen, truth, job.seed, KNOWN),
    }
    return {
        "part": "few-labels", "set": job.data_set.name, "seed": job.seed, "positives": job.positives,
        "generated": made.num_rows, "ap": found, "seconds": round(seconds, 1),
    }  # fmt: skip


def _precision(train: pa.Table, test: pa.Table, truth: Any, seed: int, feedback: str | None) -> float:
    import tabad

    model = tabad.fit(train, quality="fast", seed=seed, feedback=feedback)
    return float(average_precision(truth, model.score(test)["tabad_score"].to_numpy()))

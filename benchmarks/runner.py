"""Runs methods on data sets and seeds; what is already in the cache is read, so that long runs resume.

A job is one set and one seed: the table is loaded, split and encoded once for all methods that still need it. With
more than one process each gets its share of the cores, which suits the small networks of the deep peers.
"""

import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import cache, known
from benchmarks.data import DataSet, load
from benchmarks.detectors import Method, Scores, Task, method
from benchmarks.encoders import fit_encoder
from benchmarks.metrics import auroc, average_precision
from benchmarks.protocols import MAX_ROWS, Setting, Split, split


@dataclass(frozen=True)
class Job:
    """One set, one seed, one setting, and the methods to run on it."""

    data_set: DataSet
    setting: Setting
    seed: int
    methods: tuple[str, ...]
    thinned: bool = False
    limit: int = MAX_ROWS
    threads: int = 2
    budget: float = 600.0
    fresh: tuple[str, ...] = ()
    """Methods to run even where the cache has them."""
    deadline: float | None = None
    """`time.time()` after which no further method is started (quick runs)."""
    resumes: str | None = None
    """The case whose committed figures need not be made again."""

    @property
    def case(self) -> str:
        """The part of the cache key that says how the rows were chosen."""
        return f"{self.setting}-{self.limit}{'-thinned' if self.thinned else ''}-v1"


def run_job(job: Job) -> list[cache.Result]:
    """A result per method. A peer that fails is reported as such, with its error; tabad failing is ours to fix."""
    results: list[cache.Result] = []
    rows: _Rows | None = None
    for name in job.methods:
        chosen = method(name)
        version = chosen.version() + (f"-{job.budget:g}s" if chosen.slow else "")
        path = cache.place(job.case, job.data_set.name, job.seed, name, version)
        result = None if name in job.fresh else cache.read(path) or _known(job, name, version)
        if result is None:
            if job.deadline is not None and time.time() > job.deadline:
                continue
            rows = rows or _Rows(job)
            result = _run(chosen, job, rows, version)
            if "error" not in result:
                cache.write(path, result)
        results.append(result)
    return results


def _known(job: Job, name: str, version: str) -> cache.Result | None:
    if job.resumes is None:
        return None
    return known.result(job.resumes, job.setting, job.data_set.name, name, version, job.seed)


class _Rows:
    """The split table, and its encodings as they are asked for."""

    def __init__(self, job: Job) -> None:
        table, self.anomaly = load(job.data_set)
        self.split: Split = split(self.anomaly, job.setting, job.seed, thinned=job.thinned, limit=job.limit)
        self.train = table.take(pa.array(self.split.train)).combine_chunks()
        same = job.setting == "contaminated"
        self.test = self.train if same else table.take(pa.array(self.split.test)).combine_chunks()
        self.categories = tuple(c for c in job.data_set.categories if c in table.column_names)
        self.scores: dict[str, Scores] = {}
        self._encoded: dict[str, tuple[Any, Any]] = {}

    def encoded(self, chosen: Method) -> tuple[Any, Any]:
        if chosen.encoding not in self._encoded:
            encode = fit_encoder(self.train, chosen.encoding, self.categories)
            train = encode(self.train)
            self._encoded[chosen.encoding] = (train, train if self.test is self.train else encode(self.test))
        return self._encoded[chosen.encoding]


def _run(chosen: Method, job: Job, rows: _Rows, version: str) -> cache.Result:
    anomaly = rows.anomaly[rows.split.test]
    facts: cache.Result = {
        "set": job.data_set.name,
        "family": job.data_set.family,
        "setting": job.setting,
        "seed": job.seed,
        "method": chosen.name,
        "version": version,
        "train_rows": len(rows.split.train),
        "test_rows": len(rows.split.test),
        "anomalies": int(anomaly.sum()),
    }
    started = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            train, test = rows.encoded(chosen)
            same = job.setting == "contaminated"
            scored = chosen.run(Task(train, test, same, job.seed, job.threads, job.budget, rows.scores))
            rows.scores[chosen.name] = scored.scores
    except Exception as error:  # noqa: BLE001 - a peer may fail on a table in any way; the table must say so
        print(f"{job.data_set.name} seed {job.seed} {chosen.name}: {type(error).__name__}: {error}", file=sys.stderr)
        # Chance level, so that a failure costs the method what not answering costs its user.
        seconds = time.perf_counter() - started
        said = f"{type(error).__name__}: {error}"
        return {**facts, "auroc": 0.5, "ap": float(anomaly.mean()), "seconds": seconds, "error": said}
    seconds = time.perf_counter() - started
    scores = np.nan_to_num(np.asarray(scored.scores, float), nan=np.finfo(float).max)
    return {
        **facts,
        "auroc": auroc(anomaly, scores),
        "ap": average_precision(anomaly, scores),
        "seconds": round(seconds, 3),
        "note": scored.note,
    }


def run(jobs: Iterable[Job], processes: int = 1) -> Iterator[list[cache.Result]]:
    """The results of each job as it ends, with a line on standard error."""
    todo = list(jobs)
    if processes <= 1:
        for done, job in enumerate(todo, 1):
            yield _told(run_job(job), job, done, len(todo))
        return
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(max(1, (os.cpu_count() or 1) // processes))  # before the children import numpy
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run_job, job): job for job in todo}
        for done, future in enumerate(as_completed(futures), 1):
            yield _told(future.result(), futures[future], done, len(todo))


def _told(results: list[cache.Result], job: Job, done: int, total: int) -> list[cache.Result]:
    print(f"[{done}/{total}] {job.setting} {job.data_set.name} seed {job.seed}", file=sys.stderr, flush=True)
    return results

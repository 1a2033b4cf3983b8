"""feedback: 10, 50 or 100 known anomalies among unlabelled rows, beside the same model without them.

A table is halved (mixed ones thinned as in detect-mixed); one half is fitted without labels, but for so many of its
anomalies, drawn anew ten times, which `feedback` names; the other half is scored. A table takes part where a half has
twice as many anomalies as are to be known. What they gain, with the 95 % interval of each table over the draws:
Student's t, which one draw that gains much makes wide downwards too, and a percentile bootstrap, which it does not.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from benchmarks import cache, data, machine, results
from benchmarks.data import DataSet
from benchmarks.detectors.tabad import build
from benchmarks.metrics import auroc, average_precision
from benchmarks.protocols import MAX_ROWS, split
from benchmarks.report import render

__all__ = ["add_arguments", "main"]

KNOWN, DRAWS = (10, 50, 100), 10
LOSS = -0.005
"""No table's lower 95 % bound is to lie below this difference of AUROC."""
_CHECKED = "benchmark_checked"


@dataclass(frozen=True)
class Job:
    """One table, one number of known anomalies, one draw of them."""

    data_set: DataSet
    thinned: bool
    known: int
    draw: int
    limit: int
    threads: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="the five small mixed sets, 10 known anomalies, two draws")
    parser.add_argument("--sets", help="only these sets: names or parts of names, comma-separated")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument(
        "--known-only", action="store_true", help="run nothing: put together what runs have found so far"
    )


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    mixed = {s.name for s in data.mixed_sets()}
    sets = data.numeric_sets() + data.mixed_sets()
    if not sets:
        raise SystemExit(f"no data sets in {data.folder()}: set TABAD_DATA")
    if options.quick:
        sets = tuple(s for s in sets if s.name in data.QUICK_MIXED)
    elif options.sets:
        sets = data.choose(sets, options.sets)
    known, draws = (KNOWN[:1], 2) if options.quick else (KNOWN, options.draws)
    threads = max(1, machine.describe()["cores"] // options.jobs)
    limit = 4_000 if options.quick else MAX_ROWS
    jobs = [Job(s, s.name in mixed, k, d, limit, threads) for d in range(draws) for s in sets for k in known]
    if options.known_only:
        found = [cache.read(_place(job)) for job in jobs]
    elif options.jobs == 1:
        found = [run(job) for job in jobs]
    else:
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(run, jobs))
    rows = [row for row in found if row and "auroc" in row]
    full = not options.quick and not options.sets and draws == DRAWS
    settings = {"draws": draws, "known": list(known), "rows": limit}
    results.save("feedback", rows, full=full, summary=_summary(rows), settings=settings)
    return 0


def _place(job: Job) -> Any:
    case = f"feedback-{job.limit}{'-thinned' if job.thinned else ''}-v1"
    return cache.place(case, job.data_set.name, job.draw, f"{job.known} known", build())


def run(job: Job) -> cache.Result:
    """AUROC and average precision with and without the known anomalies; from the cache where they are there."""
    found = cache.read(_place(job))
    if found is None:
        found = _run(job)
        cache.write(_place(job), found)
    return found


def _run(job: Job) -> cache.Result:
    import tabad

    table, anomaly = data.load(job.data_set)
    # The split of the contaminated protocol, halved with the anomaly rate kept.
    rows = split(anomaly, "contaminated", job.draw, thinned=job.thinned, limit=job.limit).train
    odd, usual = rows[anomaly[rows]], rows[~anomaly[rows]]
    halves = [np.sort(np.concatenate([odd[side::2], usual[side::2]])) for side in (0, 1)]
    facts: cache.Result = {"set": job.data_set.name, "known": job.known, "draw": job.draw}
    if anomaly[halves[0]].sum() < 2 * job.known:
        return facts
    train, test = (table.take(pa.array(half)).combine_chunks() for half in halves)
    places = np.flatnonzero(anomaly[halves[0]])
    picked = np.random.default_rng([48, job.draw, job.known]).choice(places, job.known, replace=False)
    said = np.zeros(train.num_rows, bool)
    said[picked] = True
    truth = anomaly[halves[1]]
    began = time.perf_counter()
    scores = []
    for rows_, feedback in ((train, None), (train.append_column(_CHECKED, pa.array(said, mask=~said)), _CHECKED)):
        model = tabad.fit(rows_, quality="fast", seed=job.draw, feedback=feedback, threads=job.threads)
        scores.append(model.score(test, explain="none", threads=job.threads)["tabad_score"].to_numpy())
    return {
        **facts,
        "auroc": [float(auroc(truth, of)) for of in scores],
        "ap": [float(average_precision(truth, of)) for of in scores],
        "helps": bool(model.manifest["guide"]["helps"]),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    lines = []
    for known in sorted({r["known"] for r in rows}):
        these = [r for r in rows if r["known"] == known]
        tables = sorted({r["set"] for r in these})
        gains, of_ap = (
            {t: np.array([np.diff(r[key])[0] for r in these if r["set"] == t]) for t in tables}
            for key in ("auroc", "ap")
        )
        lower = {t: (_lower(gain), _resampled(gain)) for t, gain in gains.items()}
        below = sorted(t for t in tables if lower[t][0] < LOSS)
        resampled = sorted(t for t in tables if lower[t][1] < LOSS)
        facts = {
            "tables": len(tables),
            "auroc_gain": float(np.mean([gain.mean() for gain in gains.values()])),
            "ap_gain": float(np.mean([gain.mean() for gain in of_ap.values()])),
            "below": {t: [float(gains[t].mean()), *lower[t]] for t in below},
        }
        summary[str(known)] = facts
        counts = [len(below), len(resampled), ", ".join(resampled)]
        lines.append([known, len(tables), facts["auroc_gain"], facts["ap_gain"], *counts])
    bounds = [f"lower bound < {LOSS}: t", "bootstrap", "which (bootstrap)"]
    print(render(["known", "tables", "AUROC gained", "AP gained", *bounds], lines))
    return summary


def _lower(gain: np.ndarray) -> float:
    """Lower end of the 95 % interval of a mean over draws (Student's t)."""
    if len(gain) < 2 or not gain.std():
        return float(gain.mean())
    return float(gain.mean() - stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain)))


def _resampled(gain: np.ndarray) -> float:
    """Lower end of the 95 % interval of a mean over draws (percentile bootstrap)."""
    means = np.random.default_rng(0).choice(gain, (10_000, len(gain))).mean(axis=1)
    return float(np.quantile(means, 0.025))

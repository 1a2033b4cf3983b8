"""synthesis: rare classes with 20, 50, 200 positives; train on synthetic, test on real; fidelity; rows/s.

Arms of the first: nothing, class weights, SMOTE-NC (tabad's, after the paper: imbalanced-learn's takes no missing
numbers), the same network's rows unfiltered, and the loop. CTGAN, TVAE, TabDDPM and mostlyai-engine are not run yet.
"""

import argparse
import sys
import time
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import cache, data, machine, rare, results
from benchmarks.data import DataSet
from benchmarks.metrics import auroc
from benchmarks.report import render

RARE_SETS = (
    "adult", "bank_full", "default_credit_card", "vehicle_insurance_fraud_oracle", "payment_fraud", "hmeq",
)  # fmt: skip
FIDELITY_SETS = ("adult", "bank_full", "default_credit_card")
POSITIVES = (20, 50, 200)
VERSION = "1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="one set, 20 positives, one seed, few rows")
    parser.add_argument("--sets", help="names or parts of names for both parts")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--positives", default=",".join(map(str, POSITIVES)))
    parser.add_argument("--negatives", type=int, default=8_000)
    parser.add_argument("--part", choices=["rare", "fidelity", "both"], default="both")
    parser.add_argument("--rows", type=int, default=20_000, help="training rows of the fidelity part, at most")
    parser.add_argument("--quality", default="default")


def main(options: argparse.Namespace) -> int:
    """Run the case; what is in the cache is not run again."""
    machine.refuse_debug_build()
    machine.require("sklearn", "catboost", "torch")
    if options.quick:
        options.sets, options.seeds, options.positives, options.negatives, options.rows = "hmeq", 1, "20", 1_000, 1_500
    rows: list[dict[str, Any]] = []
    if options.part != "fidelity":
        jobs = [
            rare.Job(data_set, positives, seed, options.negatives)
            for seed in range(options.seeds)
            for positives in map(int, options.positives.split(","))
            for data_set in _sets(options.sets or ",".join(RARE_SETS))
        ]
        for done, job in enumerate(jobs, 1):
            rows.append(rare.run(job))
            print(f"[{done}/{len(jobs)}] {job.data_set.name} {job.positives} seed {job.seed}", file=sys.stderr)
        _print_rare(rows)
    if options.part != "rare":
        found = [
            _fidelity(data_set, seed, options.rows, options.quality)
            for data_set in _sets(options.sets or ",".join(FIDELITY_SETS))
            for seed in range(min(options.seeds, 3))
        ]
        _print_fidelity(found)
        rows += found
    full = not options.quick and not options.sets and options.part == "both" and options.seeds >= 10
    results.save("synthesis", rows, full=full, settings={k: v for k, v in vars(options).items() if k != "case"})
    return 0


def _sets(names: str) -> tuple[DataSet, ...]:
    every = data.data_sets("label") + data.data_sets()
    if not every:
        raise SystemExit(f"no data sets in {data.folder()}: set TABAD_DATA")
    return data.choose(every, names)


def _print_rare(rows: list[dict[str, Any]]) -> None:
    for learner in ("HGB", "CatBoost"):
        table: list[list[object]] = []
        for positives in sorted({r["positives"] for r in rows}):
            mine = [r for r in rows if r["positives"] == positives]
            names = dict.fromkeys(r["set"] for r in mine)
            table += [[positives, n, *_means([r for r in mine if r["set"] == n], learner)] for n in names]
            table.append([positives, "MEAN", *_means(mine, learner)])
        print(f"\nrare class, {learner}: average precision on real rows that nothing has seen")
        print(render(["positives", "set", *rare.ARMS, "runs", "the loop added"], table))


def _means(rows: list[dict[str, Any]], learner: str) -> list[object]:
    means = [f"{np.mean([r['ap'][arm][learner] for r in rows]):.3f}" for arm in rare.ARMS]
    return [*means, len(rows), f"{np.mean([r['rounds'] > 0 for r in rows]):.0%}"]


def _fidelity(data_set: DataSet, seed: int, most: int, quality: str) -> dict[str, Any]:
    """One set: fit on a half, generate as many rows, compare, and train a classifier on them."""
    path = cache.place(f"synthesis-fidelity-{most}-{quality}-v1", data_set.name, seed, "tabad", VERSION)
    found = cache.read(path)
    if found is None:
        found = _fidelity_run(data_set, seed, most, quality)
        cache.write(path, found)
    return found


def _fidelity_run(data_set: DataSet, seed: int, most: int, quality: Any) -> dict[str, Any]:
    import tabad
    from tabad.synthesis.features import Features
    from tabad.synthesis.learner import fitted

    table, positive = data.load(data_set)
    table = table.append_column("target", pa.array(np.where(positive, "yes", "no")))
    order = np.random.default_rng(seed).permutation(table.num_rows)
    half = min(most, table.num_rows // 2)
    train, test = (table.take(pa.array(part)).combine_chunks() for part in (order[:half], order[half : 2 * half]))
    started = time.perf_counter()
    model = tabad.fit(train, quality=quality, seed=seed, kinds={"target": "category"})
    fit_s = time.perf_counter() - started
    started = time.perf_counter()
    made = model.generate(half, seed=seed)
    made_s = time.perf_counter() - started
    compared = tabad.compare(test, made, label="target", seed=seed)
    features = Features.of(tabad.fit(train, quality="fast", memory=64, label="target").core)
    truth = test["target"].to_numpy() == "yes"
    scores = {}
    for name, rows in {"real": train, "generated": made}.items():
        answer = rows["target"].to_numpy() == "yes"
        learner = fitted(features(rows), answer, features.categorical, 20, weights=False, seed=seed)
        scores[name] = auroc(truth, learner.predict_proba(features(test))[:, 1])
    ours, halves = compared.generated, compared.halves
    return {
        "part": "fidelity", "set": data_set.name, "seed": seed, "quality": quality, "train_rows": half,
        "columns": table.num_columns, "shape": ours.shape, "shape_halves": halves.shape, "trend": ours.trend,
        "trend_halves": halves.trend, "c2st": ours.c2st, "manifold": ours.manifold,
        "auc_real": scores["real"], "auc_generated": scores["generated"],
        "fit_s": round(fit_s, 1), "rows_per_s": round(half / made_s),
    }  # fmt: skip


def _print_fidelity(rows: list[dict[str, Any]]) -> None:
    keys = (
        "set", "seed", "train_rows", "shape", "shape_halves", "trend", "trend_halves", "c2st", "auc_real",
        "auc_generated", "fit_s", "rows_per_s",
    )  # fmt: skip
    print("\ngenerated rows beside unseen real ones, and a classifier trained on them, tested on those")
    values = [[f"{r[k]:.3f}" if isinstance(r[k], float) and r[k] <= 1 else r[k] for k in keys] for r in rows]
    print(render([key.replace("_", " ") for key in keys], values))

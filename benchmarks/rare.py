"""A rare class with few positives: train on real rows and what an arm adds, test on real rows that nothing has seen.

Everything is chosen within the training rows: leaf sizes per arm and the loop's rounds, by folds with networks of their
own. The rest of the set, up to `TEST_ROWS` rows at its own class shares, is the test.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import cache
from benchmarks.data import DataSet, load
from benchmarks.metrics import average_precision

LABEL = "benchmark_label"
VERSION = "1"
TEST_ROWS = 10_000
ARMS = ("nothing", "class weights", "SMOTE-NC", "tabad generate", "tabad augment")


@dataclass(frozen=True)
class Job:
    """One set, so many positives, one seed."""

    data_set: DataSet
    positives: int
    seed: int
    negatives: int = 8_000


def run(job: Job) -> cache.Result:
    """Average precision per arm and learner; read from the cache where it is there."""
    case = f"synthesis-rare-{job.positives}-of-{job.negatives}-v1"
    path = cache.place(case, job.data_set.name, job.seed, "arms", VERSION)
    result = cache.read(path)
    if result is None:
        result = _run(job)
        cache.write(path, result)
    return result


def _run(job: Job) -> cache.Result:
    from tabad.synthesis.loop import Plan, Rare, choose, folds_of, leaf_of

    table, positive = load(job.data_set)
    train, test = _split(positive, job)
    labelled = table.append_column(LABEL, pa.array(np.where(positive, "rare", "other")))
    rows, y_B = labelled.take(pa.array(train)).combine_chunks(), positive[train]
    plan = Plan(LABEL, "rare", seed=job.seed)
    started = time.perf_counter()
    folds = folds_of(rows, y_B, plan, job.seed)
    choice = choose(folds, plan)
    added = plan.added(y_B)
    for fold in folds:
        _generate(fold.rare, added)
    leaves = {**choice.leaves, "tabad generate": leaf_of(folds, "tabad generate")[0]}
    final = Rare(plan, rows, y_B, job.seed)
    for turn in range(choice.rounds):
        final.add(turn, choice.leaves["augment"])
    _generate(final, added)
    seconds = time.perf_counter() - started
    x_BF, truth = final.features(labelled.take(pa.array(test)).combine_chunks()), positive[test]
    scores: dict[str, dict[str, float]] = {}
    for name in ARMS:
        arm = "augment" if name == "tabad augment" else name
        learner = final.learner(arm, leaves[arm])
        scores[name] = {"HGB": average_precision(truth, learner.predict_proba(x_BF)[:, 1])}
        scores[name]["CatBoost"] = average_precision(truth, _catboost(final, arm, x_BF, job.seed))
    return {
        "part": "rare", "set": job.data_set.name, "seed": job.seed, "positives": job.positives,
        "train_rows": len(train), "test_rows": len(test), "rounds": choice.rounds, "gains": choice.gains,
        "ap": scores, "seconds": round(seconds, 1),
    }  # fmt: skip


def _split(positive: Any, job: Job) -> tuple[Any, Any]:
    """Places of the training and of the test rows."""
    draw = np.random.default_rng(job.seed)
    rare, others = (draw.permutation(np.flatnonzero(positive == value)) for value in (True, False))
    train = np.sort(np.r_[rare[: job.positives], others[: min(job.negatives, len(others) // 2)]])
    rest = np.setdiff1d(np.arange(len(positive)), train)
    return train, np.sort(draw.permutation(rest)[:TEST_ROWS])


def _generate(rare: Any, added: int) -> None:
    """As many rows as one round of the loop adds, none left out."""
    rare.extra["tabad generate"] = [rare.features(rare.generate(0, added))]


def _catboost(rare: Any, arm: str, test_BF: Any, seed: int) -> Any:
    from catboost import CatBoostClassifier

    x_BF, y_B = rare.training(arm)
    codes = np.flatnonzero(rare.features.categorical).tolist()
    weights = "Balanced" if arm == "class weights" else None
    learner = CatBoostClassifier(
        iterations=200, depth=6, auto_class_weights=weights, random_seed=seed, verbose=False,
        allow_writing_files=False, cat_features=codes,
    )  # fmt: skip
    return learner.fit(_mixed(x_BF, codes), y_B).predict_proba(_mixed(test_BF, codes))[:, 1]


def _mixed(x_BF: Any, codes: list[int]) -> Any:
    mixed = x_BF.astype(object)
    mixed[:, codes] = x_BF[:, codes].astype(np.int64)
    return mixed

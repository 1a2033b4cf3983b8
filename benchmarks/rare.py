"""A rare class with few positives: train on real rows and what an arm adds, test on real rows that nothing has seen.

Everything is chosen within the training rows: leaf sizes per arm and the loop's rounds, by folds with networks of their
own. The rest of the set, up to `TEST_ROWS` rows at its own class shares, is the test. CTGAN is fitted once a job: it
has the leaf size that suits SMOTE-NC, which adds rows too.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import cache, synthesis_peers
from benchmarks.data import DataSet, load
from benchmarks.detectors.tabad import build
from benchmarks.metrics import average_precision

LABEL = "benchmark_label"
VERSION = "2"
TEST_ROWS = 10_000
GENERATE, AUGMENT, CTGAN = "tabad generate", "tabad augment", "CTGAN"
ARMS = ("nothing", "class weights", "SMOTE-NC", GENERATE, AUGMENT)


@dataclass(frozen=True)
class Job:
    """One set, so many positives, one seed."""

    data_set: DataSet
    positives: int
    seed: int
    negatives: int = 8_000

    def read(self, method: str) -> tuple[Any, cache.Result | None]:
        """Where the result of a method is kept, and what is there."""
        case = f"synthesis-rare-{self.positives}-of-{self.negatives}"
        version = VERSION if method == "ctgan" else f"{VERSION}-{build()}"
        path = cache.place(case, self.data_set.name, self.seed, method, version)
        return path, cache.read(path)

    def rows(self) -> tuple[pa.Table, Any, pa.Table, Any]:
        """Training rows and which are rare, test rows and which are."""
        table, positive = load(self.data_set)
        train, test = _split(positive, self)
        labelled = table.append_column(LABEL, pa.array(np.where(positive, "rare", "other")))
        one, other = (labelled.take(pa.array(places)).combine_chunks() for places in (train, test))
        return one, positive[train], other, positive[test]


def run(job: Job) -> cache.Result:
    """Average precision per arm and learner; read from the cache where it is there."""
    path, result = job.read("arms")
    if result is None:
        result = _run(job)
        cache.write(path, result)
    return result


def with_ctgan(job: Job, result: cache.Result) -> cache.Result:
    """The result of a job and what CTGAN gives on its rows, read from the cache where it is there."""
    if CTGAN in result["ap"]:
        return result
    path, peer = job.read("ctgan")
    if peer is None:
        peer = _run_ctgan(job, result["leaves"]["SMOTE-NC"])
        cache.write(path, peer)
    peer_says = {f"ctgan_{key}": peer[key] for key in ("made", "note", "seconds")}
    return {**result, "ap": {**result["ap"], CTGAN: peer["ap"]}, **peer_says}


def _run(job: Job) -> cache.Result:
    from tabad.synthesis.loop import AUGMENT as LOOP
    from tabad.synthesis.loop import Plan, Rare, Trials, choose, leaf_of

    rows, y_B, test, truth = job.rows()
    plan = Plan(LABEL, "rare", seed=job.seed)
    started = time.perf_counter()
    trials = Trials(plan, rows, y_B, job.seed)
    folds = trials.outer()
    choice = choose(folds, plan)
    seconds = time.perf_counter() - started
    added = plan.added(y_B)
    for fold in folds:
        _generate(fold.trial.rare, added)
    final = Rare(plan, rows, y_B, job.seed)
    _generate(final, added)
    leaves = {**choice.leaves, GENERATE: leaf_of(folds, GENERATE)[0]}
    leaves[AUGMENT] = leaves.pop(LOOP)
    x_BF = final.features(test)
    scores: dict[str, dict[str, float]] = {}
    for name in ARMS:
        arm, rounds = (LOOP, choice.rounds) if name == AUGMENT else (name, 0)
        learner = final.learner(arm, leaves[name], rounds)
        scores[name] = {"HGB": average_precision(truth, learner.predict_proba(x_BF)[:, 1])}
        training = final.training(arm, rounds)
        weights = "Balanced" if arm == "class weights" else None
        scores[name]["CatBoost"] = average_precision(truth, _catboost(final, training, weights, x_BF, job.seed))
    return {
        "part": "rare", "set": job.data_set.name, "seed": job.seed, "positives": job.positives,
        "train_rows": len(y_B), "test_rows": len(truth), "rounds": choice.rounds, "gains": choice.gains,
        "own_gains": choice.own_gains, "leaves": leaves, "ap": scores, "seconds": round(seconds, 1),
    }  # fmt: skip


def _run_ctgan(job: Job, leaf: int) -> cache.Result:
    from tabad.synthesis.learner import fitted
    from tabad.synthesis.loop import Plan, Rare

    rows, y_B, test, truth = job.rows()
    plan = Plan(LABEL, "rare", seed=job.seed)
    real = Rare(plan, rows, y_B, job.seed, network=False)
    wanted = plan.added(y_B)
    started = time.perf_counter()
    made, note = synthesis_peers.gan("ctgan", rows, 8 * wanted, job.seed, (LABEL, "rare"))
    made = made.slice(0, wanted)
    seconds = time.perf_counter() - started
    training = real.with_rows(real.features(made)) if made.num_rows else real.training("nothing")
    learner = fitted(*training, real.features.categorical, leaf, weights=False, seed=job.seed)
    x_BF = real.features(test)
    scores = {
        "HGB": average_precision(truth, learner.predict_proba(x_BF)[:, 1]),
        "CatBoost": average_precision(truth, _catboost(real, training, None, x_BF, job.seed)),
    }
    return {"ap": scores, "made": made.num_rows, "note": note, "seconds": round(seconds, 1)}


def _split(positive: Any, job: Job) -> tuple[Any, Any]:
    """Places of the training and of the test rows."""
    draw = np.random.default_rng(job.seed)
    rare, others = (draw.permutation(np.flatnonzero(positive == value)) for value in (True, False))
    train = np.sort(np.r_[rare[: job.positives], others[: min(job.negatives, len(others) // 2)]])
    rest = np.setdiff1d(np.arange(len(positive)), train)
    return train, np.sort(draw.permutation(rest)[:TEST_ROWS])


def _generate(rare: Any, added: int) -> None:
    """An arm of as many rows as one round of the loop adds, none left out."""
    rare.extra[GENERATE] = rare.features(rare.generate(0, added))


def _catboost(rare: Any, training: tuple[Any, Any], weights: str | None, test_BF: Any, seed: int) -> Any:
    from catboost import CatBoostClassifier

    x_BF, y_B = training
    codes = np.flatnonzero(rare.features.categorical).tolist()
    learner = CatBoostClassifier(
        iterations=200, depth=6, auto_class_weights=weights, random_seed=seed, verbose=False,
        allow_writing_files=False, cat_features=codes,
    )  # fmt: skip
    return learner.fit(_mixed(x_BF, codes), y_B).predict_proba(_mixed(test_BF, codes))[:, 1]


def _mixed(x_BF: Any, codes: list[int]) -> Any:
    mixed = x_BF.astype(object)
    mixed[:, codes] = x_BF[:, codes].astype(np.int64)
    return mixed

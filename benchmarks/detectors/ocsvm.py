"""One-class support vectors (Schoelkopf et al. 2001): RBF kernel, gamma "scale", nu 0.5 as in ADBench and DTE."""

import numpy as np

from benchmarks.detectors import Method, Scored, Task, fixed

MAX_TRAIN = 10_000
"""The solver is quadratic in rows; the clean protocol never has more."""


def score(task: Task) -> Scored:
    """Distance from the boundary around the training rows."""
    from sklearn.svm import OneClassSVM

    train, note = task.train, ""
    if len(train) > MAX_TRAIN:
        train = train[np.random.default_rng(task.seed).choice(len(train), MAX_TRAIN, replace=False)]
        note = f"trained on {MAX_TRAIN} rows"
    machine = OneClassSVM(nu=0.5, gamma="scale", cache_size=500).fit(train)
    return Scored(-machine.score_samples(task.test), note)


METHODS = (Method("OCSVM", "sqrt2", score, fixed("1")),)

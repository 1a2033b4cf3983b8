"""Isolation forest (Liu et al. 2008): 100 trees of 256 rows, scikit-learn's settings and the paper's."""

from benchmarks.detectors import Method, Scored, Task, fixed


def score(task: Task) -> Scored:
    """How few cuts isolate a row."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=100, random_state=task.seed, n_jobs=task.threads).fit(task.train)
    return Scored(-forest.score_samples(task.test))


METHODS = (
    Method("IsolationForest", "onehot", score, fixed("1")),
    Method("IsolationForest-skrub", "skrub", score, fixed("1")),
)

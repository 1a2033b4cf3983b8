"""Histogram-based outlier score (Goldstein and Dengel 2012): columns taken as independent; PyOD's own code."""

from benchmarks.detectors import Method, Scored, Task, fixed


def score(task: Task) -> Scored:
    """Sum over columns of log inverse bin heights, ten bins a column."""
    from pyod.models.hbos import HBOS

    detector = HBOS(n_bins=10).fit(task.train)
    return Scored(detector.decision_scores_ if task.contaminated else detector.decision_function(task.test))


METHODS = (Method("HBOS", "onehot", score, fixed("1")),)

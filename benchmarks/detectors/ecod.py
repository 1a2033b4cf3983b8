"""ECOD (Li et al. 2022): tail probabilities of each column's empirical distribution; PyOD's own code."""

from benchmarks.detectors import Method, Scored, Task, fixed


def score(task: Task) -> Scored:
    """Sum over columns of -log tail probabilities."""
    from pyod.models.ecod import ECOD

    detector = ECOD().fit(task.train)
    return Scored(detector.decision_scores_ if task.contaminated else detector.decision_function(task.test))


METHODS = (Method("ECOD", "onehot", score, fixed("1")),)

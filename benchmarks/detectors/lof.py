"""Local outlier factor (Breunig et al. 2000) with 20 neighbours, the setting of scikit-learn and PyOD."""

from benchmarks.detectors import Method, Scored, Task, fixed


def score(task: Task) -> Scored:
    """How much sparser a row's surroundings are than those of its neighbours."""
    from sklearn.neighbors import LocalOutlierFactor

    k = min(20, len(task.train) - 1)
    factor = LocalOutlierFactor(n_neighbors=k, novelty=not task.contaminated, n_jobs=task.threads).fit(task.train)
    return Scored(-factor.negative_outlier_factor_ if task.contaminated else -factor.score_samples(task.test))


METHODS = (Method("LOF", "sqrt2", score, fixed("1")),)

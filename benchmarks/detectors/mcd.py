"""Minimum covariance determinant (Rousseeuw and Van Driessen 1999): robust Mahalanobis distance; scikit-learn's."""

from benchmarks.detectors import Method, Scored, Task, fixed


def score(task: Task) -> Scored:
    """Squared Mahalanobis distance from the tightest half of the training rows."""
    from sklearn.covariance import MinCovDet

    robust = MinCovDet(random_state=task.seed).fit(task.train)
    return Scored(robust.mahalanobis(task.test))


METHODS = (Method("MCD", "sqrt2", score, fixed("1")),)

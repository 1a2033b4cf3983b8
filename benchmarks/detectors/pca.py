"""Principal components (Shyu et al. 2003): squared distance along each component over its variance.

Not PyOD's code: that divides by the variance of components that have none, which one-hot columns always make, and
then ranks rows by rounding errors. Variances are floored at a ten-thousandth of the largest.
"""

import numpy as np

from benchmarks.detectors import Method, Scored, Task, fixed


def score(task: Task) -> Scored:
    """Sum over components of squared coordinates in units of their variance."""
    train, test = np.asarray(task.train, float), np.asarray(task.test, float)
    mean = train.mean(axis=0)
    variances, components = np.linalg.eigh(np.atleast_2d(np.cov(train - mean, rowvar=False)))
    floored = np.maximum(variances, 1e-4 * max(float(variances[-1]), 1e-12))
    return Scored((((test - mean) @ components) ** 2 / floored).sum(axis=1))


METHODS = (Method("PCA", "sqrt2", score, fixed("2")),)

"""kNN under Gower's distance (1971): numbers by their range, a category mismatch counts one, missing is a mismatch."""

import numpy as np
from scipy.spatial.distance import cdist

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.neighbours import K


def score(task: Task) -> Scored:
    """Distance to the fifth nearest training row; a screened row is never its own neighbour."""
    skip = 1 if task.contaminated else 0
    k = min(K + skip, len(task.train))
    chunks = np.array_split(task.test, max(1, len(task.test) // 500))
    # The row itself is at distance 0, so with itself among the neighbours the sixth is its fifth.
    nearest = [np.partition(cdist(chunk, task.train, "cityblock"), k - 1, axis=1)[:, k - 1] for chunk in chunks]
    return Scored(np.concatenate(nearest))


METHODS = (Method("kNN-Gower", "gower", score, fixed("1")),)

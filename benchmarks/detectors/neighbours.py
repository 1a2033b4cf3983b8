"""k nearest neighbours: the distance to the fifth (Ramaswamy et al. 2000), the strongest simple peer on clean data."""

from benchmarks.detectors import Method, Scored, Task, fixed

K = 5


def score(task: Task) -> Scored:
    """Distance to the fifth nearest training row; a screened row is never its own neighbour."""
    from sklearn.neighbors import NearestNeighbors

    k = min(K, len(task.train) - 1)
    index = NearestNeighbors(n_neighbors=k, n_jobs=task.threads).fit(task.train)
    distances, _ = index.kneighbors(None if task.contaminated else task.test)
    return Scored(distances[:, -1])


METHODS = (Method("kNN", "sqrt2", score, fixed("1")), Method("kNN-skrub", "skrub", score, fixed("1")))

"""DTE-NP (Livernoche et al., ICLR 2024, section 4.2): the non-parametric diffusion time estimate.

The posterior of the noise variance given a row is an inverse gamma whose mode is the mean squared distance to the
K nearest training rows over the dimension. The paper reads that mode off a grid of 300 steps; its order, without
the ties that the end of the grid makes, is taken here.
"""

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.neighbours import K


def score(task: Task) -> Scored:
    """Mean squared distance to the five nearest training rows."""
    from sklearn.neighbors import NearestNeighbors

    k = min(K, len(task.train) - 1)
    index = NearestNeighbors(n_neighbors=k, n_jobs=task.threads).fit(task.train)
    distances, _ = index.kneighbors(None if task.contaminated else task.test)
    return Scored((distances**2).mean(axis=1))


METHODS = (Method("DTE-NP", "sqrt2", score, fixed("1")),)

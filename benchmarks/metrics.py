"""What is said about scores: AUROC, AP, ranks, wins, and how sure a difference between two methods is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.data import Labels

Floats = npt.NDArray[np.float64]

TIE = 0.005
"""Half a point: two methods closer than that on a table tie."""


def auroc(anomaly: Labels, score: Floats) -> float:
    """Probability that an anomaly scores above a normal row, ties counted half."""
    from scipy.stats import rankdata

    odd, n = int(anomaly.sum()), len(anomaly)
    ranks = rankdata(score)
    return float((ranks[anomaly].sum() - odd * (odd + 1) / 2) / (odd * (n - odd)))


def average_precision(anomaly: Labels, score: Floats) -> float:
    """Area under the precision-recall steps, tied scores taken together (scikit-learn's definition)."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(anomaly, score))


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences over tables, with its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    families: Sequence[str] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> Difference:
    """The mean of `ours - theirs` over tables; tables are drawn again, or whole families of tables where given."""
    gaps = np.asarray(ours, float) - np.asarray(theirs, float)
    names = list(families) if families is not None else [str(i) for i in range(len(gaps))]
    groups = [np.flatnonzero([n == name for n in names]) for name in dict.fromkeys(names)]
    sums = np.array([gaps[g].sum() for g in groups])
    sizes = np.array([len(g) for g in groups])
    drawn = np.random.default_rng(seed).integers(len(groups), size=(draws, len(groups)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(gaps.mean()), float(low), float(high))


def win_tie_loss(ours: Sequence[float], theirs: Sequence[float], tie: float = TIE) -> tuple[int, int, int]:
    """On how many tables `ours` is above, level with, and below `theirs`."""
    gaps = np.asarray(ours, float) - np.asarray(theirs, float)
    wins, losses = int((gaps > tie).sum()), int((gaps < -tie).sum())
    return wins, len(gaps) - wins - losses, losses


def mean_ranks(by_method: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean rank of each method over tables, 1 is best, ties share their ranks."""
    from scipy.stats import rankdata

    values = np.array([by_method[m] for m in by_method], float)
    ranks = rankdata(-values, axis=0).mean(axis=1)
    return dict(zip(by_method, map(float, ranks), strict=True))

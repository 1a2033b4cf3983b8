"""The classifier that judges rows, and its average precision: gradient boosting, its leaf size tuned per arm.

scikit-learn's default of 20 rows a leaf cripples 20 positives and any added row "cures" it, and early stopping holds
out some of the few: so leaf sizes are tuned for every arm alike, and early stopping is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tabad._lazy import need

if TYPE_CHECKING:
    from .features import Floats

__all__ = ["LEAVES", "Labels", "average_precision", "fitted", "precisions", "probability"]

Labels = npt.NDArray[np.bool_]

LEAVES = (3, 10, 30)
"""Smallest rows a leaf, tried for every arm."""
_ROUNDS, _RATE, _LEAF_NODES = 80, 0.1, 15


def fitted(x_BF: Floats, y_B: Labels, categorical: tuple[bool, ...], leaf: int, *, weights: bool, seed: int) -> Any:
    """A boosted classifier; `weights` gives both classes the same total weight."""
    ensemble = need("sklearn.ensemble", extra="sklearn", purpose="train the classifier that judges rows")
    learner = ensemble.HistGradientBoostingClassifier(
        learning_rate=_RATE,
        max_iter=_ROUNDS,
        max_leaf_nodes=_LEAF_NODES,
        min_samples_leaf=leaf,
        early_stopping=False,
        categorical_features=np.asarray(categorical),
        random_state=seed,
    )
    share = y_B.mean()
    weight_B = np.where(y_B, 0.5 / share, 0.5 / (1.0 - share)) if weights else None
    # scikit-learn cannot bin a number that none of the rows has: a constant says as little.
    return learner.fit(np.where(np.isnan(x_BF).all(axis=0), np.float32(0.0), x_BF), y_B, sample_weight=weight_B)


def probability(learner: Any, x_BF: Floats) -> npt.NDArray[np.float64]:
    """Of the rare class, per row."""
    shares: npt.NDArray[np.float64] = learner.predict_proba(x_BF)[:, 1]
    return shares


def average_precision(y_B: Labels, score_B: npt.NDArray[np.float64]) -> float:
    """Area under the precision-recall steps (Davis and Goadrich 2006); ties count as one step."""
    return float(precisions(y_B, score_B).mean())


def precisions(y_B: Labels, score_B: npt.NDArray[np.float64], *, balanced: bool = False) -> npt.NDArray[np.float64]:
    """Precision among the rows scored at least as high, per rare row; their mean is the average precision.

    `balanced`: as if both classes were equally common. With 20 rare rows of 8,000 the first few make up nearly all of
    an average precision; balanced, every one of the 20 says something, and a gain can be told from chance.
    """
    order = np.argsort(-score_B, kind="stable")
    hits, sorted_B = np.cumsum(y_B[order]), score_B[order]
    last = np.flatnonzero(np.r_[sorted_B[1:] != sorted_B[:-1], True])
    step_B = last[np.searchsorted(last, np.arange(len(order)))]
    misses = step_B + 1 - hits[step_B]
    weight = y_B.sum() / max(int((~y_B).sum()), 1) if balanced else 1.0
    precision_B = np.empty(len(y_B))
    precision_B[order] = hits[step_B] / (hits[step_B] + weight * misses)
    return precision_B[y_B]

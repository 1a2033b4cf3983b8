"""Membership inference from the synthetic table alone: is a training row told from a held-out row by what lies near
it?

Four scores of closeness, higher for what looks like a member: the nearest synthetic row; the same over the distance to
real neighbours (a row in a dense place has near synthetic rows anyway; difficulty calibration, Watson et al. 2022);
the number of synthetic rows as near as the eighth real one; kernel densities of both, one over the other (DOMIAS, van
Breugel et al. 2023). Real neighbours are training and held-out rows alike, so that nothing but the synthetic table can
tell them apart. Every score is looked at in three ways, and the smallest p-value pays for all twelve looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabad.privacy.records import Records
from tabad.privacy.result import Figure
from tabad.privacy.statistics import auc, rank_tail, top_tail, true_positive_rate

if TYPE_CHECKING:
    from tabad.privacy.records import Space

__all__ = ["closeness", "membership"]

_NEIGHBOURS = 8
_TINY = 1e-6
"""In standard deviations: keeps a copy's score finite."""
_RATES = (0.01, 0.1)


def membership(
    space: Space, synthetic: Records, train: Records, holdout: Records, draw: np.random.Generator
) -> tuple[float, list[Figure]]:
    """P-value over all looks; AUC, and TPR at 1 % and 10 % FPR, of every score."""
    pool = Records.together(train, holdout)
    member = np.arange(len(pool)) < len(train)
    figures, tails = [], []
    for name, score in closeness(space, synthetic, pool).items():
        tails.append(rank_tail(score, member))
        area = auc(score, member)
        figures.append(Figure(f"AUC, {name}", area.value, area.low, area.high))
        for rate in _RATES:
            tails.append(top_tail(score, member, rate))
            found = true_positive_rate(score, member, rate, draw)
            figures.append(Figure(f"TPR at {rate:.0%} FPR, {name}", found.value, found.low, found.high))
    return min(1.0, len(tails) * min(tails)), figures


def closeness(space: Space, synthetic: Records, pool: Records) -> dict[str, Any]:
    """The four scores of every row of the pool, by name."""
    count = min(_NEIGHBOURS, len(synthetic), len(pool) - 1)
    made, _ = space.nearest(pool, synthetic, count)
    real, _ = space.nearest(pool, pool, count, own=True)
    reach = real[:, -1]
    width = (np.maximum(reach, _TINY) / 2)[:, None]
    return {
        "nearest": -made[:, 0],
        "nearest over real neighbours": -np.log((made[:, 0] + _TINY) / (real[:, : min(3, count)].mean(axis=1) + _TINY)),
        "count within reach": (made <= reach[:, None]).sum(axis=1).astype(np.float64),
        "kernel density ratio": _log_kernel(made, width) - _log_kernel(real, width),
    }


def _log_kernel(distance_BK: Any, width_B1: Any) -> Any:
    """`log sum_k exp(-d^2 / 2 h^2)` [B]."""
    exponent = -0.5 * (distance_BK / width_B1) ** 2
    most = exponent.max(axis=1)
    return most + np.log(np.exp(exponent - most[:, None]).sum(axis=1))

"""Which generated rows are worth having: near the real rare rows, no copies of them, and news to the classifier."""

# ruff: noqa: N815  (arrays carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .features import squared_distances

if TYPE_CHECKING:
    from .features import Features, Floats

__all__ = ["Judged", "keep"]

_COPY = 0.1
"""A row nearer to a real one than this share of the median distance between rare neighbours is a copy of it."""
_NEGATIVES = 0.9
"""A row that the classifier finds less rare than this share of the real other rows says nothing but noise."""
_FLOOR = 0.05


@dataclass(frozen=True)
class Judged:
    """Rows with what the detector and the classifier say of them."""

    x_BF: Floats
    score_B: npt.NDArray[np.float64]
    probability_B: npt.NDArray[np.float64]


def keep(made: Judged, rare: Judged, others: Judged, features: Features, count: int, seed: int) -> npt.NDArray[np.intp]:
    """At most `count` places among `made`, in their order.

    On the manifold: no odder to the detector than the oddest real rare row. No copy: see `_COPY`. Informative: above
    `_NEGATIVES` of the real other rows, and drawn the sooner the less sure the classifier is already.
    """
    between = squared_distances(rare.x_BF, rare.x_BF, features)
    np.fill_diagonal(between, np.inf)
    copy = _COPY**2 * float(np.median(between.min(axis=1)))
    nearest_B = squared_distances(made.x_BF, rare.x_BF, features).min(axis=1)
    fit_B = (made.score_B <= rare.score_B.max()) & (nearest_B > copy)
    fit_B &= ~_equal(made.x_BF, others.x_BF)
    fit_B &= made.probability_B > np.quantile(others.probability_B, _NEGATIVES)
    found = np.flatnonzero(fit_B)
    if len(found) <= count:
        return found
    weight = 1.0 - made.probability_B[found] + _FLOOR
    chosen = np.random.default_rng(seed).choice(found, count, replace=False, p=weight / weight.sum())
    return np.sort(chosen)


def _equal(x_BF: Floats, real_BF: Floats) -> npt.NDArray[np.bool_]:
    """Rows that are in every feature equal to one of the real rows."""
    known = {row.tobytes() for row in np.ascontiguousarray(real_BF)}
    return np.array([row.tobytes() in known for row in np.ascontiguousarray(x_BF)], bool)

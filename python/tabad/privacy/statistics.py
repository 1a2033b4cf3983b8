"""Tests and intervals that the attacks share; pure functions of counts and scores, in float64.

All tests ask one thing: are training rows (members) more exposed than held-out rows? Under the null hypothesis the
synthetic table owes as much to the ones as to the others, so that who is a member is a random draw from the pool of
both, whatever the scores are: the tests are permutation tests, and need no model of the data. One-sided p-values.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Z95",
    "Interval",
    "auc",
    "hypergeometric_tail",
    "rank_tail",
    "risk",
    "top_tail",
    "true_positive_rate",
    "wilson",
]

Z95 = 1.959964
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_RESAMPLES = 200


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: float, trials: int) -> Interval:
    """Share of hits, with Wilson's score interval (Wilson 1927). No trials: a share of 0 of which nothing is known."""
    if trials == 0:
        return Interval(0.0, 0.0, 1.0)
    centre, half = _wilson(hits, trials)
    return Interval(hits / trials, max(0.0, centre - half), min(1.0, centre + half))


def _wilson(hits: float, trials: int) -> tuple[float, float]:
    """Centre and half width of Wilson's interval."""
    weight = trials + Z95**2
    half = Z95 / weight * math.sqrt(hits * (trials - hits) / trials + Z95**2 / 4)
    return (hits + Z95**2 / 2) / weight, half


def risk(hits: int, trials: int, control_hits: int, control_trials: int) -> Interval:
    """`(main - control) / (1 - control)` of the success rates (Giomi et al. 2023, eq. 3), clipped to 0 ... 1.

    The interval carries the Wilson half widths of both rates through the quotient, as in section 4.4 there.
    """
    main, control = hits / trials, control_hits / control_trials
    if control >= 1.0:
        return Interval(0.0, 0.0, 1.0)
    (m, m_half), (c, c_half) = _wilson(hits, trials), _wilson(control_hits, control_trials)
    centre = (m - c) / (1 - c)
    half = math.hypot(m_half / (1 - c), (1 - m) / (1 - c) ** 2 * c_half)
    value = min(1.0, max(0.0, (main - control) / (1 - control)))
    return Interval(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)))


def hypergeometric_tail(hits: int, members: int, others: int, drawn: int) -> float:
    """P(at least `hits` members among `drawn` of the pool), 0 ... 1: Fisher's exact test, one-sided."""
    most, least = min(members, drawn), max(0, drawn - others)
    if hits <= least:
        return 1.0
    counts = np.arange(hits, most + 1)
    logs = _log_choose(members, counts) + _log_choose(others, drawn - counts) - _log_choose(members + others, drawn)
    return float(min(1.0, np.exp(logs).sum()))


def _log_choose(n: int, k: Any) -> Any:
    lgamma = np.vectorize(math.lgamma, otypes=[np.float64])
    return math.lgamma(n + 1) - lgamma(np.asarray(k) + 1.0) - lgamma(n - np.asarray(k) + 1.0)


def _mid_ranks(scores: Floats) -> Floats:
    """Ranks from 1, equal scores sharing their mean rank."""
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[where]


def rank_tail(scores: Floats, member: Bools) -> float:
    """P(members rank at least this high): Mann and Whitney's test, normal, corrected for ties and continuity."""
    n, m = int(member.sum()), int((~member).sum())
    if n == 0 or m == 0:
        return 1.0
    _, counts = np.unique(scores, return_counts=True)
    total = n + m
    ties = float((counts.astype(np.float64) ** 3 - counts).sum()) / (total * (total - 1))
    variance = n * m / 12 * (total + 1 - ties)
    if variance <= 0:
        return 1.0
    excess = float(_mid_ranks(scores)[member].sum()) - n * (total + 1) / 2
    return 0.5 * math.erfc((excess - 0.5) / math.sqrt(2 * variance))


def auc(scores: Floats, member: Bools) -> Interval:
    """Area under the ROC curve of members against others, with DeLong's interval (DeLong et al. 1988)."""
    n, m = int(member.sum()), int((~member).sum())
    ranks = _mid_ranks(scores)
    placed = (ranks[member] - _mid_ranks(scores[member])) / m
    beaten = 1 - (ranks[~member] - _mid_ranks(scores[~member])) / n
    value = float(placed.mean())
    half = Z95 * math.sqrt((placed.var(ddof=1) if n > 1 else 0) / n + (beaten.var(ddof=1) if m > 1 else 0) / m)
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def true_positive_rate(scores: Floats, member: Bools, rate: float, draw: np.random.Generator) -> Interval:
    """Share of members above the score that a share `rate` of the others exceeds; bootstrap interval of both."""
    inside, outside = scores[member], scores[~member]

    def at(inside: Floats, outside: Floats) -> float:
        allowed = int(rate * len(outside))
        threshold = np.partition(outside, len(outside) - 1 - allowed)[len(outside) - 1 - allowed]
        return float((inside > threshold).mean())

    drawn = [at(draw.choice(inside, len(inside)), draw.choice(outside, len(outside))) for _ in range(_RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = at(inside, outside)
    return Interval(value, min(value, float(low)), max(value, float(high)))


def top_tail(scores: Floats, member: Bools, share: float) -> float:
    """P(at least so many members among the highest scores of the pool); all that tie with the last one count."""
    drawn = max(1, math.ceil(share * len(scores)))
    threshold = np.partition(scores, len(scores) - drawn)[len(scores) - drawn]
    top = scores >= threshold
    hits, members = int((top & member).sum()), int(member.sum())
    return hypergeometric_tail(hits, members, len(scores) - members, int(top.sum()))

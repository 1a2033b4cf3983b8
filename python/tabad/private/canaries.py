"""How private is it at least not: an audit with planted canaries in one run (Steinke, Nasr and Jagielski 2023).

Each of m canaries is in the table or not by the toss of a coin; who sees what a mechanism gave away guesses which were,
and may pass where it is unsure. Under (epsilon, delta) so many right guesses are unlikely: what epsilon would make
them likely enough is a lower bound, which no honest mechanism exceeds but with probability 1 - confidence.
"""

import math
from collections.abc import Sequence

__all__ = ["epsilon_lower_bound", "guesses_right"]


def guesses_right(scores: Sequence[float], included: Sequence[bool], guesses: int) -> int:
    """Right guesses of the `guesses` most telling scores: as many of the highest (in) as of the lowest (out)."""
    order = sorted(range(len(scores)), key=lambda place: scores[place])
    half = guesses // 2
    return sum(not included[place] for place in order[:half]) + sum(included[place] for place in order[-half:])


def epsilon_lower_bound(canaries: int, guesses: int, right: int, *, delta: float, confidence: float = 0.95) -> float:
    """The largest epsilon that so many right guesses refute (theorem 5.2 there); 0 where they refute none."""
    low, high = 0.0, 1.0
    if not _refuted(canaries, guesses, right, low, delta, confidence):
        return 0.0
    while _refuted(canaries, guesses, right, high, delta, confidence):
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        refuted = _refuted(canaries, guesses, right, middle, delta, confidence)
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _refuted(canaries: int, guesses: int, right: int, epsilon: float, delta: float, confidence: float) -> bool:
    """True where (epsilon, delta) makes `right` right guesses of `guesses` less likely than 1 - confidence."""
    q = 1.0 / (1.0 + math.exp(-epsilon))
    log_q, log_p = math.log(q), math.log1p(-q)

    def mass(wins: int) -> float:
        if not 0 <= wins <= guesses:
            return 0.0
        choose = math.lgamma(guesses + 1) - math.lgamma(wins + 1) - math.lgamma(guesses - wins + 1)
        return math.exp(choose + wins * log_q + (guesses - wins) * log_p)

    beta = math.fsum(mass(wins) for wins in range(right, guesses + 1))
    alpha = total = 0.0
    for i in range(1, right + 1):
        total += mass(right - i)
        alpha = max(alpha, total / i)
    return beta + 2.0 * canaries * delta * alpha <= 1.0 - confidence

"""What a private fit may spend, and what it spent: Gaussian mechanisms only, composed exactly.

A Gaussian mechanism of L2 sensitivity D and standard deviation s is mu-GDP with mu = D / s; mechanisms that are chosen
one after the other, each from the answers before, compose to mu^2 = sum of mu_i^2 as long as that sum stays within a
bound fixed beforehand (Dong, Roth and Su 2022, cor. 3.3; Smith and Thakurta 2022, thm 3: filters). One formula turns
mu into (epsilon, delta), without loss (Balle and Wang 2018, thm 8). Adjacency: one row (or unit) added or removed.
"""

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Budget", "Spent", "delta_of", "epsilon_of", "mu_for"]


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def delta_of(mu: float, epsilon: float) -> float:
    """The smallest delta of a mu-GDP mechanism at this epsilon (Balle and Wang 2018, thm 8)."""
    if mu <= 0.0:
        return 0.0
    shift = epsilon / mu
    return max(0.0, _normal_cdf(mu / 2 - shift) - math.exp(epsilon) * _normal_cdf(-mu / 2 - shift))


def epsilon_of(mu: float, delta: float) -> float:
    """The smallest epsilon of a mu-GDP mechanism at this delta, rounded up in the tenth digit or so."""
    low, high = 0.0, 1.0
    while delta_of(mu, high) > delta:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if delta_of(mu, middle) > delta else (low, middle)
    return high


def mu_for(epsilon: float, delta: float) -> float:
    """The largest mu that (epsilon, delta) allows, rounded down."""
    low, high = 0.0, 1.0
    while delta_of(high, epsilon) <= delta:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if delta_of(middle, epsilon) <= delta else (low, middle)
    return low


@dataclass(frozen=True)
class Spent:
    """One Gaussian mechanism: what it was for, its L2 sensitivity, its standard deviation."""

    purpose: str
    sensitivity: float
    sigma: float

    @property
    def mu_squared(self) -> float:
        return (self.sensitivity / self.sigma) ** 2


@dataclass
class Budget:
    """mu^2 to spend, and every mechanism that took a part of it."""

    total: float
    spent: list[Spent] = field(default_factory=list)

    @property
    def used(self) -> float:
        return math.fsum(one.mu_squared for one in self.spent)

    @property
    def left(self) -> float:
        return max(0.0, self.total - self.used)

    def sigma(self, purpose: str, sensitivity: float, share: float) -> float:
        """The standard deviation of a mechanism that takes `share` (a part of mu^2), which is booked.

        Asking for more than is left is a bug of the caller.
        """
        if share <= 0.0 or share > self.left * (1.0 + 1e-9):
            raise AssertionError(f"{purpose} asks for {share} of {self.left}")
        sigma = sensitivity / math.sqrt(min(share, self.left))
        # A hair more noise than exact arithmetic asks for, so that the sum never exceeds the total by rounding.
        one = Spent(purpose, sensitivity, sigma * (1.0 + 1e-12))
        self.spent.append(one)
        return one.sigma

    def composition(self) -> list[dict[str, Any]]:
        """The mechanisms by purpose, in the order of their first use: how many, share of mu^2, standard deviations."""
        by_purpose: dict[str, list[Spent]] = {}
        for one in self.spent:
            by_purpose.setdefault(one.purpose, []).append(one)
        return [
            {
                "purpose": purpose,
                "mechanisms": len(ones),
                "share": round(math.fsum(one.mu_squared for one in ones) / self.total, 6),
                "noise": round(max(one.sigma for one in ones), 6),
            }
            for purpose, ones in by_purpose.items()
        ]

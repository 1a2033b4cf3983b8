"""The scale on which the network sees numbers: normal quantiles of the training rows, ties spread out.

A number is placed where its rank among the training rows is on a standard normal (TabDDPM, Kotelnikov et al. 2023,
section 3), so that every column has the shape that the noise has; wide gaps within a column of many values are kept,
so that clusters stay apart. A value that many rows share is an interval of the scale: training draws a place within
it, scoring takes its middle, and generation gives the value back from anywhere in it, so that zeros and round numbers
come back as often as they were. Beyond the training values a step on the scale is a step of the encoded number: how
far outside a value is stays visible.
Twins: `rust/core/src/network/quantile.rs`, `tests/oracle/network.py`. Axes: B rows, N numbers, K knots.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["KNOTS", "TABLES", "Quantiles", "fit", "within"]

KNOTS = 257
"""Places for known values: all of a column where it has fewer, else some evenly by rank."""

TABLES = ("knot", "low", "high", "middle")
"""The fields of `Quantiles` as a network names them, each [N, K]."""

_EDGE = 0.005
"""Ranks place the central 99 % of many values; the outer ones keep their distance, as values beyond them do."""

_WIDE, _GAP, _OUTER = 3.0, 0.5, 0.02
"""A gap that is so many times wider than its ranks say is kept, up to this width; none in the outer 2 % of the rows."""
_TRIM = 0.05
"""Share of a shared value's rows left out on either side of its interval: a margin to its neighbours."""


@dataclass(frozen=True)
class Quantiles:
    """Ascending values, the interval of the scale that each takes (a point, where no other row has it) and its median.

    Unused places repeat the last value. If there are any, the column has no other values, and what lies between two
    intervals is the nearer one's.
    """

    knot_NK: Tensor
    low_NK: Tensor
    high_NK: Tensor
    middle_NK: Tensor

    def place(self, x_BN: Tensor) -> tuple[Tensor, Tensor]:
        """The interval `(low_BN, high_BN)` of encoded numbers on the scale, float32."""
        return self._place(x_BN, self.low_NK), self._place(x_BN, self.high_NK)

    def middle(self, x_BN: Tensor) -> Tensor:
        """Where an encoded number is on the scale: the median of its interval, float32."""
        return self._place(x_BN, self.middle_NK)

    def _all_known(self) -> Tensor:
        """Per number [N, 1]; never of a scale that was not fitted, which has one value."""
        return (self.knot_NK[:, -1:] == self.knot_NK[:, -2:-1]) & (self.knot_NK[:, :1] < self.knot_NK[:, -1:])

    def _place(self, x_BN: Tensor, of_known_NK: Tensor) -> Tensor:
        x_NB = x_BN.double().T.contiguous()
        at_NB, here_NB, after_NB = _around(self.knot_NK, x_NB)
        knot, next_knot = _of(self.knot_NK, here_NB), _of(self.knot_NK, after_NB)
        high, next_low = _of(self.high_NK, here_NB), _of(self.low_NK, after_NB)
        share = ((x_NB - knot) / (next_knot - knot).clamp_min(1e-30)).clamp(0.0, 1.0)
        other = torch.where(after_NB == here_NB, high + (x_NB - knot), high + share * (next_low - high))
        other = torch.where(x_NB == knot, _of(of_known_NK, here_NB), other)
        below = self.low_NK[:, :1].double() + (x_NB - self.knot_NK[:, :1].double())
        return torch.where(at_NB < 0, below, other).T.float()

    def value(self, z_BN: Tensor) -> Tensor:
        """The encoded number at a place of the scale, float32: the inverse of `place`."""
        z_NB = z_BN.double().T.contiguous()
        at_NB, here_NB, after_NB = _around(self.low_NK, z_NB)
        knot, next_knot = _of(self.knot_NK, here_NB), _of(self.knot_NK, after_NB)
        high, next_low = _of(self.high_NK, here_NB), _of(self.low_NK, after_NB)
        share = ((z_NB - high) / (next_low - high).clamp_min(1e-30)).clamp(0.0, 1.0)
        share = torch.where(self._all_known(), share.round(), share)
        other = torch.where(after_NB == here_NB, knot + (z_NB - high), knot + share * (next_knot - knot))
        other = torch.where(z_NB <= high, knot, other)
        below = self.knot_NK[:, :1].double() + (z_NB - self.low_NK[:, :1].double())
        return torch.where(at_NB < 0, below, other).T.float()


def fit(x_BN: Tensor, present_BN: Tensor) -> Quantiles:
    """The scale of these training rows; a number that is never present keeps its encoded value."""
    if x_BN.shape[1] == 0:
        return Quantiles(*torch.zeros(4, 0, KNOTS, device=x_BN.device))
    tables = [_column(x_BN[present_BN[:, number], number].double()) for number in range(x_BN.shape[1])]
    ranked = Quantiles(*torch.stack(tables, dim=1).float())
    low_BN, high_BN = ranked.place(x_BN)
    rows_N = present_BN.sum(dim=0).clamp_min(1)
    middle_BN = 0.5 * (low_BN + high_BN).double()
    mean_N = torch.where(present_BN, middle_BN, 0.0).sum(dim=0) / rows_N
    # Of a row spread evenly over its interval.
    square_BN = (middle_BN - mean_N).square() + (high_BN - low_BN).double().square() / 12.0
    deviation_N = (torch.where(present_BN, square_BN, 0.0).sum(dim=0) / rows_N).sqrt()
    deviation_N = torch.where(present_BN.any(dim=0), deviation_N.clamp_min(1e-3), 1.0)

    def standard(place_NK: Tensor) -> Tensor:
        return ((place_NK.double() - mean_N[:, None]) / deviation_N[:, None]).float()

    return Quantiles(ranked.knot_NK, standard(ranked.low_NK), standard(ranked.high_NK), standard(ranked.middle_NK))


def within(low_BN: Tensor, high_BN: Tensor, *, generator: torch.Generator) -> Tensor:
    """A place drawn evenly within each interval."""
    share_BN = torch.rand(low_BN.shape, generator=generator, device=low_BN.device)
    return low_BN + share_BN * (high_BN - low_BN)


def _around(table_NK: Tensor, sought_NB: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Index of the last entry not above, -1 for none; that index and the next, both within the table."""
    at_NB = torch.searchsorted(table_NK.double().contiguous(), sought_NB, right=True) - 1
    here_NB = at_NB.clamp_min(0)
    return at_NB, here_NB, (here_NB + 1).clamp_max(table_NK.shape[1] - 1)


def _of(table_NK: Tensor, at_NB: Tensor) -> Tensor:
    return table_NK.double().gather(1, at_NB)


def _column(x_B: Tensor) -> Tensor:
    """(knot, low, high, middle) x K of one column in float64."""
    if len(x_B) == 0:
        return torch.zeros(4, KNOTS, dtype=torch.float64, device=x_B.device)
    values, counts = x_B.unique(return_counts=True)  # type: ignore[no-untyped-call]
    rows, up_to = len(x_B), counts.cumsum(0)
    if len(values) >= KNOTS:
        shares = torch.linspace(_EDGE, 1.0 - _EDGE, KNOTS, dtype=torch.float64, device=x_B.device)
        ranks = (shares * (rows - 1)).round().long()
        chosen = torch.searchsorted(up_to, ranks, right=True).clamp_max(len(values) - 1)
        free = torch.ones(len(values), dtype=torch.bool, device=x_B.device).index_fill(0, chosen, False)
        central = free & (up_to >= ranks[0]) & (up_to <= ranks[-1])
        room = KNOTS - int(len(values) - free.sum())
        # Shared values take several ranks: others fill their places, so that none is left unused.
        rest = (central if int(central.sum()) >= room else free).nonzero()[:, 0]
        more = rest[torch.arange(room, device=x_B.device) * len(rest) // max(room, 1)]
        chosen = torch.cat([chosen, more]).unique()  # type: ignore[no-untyped-call]
    else:
        chosen = torch.arange(len(values), device=x_B.device)
    counts, ends = counts[chosen], up_to[chosen].double()
    trim = torch.where(counts > 1, _TRIM * counts, 0.5 * counts)
    ranks_3K = torch.stack([ends - counts + trim, ends - trim, ends - 0.5 * counts])
    places_3K = torch.special.ndtri(ranks_3K / rows)
    if len(values) >= KNOTS:
        places_3K = places_3K + _gaps(values[chosen], places_3K, ends / rows)
    low, high, middle = places_3K
    table = torch.stack([values[chosen], low, high, middle])
    return torch.cat([table, table[:, -1:].expand(4, KNOTS - table.shape[1])], dim=1)


def _gaps(knot_K: Tensor, places_3K: Tensor, share_K: Tensor) -> Tensor:
    """How far each knot moves up, so that clusters stay apart: how much wider gaps are than ranks say."""
    low, high, _ = places_3K
    excess = (knot_K.diff() - _WIDE * (low[1:] - high[:-1])).clamp(0.0, _GAP)
    inner = (share_K[:-1] > _OUTER) & (share_K[:-1] < 1.0 - _OUTER)
    moved: Tensor = torch.cat([excess.new_zeros(1), torch.where(inner, excess, 0.0).cumsum(0)])
    return moved

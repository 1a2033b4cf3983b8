"""Numbers are generated as spread as the training rows have them: each is moved to where its rank is among those.

A network that is right to a hundredth at every step leaves a column a little too wide, or a spike of zeros a little too
low. Quantile mapping (Cannon, Sobie and Murdock 2015, section 2) carries one column's distribution into another and
keeps its order, and so how the column hangs together with the others.
Axes: B rows, N numbers, K quantiles.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["TABLES", "Marginals", "fit"]

TABLES = ("drawn", "wanted")
"""The fields of `Marginals` as a network names them, each [N, K]."""

_FEWEST = 100
"""Values, drawn or wanted, below which a column is left as it is: its quantiles are mostly chance."""


@dataclass(frozen=True)
class Marginals:
    """The same quantiles of what the network draws and of the training rows, on the network's scale, ascending."""

    drawn_NK: Tensor
    wanted_NK: Tensor

    def move(self, x_BN: Tensor) -> Tensor:
        """Drawn numbers on the network's scale, moved: between two quantiles in proportion, beyond them in parallel."""
        x_NB = x_BN.T.contiguous()
        last = self.drawn_NK.shape[1] - 1
        after_NB = torch.searchsorted(self.drawn_NK, x_NB, right=True).clamp(1, last)
        low_NB, high_NB = self.drawn_NK.gather(1, after_NB - 1), self.drawn_NK.gather(1, after_NB)
        to_low_NB, to_high_NB = self.wanted_NK.gather(1, after_NB - 1), self.wanted_NK.gather(1, after_NB)
        share_NB = ((x_NB - low_NB) / (high_NB - low_NB).clamp_min(1e-12)).clamp(0.0, 1.0)
        inner_NB = to_low_NB + share_NB * (to_high_NB - to_low_NB)
        outside_NB = (x_NB - high_NB).clamp_min(0.0) + (x_NB - low_NB).clamp_max(0.0)
        return (inner_NB + outside_NB).T


def fit(drawn_BN: Tensor, drawn_there_BN: Tensor, wanted_BN: Tensor, there_BN: Tensor, quantiles: int) -> Marginals:
    """The tables of these columns, of rows where they are there; a column of few values stays where it is."""
    share_K = (torch.arange(quantiles, device=drawn_BN.device) + 0.5) / quantiles
    drawn_NK, wanted_NK = torch.zeros(2, drawn_BN.shape[1], quantiles, device=drawn_BN.device)
    for number in range(drawn_BN.shape[1]):
        drawn_B = drawn_BN[drawn_there_BN[:, number], number]
        wanted_B = wanted_BN[there_BN[:, number], number]
        if min(len(drawn_B), len(wanted_B)) >= _FEWEST:
            drawn_NK[number] = drawn_B.quantile(share_K)
            wanted_NK[number] = wanted_B.quantile(share_K)
    return Marginals(drawn_NK, wanted_NK)

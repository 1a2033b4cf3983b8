"""Numbers as the network's first layer is fed them: as they are, pulled to the mean, and in pieces of the scale.

What is expected of clean numbers that hang together is, where noise is all, the noised ones times 1 / (1 + sigma^2) and
a matrix (they are normal on the scale). Of c_in x and the level a perceptron has to learn that factor, and takes what
they have in common for up to three times as large: told c_skip x too, a first layer has it.

In pieces: piecewise linear encoding (Gorishniy, Rubachev and Babenko 2022, eq. 1). A few pieces lie between quantiles
of a standard normal, since that is how noised numbers times c_in are spread at every level; many are equally wide, so
that those in the middle are no finer than what noise leaves. Less the encoding of 0, so that a number that is not seen
adds nothing. Twins: `rust/core/src/network/pieces.rs`, `tests/oracle/network.py`.
Axes: B rows, N numbers, K pieces.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PIECES", "edges", "in_pieces", "told"]

PIECES = 8
_OUTER = 1.0
"""How wide the outer ones of a few pieces are; what lies beyond them is told by the number itself."""
_MANY, _REACH = 20, 3.25
"""From so many on they are equally wide, over so much on either side of 0."""


def edges(pieces: int) -> list[float]:
    """Where the pieces begin and end, ascending [K + 1]."""
    if pieces >= _MANY:
        return [_REACH * (2 * place / pieces - 1) for place in range(pieces + 1)]
    inner = [NormalDist().inv_cdf(place / pieces) for place in range(1, pieces)] or [0.0]
    return [inner[0] - _OUTER, *inner, inner[-1] + _OUTER][-pieces - 1 :]


def told(number_BN: Tensor, level_BN: Tensor, edge_K: Tensor) -> Tensor:
    """Numbers c_in x, then c_skip x, then the pieces of each [B, N (2 + K)]; `level_BN` is ln(sigma) / 4."""
    # c_skip = c_in^2 = 1 / (1 + sigma^2).
    skipped_BN = number_BN * (1.0 + (8.0 * level_BN).exp()).rsqrt()
    return torch.cat([number_BN, skipped_BN, in_pieces(number_BN, edge_K)], dim=1)


def in_pieces(number_BN: Tensor, edge_K: Tensor) -> Tensor:
    """How much of each piece lies between 0 and a number, below 0 as a negative share [B, N K]."""
    low_K, high_K = edge_K[:-1], edge_K[1:]
    inside_BNK = number_BN.unsqueeze(-1).clamp(low_K, high_K) - high_K.clamp(max=0.0).maximum(low_K)
    return (inside_BNK / (high_K - low_K)).flatten(1)

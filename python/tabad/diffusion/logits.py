"""Logits worked out where a sampler asks for them: it reveals each cell once, so of most cells none is looked at.

The last layer is the widest of the network where columns have many codes. On a processor it is multiplied for the rows
that reveal a cell of a bucket in this step, and for that bucket alone; on a GPU, which multiplies faster than it counts
such rows, it is multiplied whole. Any callable with the network's signature can be asked too.
Axes: B rows, N numbers, C category columns, S codes, H width, M cells, K codes of a column of a bucket.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .layout import Index
    from .predict import Forward

__all__ = ["Answer", "Logits", "Whole", "answers"]


class Logits(Protocol):
    """Of every code of every row, worked out or not."""

    def __len__(self) -> int:
        """Rows."""

    def whole(self) -> Tensor:
        """All of them [B, S]."""

    def cells(self, bucket: int, row_M: Tensor, member_M: Tensor) -> Tensor:
        """Those of cells [M, K]: rows, ascending, and which column of the bucket. A column's padding is no logit."""

    def towards(self, other: Logits, weight: float) -> Logits:
        """These, and `weight` times the way from them to others of the same network."""


class Answer(Protocol):
    """The network's signature, with logits that may still have to be worked out."""

    def __call__(
        self, number_BN: Tensor, level_BP: Tensor, hidden_BP: Tensor, code_BC: Tensor, label_B: Tensor, /
    ) -> tuple[Tensor, Logits]: ...


@runtime_checkable
class Stated(Protocol):
    """A network that gives what its last layer sees [B, H], and that layer."""

    head: Tensor
    head_bias: Tensor

    def state(
        self, number_BN: Tensor, level_BP: Tensor, hidden_BP: Tensor, code_BC: Tensor, label_B: Tensor, /
    ) -> Tensor: ...


@dataclass(frozen=True)
class Whole:
    """Logits that are there [B, S]."""

    logits_BS: Tensor
    index: Index

    def __len__(self) -> int:
        return len(self.logits_BS)

    def whole(self) -> Tensor:
        return self.logits_BS

    def cells(self, bucket: int, row_M: Tensor, member_M: Tensor) -> Tensor:
        _, places_nK = self.index.buckets[bucket]
        return self.logits_BS[row_M[:, None], places_nK[member_M].clamp_max(self.logits_BS.shape[1] - 1)]

    def towards(self, other: Logits, weight: float) -> Logits:
        return Whole(self.logits_BS + weight * (other.whole() - self.logits_BS), self.index)


class _Head:
    """The last layer, cut into numbers, codes and buckets of columns."""

    def __init__(self, net: Stated, index: Index) -> None:
        numbers, codes = index.layout.numbers, index.layout.codes
        self.number = net.head[:, :numbers].contiguous(), net.head_bias[:numbers]
        self.code = net.head[:, numbers:], net.head_bias[numbers:]
        self.buckets = []
        for _, places_nK in index.buckets:
            at = numbers + places_nK.clamp_max(codes - 1).flatten()
            self.buckets.append((net.head[:, at], net.head_bias[at], places_nK.shape))


@dataclass(frozen=True)
class _Asked:
    """Logits that are worked out when asked for. They are affine in the state, and so are mixtures of them."""

    state_BH: Tensor
    head: _Head

    def __len__(self) -> int:
        return len(self.state_BH)

    def whole(self) -> Tensor:
        weight_HS, bias_S = self.head.code
        return torch.addmm(bias_S, self.state_BH, weight_HS).float()

    def cells(self, bucket: int, row_M: Tensor, member_M: Tensor) -> Tensor:
        weight, bias, shape = self.head.buckets[bucket]
        row_R, place_M = row_M.unique_consecutive(return_inverse=True)  # type: ignore[no-untyped-call]
        logits_RnK = torch.addmm(bias, self.state_BH[row_R], weight).view(-1, *shape)
        return logits_RnK[place_M, member_M].float()

    def towards(self, other: Logits, weight: float) -> Logits:
        if not isinstance(other, _Asked):
            raise TypeError("logits of another network")
        own_BH, other_BH = self.state_BH.float(), other.state_BH.float()
        return replace(self, state_BH=(own_BH + weight * (other_BH - own_BH)).to(self.state_BH.dtype))


def answers(net: Forward, index: Index) -> Answer:
    """The network, as a sampler asks it."""
    if index.device.type == "cpu" and isinstance(net, Stated):
        return _asked(net, index)

    def whole(
        number_BN: Tensor, level_BP: Tensor, hidden_BP: Tensor, code_BC: Tensor, label_B: Tensor
    ) -> tuple[Tensor, Logits]:
        raw_BN, logits_BS = net(number_BN, level_BP, hidden_BP, code_BC, label_B)
        return raw_BN, Whole(logits_BS, index)

    return whole


def _asked(net: Stated, index: Index) -> Answer:
    head = _Head(net, index)

    def asked(
        number_BN: Tensor, level_BP: Tensor, hidden_BP: Tensor, code_BC: Tensor, label_B: Tensor
    ) -> tuple[Tensor, Logits]:
        state_BH = net.state(number_BN, level_BP, hidden_BP, code_BC, label_B)
        weight_HN, bias_N = head.number
        return torch.addmm(bias_N, state_BH, weight_HN).float(), _Asked(state_BH, head)

    return asked

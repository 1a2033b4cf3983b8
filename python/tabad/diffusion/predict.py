"""A corrupted row in the network's terms: what it is fed, and how its raw output becomes a prediction.

The one place where levels per table column meet numbers and categories. Any callable with the network's signature
will do. Axes: B rows, N numbers, C category columns, P table columns, S codes.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from torch import Tensor

from . import gaussian
from .categorical import MASK
from .device import has_bfloat16
from .schedule import Preconditioning, precondition

if TYPE_CHECKING:
    from collections.abc import Callable

    from .denoiser import Denoiser
    from .layout import Index

__all__ = ["Forward", "Inputs", "in_bfloat16", "inputs", "predict"]

Codes = TypeVar("Codes")
"""What a network says of the codes: logits, or what gives them."""


class Forward(Protocol):
    """The network's signature."""

    def __call__(
        self, number_BN: Tensor, level_BP: Tensor, hidden_BP: Tensor, code_BC: Tensor, label_B: Tensor, /
    ) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Inputs:
    """What the network is fed, and the scales that turn its raw output into numbers."""

    number_BN: Tensor
    level_BP: Tensor
    hidden_BP: Tensor
    code_BC: Tensor
    scales: Preconditioning
    """Per number [B, N]; those of a hidden column where the number is not seen."""
    clipped_BN: Tensor


def inputs(x_BN: Tensor, code_BC: Tensor, sigma_BP: Tensor, index: Index) -> Inputs:
    """The network's inputs for numbers `x_BN` (noise included) and codes as seen, at levels `sigma_BP`.

    Whatever a hidden column holds is replaced here, so that it cannot reach the network.
    """
    code_BC = torch.where(sigma_BP.index_select(1, index.column_C) < 0, MASK, code_BC)
    per_column = precondition(sigma_BP)
    seen_BN = index.present(code_BC) & (sigma_BP.index_select(1, index.column_N) >= 0)
    at = index.column_N
    scales = Preconditioning(
        skip=torch.where(seen_BN, per_column.skip.index_select(1, at), 0.0),
        out=torch.where(seen_BN, per_column.out.index_select(1, at), 1.0),
        scale=torch.where(seen_BN, per_column.scale.index_select(1, at), 0.0),
        noise=per_column.noise.index_select(1, at),
        hidden=per_column.hidden.index_select(1, at),
    )
    clipped_BN = torch.where(seen_BN, x_BN.clamp(-gaussian.CLIP, gaussian.CLIP), 0.0)
    number_BN = scales.scale * clipped_BN
    return Inputs(number_BN, per_column.noise, per_column.hidden, code_BC, scales, clipped_BN)


def predict(
    net: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Codes]],
    x_BN: Tensor,
    code_BC: Tensor,
    sigma_BP: Tensor,
    label_B: Tensor,
    index: Index,
) -> tuple[Tensor, Codes]:
    """`(mean_BN, logits)`: the clean numbers expected and the logits of every code, as the network gives them."""
    fed = inputs(x_BN, code_BC, sigma_BP, index)
    raw_BN, logits = net(fed.number_BN, fed.level_BP, fed.hidden_BP, fed.code_BC, label_B)
    return gaussian.denoised(raw_BN, fed.clipped_BN, fed.scales), logits


def in_bfloat16(net: Denoiser) -> Forward:
    """The network as a sampler calls it: in bfloat16 where the device multiplies that natively, else itself.

    A prediction then has about three digits, of which a step of a sampler adds a part to a row that keeps all of its
    own; sums of codes are still float32, whose lookup is faster.
    """
    if not has_bfloat16(net.knot.device):
        return net
    half = copy.deepcopy(net).to(torch.bfloat16)
    half.code, half.edge = net.code, net.edge
    return _Half(half)


class _Half:
    """A network whose weights are bfloat16; what it says is float32."""

    def __init__(self, half: Denoiser) -> None:
        self.head, self.head_bias, self.state = half.head, half.head_bias, half.state
        self._half = half

    def __call__(
        self, number_BN: Tensor, level_BP: Tensor, hidden_BP: Tensor, code_BC: Tensor, label_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        raw_BN, logits_BS = self._half(number_BN, level_BP, hidden_BP, code_BC, label_B)
        return raw_BN.float(), logits_BS.float()

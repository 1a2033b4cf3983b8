"""Where the units of a student begin: near which training rows they answer, as in a network of radial basis functions
(Moody and Darken 1989).

The score of a row is mostly how far it is from others, and the first layer of a student, a sum of curves, can say the
squared distance to one place exactly: -(x - p)^2 / 2 is a curve per number, a shared code a point. From random curves a
brief training never found such units; pendigits lost 34 points of AP to its teacher, from here it loses 3. A place is
the mean of some neighbours, never one row. Scoring costs the same.
Axes: B rows, N numbers, C category columns, S codes, K knots, U units, M neighbours, H width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from .layout import PRESENT

if TYPE_CHECKING:
    from .student import Student

__all__ = ["begin_at_rows"]

_NEIGHBOURS = 8
"""Rows that a place is the mean of."""
_POOL = 8_192
"""Rows that neighbours are looked for among."""
_SAMPLE = 1_024
"""Rows that say how far is far."""
_ANSWERED = 0.2
"""Share of the rows that a unit answers to."""
_FAR = 4.0
"""A number is nowhere further from a place."""
_LEAST_SPREAD = 1e-3


@torch.no_grad()
def begin_at_rows(net: Student, x_BN: Tensor, c_BC: Tensor, *, generator: torch.Generator) -> None:
    """Set the units of an untrained student to places among these rows."""
    pool_B = torch.randperm(len(c_BC), generator=generator, device=generator.device)[:_POOL]
    x_BN, c_BC = x_BN[pool_B], c_BC[pool_B]
    place_UN, code_SU = _places(net, x_BN, c_BC)
    # A curve per number, from its first knot on; what it is there counts for every row that has the number.
    curve_UNK = -_gap(net.knot[None], place_UN[:, :, None]).square() / 2.0
    step_NKU = curve_UNK.diff(dim=2).permute(1, 2, 0)
    present_N = net.index.offset_C[net.index.status_N] + PRESENT
    code_SU.index_add_(0, present_N, curve_UNK[:, :, 0].T)

    x_BN, c_BC = x_BN[:_SAMPLE], c_BC[:_SAMPLE]
    near_BU = functional.embedding_bag(c_BC + net.index.offset_C, code_SU, mode="sum")
    near_BU += net.shares(x_BN, c_BC).flatten(1) @ step_NKU.flatten(0, 1)
    scale_U = 1.0 / near_BU.std(dim=0).clamp_min(_LEAST_SPREAD)
    net.step.copy_(step_NKU * scale_U)
    net.slope.zero_()
    net.code.copy_(code_SU * scale_U)
    net.bias.copy_(-near_BU.quantile(1.0 - _ANSWERED, dim=0) * scale_U)


def _places(net: Student, x_BN: Tensor, c_BC: Tensor) -> tuple[Tensor, Tensor]:
    """`(numbers [U, N], shares of codes [S, U])`: means of the rows nearest to the first ones, one a unit.

    An absent number is a 0, which its neighbours will mostly lack as well.
    """
    index, units, device = net.index, net.bias.shape[0], c_BC.device
    own_U = torch.arange(units, device=device) % len(c_BC)
    x_BN = torch.where(index.present(c_BC), x_BN, 0.0)
    far_UB = torch.zeros(units, len(c_BC), device=device)
    for number_B in x_BN.unbind(1):
        far_UB += _gap(number_B[own_U, None], number_B).square() / 2.0
    for code_B in c_BC.unbind(1):
        far_UB += code_B[own_U, None] != code_B
    near_UM = far_UB.topk(min(_NEIGHBOURS, len(c_BC)), dim=1, largest=False).indices
    share_SU = torch.zeros(net.code.shape[0], units, device=device)
    place_UMC = c_BC[near_UM] + index.offset_C
    unit_UMC = torch.arange(units, device=device)[:, None, None].expand_as(place_UMC)
    share = torch.tensor(1.0 / near_UM.shape[1], device=device)
    share_SU.index_put_((place_UMC.flatten(), unit_UMC.flatten()), share, accumulate=True)
    return x_BN[near_UM].mean(dim=1), share_SU


def _gap(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().clamp_max(_FAR)

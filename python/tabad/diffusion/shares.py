"""Codes are generated as often as the training rows have them: the output bias makes up for what sampling adds.

A network that is right to a hundredth at every step is a little off in every share after twenty of them. Rows are drawn
twice, and each code's bias moves by most of the logarithm of how much too rare it was; a code's share given the rest of
its row keeps its odds against the column's other codes but for that factor.
Axes: B rows, C category columns, S codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .categorical import counts
from .predict import in_bfloat16
from .sample import sample

if TYPE_CHECKING:
    from .denoiser import Denoiser
    from .layout import Index

__all__ = ["begin", "draw", "match"]

_ROUNDS, _PACE, _MOST = 2, 0.7, 0.5
_PRIOR = 5.0
"""Rows added to every count: a code that chance alone made rare stays nearly as it is."""


@torch.no_grad()
def begin(net: Denoiser, share_S: Tensor) -> None:
    """Codes begin as likely as that, each column by itself: a brief training then need not learn it first."""
    net.head_bias[net.config.layout.numbers :] = share_S.log()


def match(net: Denoiser, c_BC: Tensor, index: Index, rows: int, *, generator: torch.Generator) -> None:
    """Move the output bias of `net` until as many of `rows` generated rows have each code as of the training rows."""
    wanted_S = counts(c_BC, index) * (rows / len(c_BC))
    for _ in range(_ROUNDS):
        _, drawn_BC = draw(net, index, rows, forbidden_S=wanted_S == 0, generator=generator)
        too_rare_S = ((wanted_S + _PRIOR) / (counts(drawn_BC, index) + _PRIOR)).log()
        step_S = (_PACE * too_rare_S).clamp(-_MOST, _MOST)
        with torch.no_grad():
            net.head_bias[index.layout.numbers :] += step_S


def draw(
    net: Denoiser, index: Index, rows: int, *, forbidden_S: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Rows `(x_BN, c_BC)` as a model of this network generates them: without a label, and no forbidden code."""
    return sample(
        in_bfloat16(net),
        rows,
        index,
        net.config.kind,
        generator=generator,
        untold=net.config.classes,
        forbidden_S=forbidden_S,
        atoms=net.atoms.on_scale(net.scale),
    )

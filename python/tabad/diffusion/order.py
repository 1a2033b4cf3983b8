"""When a sampler reveals each masked cell: categories of a row one after the other.

Categories that are revealed in the same step are drawn apart from each other, and what hangs together comes out as if
it did not. Which cell is revealed when is free in masked diffusion (any order is one of the same distribution: Shi et
al. 2024, section 3): so the cells of a row stand in an order of their own, drawn evenly, and share no step as long as
there are steps enough. Statuses come first, earlier than in training: a number that begins late has missed what the
others agreed on, and where many hang together their common spread would be too small.
Axes: B rows, C category columns, K categories that are no statuses, in the order of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .categorical import corruption_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .layout import Index

__all__ = ["reveal_steps"]

_SOONER = 4.0
"""A status is revealed as if the level were so much lower. With an exact denoiser of six numbers that correlate by 0.9
and are each missing in a tenth of the rows, their mean is 16 % too narrow without, 4 % with it."""


def reveal_steps(rows: int, levels: Sequence[float], index: Index, *, generator: torch.Generator) -> Tensor:
    """The step [B, C] at whose end each cell is revealed, when a sampler goes through these falling `levels`.

    In the mean over rows a cell is still masked after a step with probability share(level) / share(first level)
    (Shi et al. 2024, eq. 7), but for what keeps cells of a row apart.
    """
    device, last = index.device, len(levels) - 2
    level_T1 = torch.tensor(levels, device=device)[:, None]
    share_TC = corruption_share(torch.where(index.is_status_C, level_T1 / _SOONER, level_T1), index.is_status_C)
    masked_TC = share_TC[1:] / share_TC[0]
    own_C = (~index.is_status_C).nonzero()[:, 0]
    uniform_BC = torch.rand(rows, len(index.size_C), generator=generator, device=device)
    if len(own_C):
        order_BK = torch.rand(rows, len(own_C), generator=generator, device=device).argsort(dim=1)
        strata_BC = uniform_BC[:, own_C].add(order_BK).div(len(own_C))
        uniform_BC = uniform_BC.index_copy(1, own_C, strata_BC)
    when_BC = (1.0 - uniform_BC[:, None] < masked_TC).sum(dim=1)
    if len(own_C):
        place_K = torch.arange(len(own_C), device=device)
        abreast = -(-len(own_C) // (last + 1))
        column_BK = order_BK.argsort(dim=1)
        when_BK = when_BC[:, own_C].gather(1, column_BK)
        when_BK = (when_BK - place_K // abreast).cummax(dim=1).values + place_K // abreast
        when_BK = torch.minimum(when_BK, last - (len(own_C) - 1 - place_K) // abreast)
        when_BC = when_BC.index_copy(1, own_C, torch.zeros_like(when_BK).scatter(1, column_BK, when_BK))
    return when_BC

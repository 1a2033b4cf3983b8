"""One-hot codes times their weights.

On a processor a sum of the rows asked for. On a GPU a product with zeros and ones, whose gradient is a product again:
that of a look-up sorts the codes of a batch, more than a tenth of a step, and adds in an order of its own.
Axes: B rows, C category columns, S rows of the table, H width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["one_hot", "sum_of_rows"]

_MOST_CELLS = 2**27
"""Zeros and ones beyond which a GPU looks rows up too: half a gigabyte."""


def sum_of_rows(place_BC: Tensor, table_SH: Tensor, nothing: int | None = None) -> Tensor:
    """The sum [B, H] of the rows of a table at these places; place `nothing` adds nothing, nor does it learn."""
    if place_BC.device.type == "cpu" or len(place_BC) * len(table_SH) > _MOST_CELLS:
        return functional.embedding_bag(place_BC, table_SH, mode="sum", padding_idx=nothing)
    return _product(place_BC, table_SH, nothing)


def one_hot(place_BC: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Ones at these places, zeros elsewhere [B, S]; a place that comes twice counts twice."""
    ones = torch.ones(1, 1, dtype=dtype, device=place_BC.device).expand(place_BC.shape)
    return torch.zeros(len(place_BC), size, dtype=dtype, device=place_BC.device).scatter_add_(1, place_BC, ones)


def _product(place_BC: Tensor, table_SH: Tensor, nothing: int | None) -> Tensor:
    one_hot_BS = one_hot(place_BC, len(table_SH), table_SH.dtype)
    if nothing is not None:
        one_hot_BS[:, nothing] = 0.0
    return one_hot_BS @ table_SH

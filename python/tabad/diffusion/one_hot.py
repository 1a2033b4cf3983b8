"""One-hot codes times their weights.

On a processor a sum of the rows asked for. On a GPU a product with zeros and ones, whose gradient is a product again:
that of a look-up sorts the codes of a batch, more than a tenth of a step, and adds in an order of its own.
Axes: B rows, C category columns, S rows of the table, H width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["sum_of_rows"]

_MOST_CELLS = 2**27
"""Zeros and ones beyond which a GPU looks rows up too: half a gigabyte."""


def sum_of_rows(place_BC: Tensor, table_SH: Tensor, nothing: int | None = None) -> Tensor:
    """The sum [B, H] of the rows of a table at these places; place `nothing` adds nothing, nor does it learn."""
    if place_BC.device.type == "cpu" or len(place_BC) * len(table_SH) > _MOST_CELLS:
        return functional.embedding_bag(place_BC, table_SH, mode="sum", padding_idx=nothing)
    return _product(place_BC, table_SH, nothing)


def _product(place_BC: Tensor, table_SH: Tensor, nothing: int | None) -> Tensor:
    one_hot_BS = table_SH.new_zeros(len(place_BC), len(table_SH))
    one_hot_BS.scatter_add_(1, place_BC, one_hot_BS.new_ones(1, 1).expand(place_BC.shape))
    if nothing is not None:
        one_hot_BS[:, nothing] = 0.0
    return one_hot_BS @ table_SH

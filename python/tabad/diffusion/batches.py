"""Training rows: kept on the device, drawn by index there, corrupted, and turned into a loss.

No loader: a batch is one gather. Axes: B rows, N numbers, C category columns, P table columns.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import atoms, categorical, gaussian, quantile
from .predict import inputs
from .schedule import SIGMA_MIN, draw_levels

if TYPE_CHECKING:
    from .categorical import Kind
    from .denoiser import Denoiser
    from .layout import Index
    from .quantile import Quantiles

__all__ = ["Corrupted", "Rows", "batch_loss", "corrupt", "draw_rows", "loss_sum", "on_scale", "take", "to_rows"]


@dataclass(frozen=True)
class Rows:
    """Rows on a device. `by_label` orders the rows by label, `starts` and `counts` find each label there."""

    x_BN: Tensor
    """Encoded numbers."""
    low_BN: Tensor
    high_BN: Tensor
    """Their interval on the network's scale; until that is fitted (`on_scale`) the encoded number itself."""
    c_BC: Tensor
    label_B: Tensor | None = None
    by_label: Tensor | None = None
    starts: Tensor | None = None
    counts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.c_BC)


@dataclass(frozen=True)
class Corrupted:
    """A batch as the network sees it and as it was."""

    x_BN: Tensor
    c_BC: Tensor
    noisy_BN: Tensor
    seen_BC: Tensor
    sigma_BP: Tensor
    label_B: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, in the order in which it is made from."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def split(self, rows: int) -> list[Corrupted]:
        """In batches of so many rows."""
        parts = (torch.split(whole, rows) for whole in self.tensors())
        return [Corrupted(*part) for part in zip(*parts, strict=True)]


def to_rows(
    x: npt.NDArray[np.float32],
    c: npt.NDArray[np.uint16],
    labels: npt.NDArray[np.uint16] | None,
    index: Index,
) -> Rows:
    """The arrays on the index's device, numbers clipped to what the network sees.

    Raises ValueError for arrays of another shape, codes beyond their size and numbers that are not finite.
    """
    layout = index.layout
    if x.shape != (len(x), layout.numbers) or c.shape != (len(x), layout.categories):
        expected = f"{layout.numbers} numbers and {layout.categories} categories"
        raise ValueError(f"x {x.shape} and c {c.shape} do not fit {expected}")
    if len(c) and (c.max(axis=0, initial=0) >= np.asarray(layout.sizes, dtype=np.int64)).any():
        raise ValueError("a category holds a code that its size does not allow")
    if not np.isfinite(x).all():
        raise ValueError("x holds a number that is not finite; absent numbers are 0")
    x_BN = torch.tensor(x, dtype=torch.float32, device=index.device).clamp(-gaussian.CLIP, gaussian.CLIP)
    c_BC = torch.tensor(c.astype(np.int64), device=index.device)
    if labels is None:
        return Rows(x_BN, x_BN, x_BN, c_BC)
    return _with_labels(Rows(x_BN, x_BN, x_BN, c_BC), torch.tensor(labels.astype(np.int64), device=index.device))


def take(rows: Rows, which_B: Tensor) -> Rows:
    """Some of the rows."""
    part = Rows(rows.x_BN[which_B], rows.low_BN[which_B], rows.high_BN[which_B], rows.c_BC[which_B])
    return part if rows.label_B is None else _with_labels(part, rows.label_B[which_B])


def on_scale(rows: Rows, scale: Quantiles) -> Rows:
    """The rows with their intervals on that scale."""
    low_BN, high_BN = scale.place(rows.x_BN)
    bound = gaussian.CLIP
    return replace(rows, low_BN=low_BN.clamp(-bound, bound), high_BN=high_BN.clamp(-bound, bound))


def _with_labels(rows: Rows, label_B: Tensor) -> Rows:
    """Rows that can be drawn evenly over the labels that occur."""
    counts = torch.bincount(label_B)
    counts = counts[counts > 0]
    return replace(
        rows,
        label_B=label_B,
        by_label=label_B.argsort(stable=True),
        starts=counts.cumsum(0) - counts,
        counts=counts,
    )


def draw_rows(
    rows: Rows, batch: int, *, classes: int, drop_label: float, rare_share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """`(indices_B, label_B)`, with replacement.

    Rows whose label is told are partly drawn evenly over the labels; the others (label `classes`) follow the table, so
    that the unconditional network does too.
    """

    def uniform() -> Tensor:
        return torch.rand(batch, generator=generator, device=generator.device)

    indices_B = _below(uniform(), torch.tensor(len(rows), device=generator.device))
    untold_B = torch.full_like(indices_B, classes)
    if rows.label_B is None or rows.by_label is None or rows.starts is None or rows.counts is None:
        return indices_B, untold_B
    told_B = uniform() >= drop_label
    even_B = told_B & (uniform() < rare_share)
    which_B = _below(uniform(), torch.tensor(len(rows.counts), device=generator.device))
    member_B = rows.starts[which_B] + _below(uniform(), rows.counts[which_B])
    indices_B = torch.where(even_B, rows.by_label[member_B], indices_B)
    return indices_B, torch.where(told_B, rows.label_B[indices_B], untold_B)


def corrupt(
    rows: Rows,
    indices_B: Tensor,
    label_B: Tensor,
    index: Index,
    kind: Kind,
    *,
    generator: torch.Generator,
    always_C: Tensor | None = None,
) -> Corrupted:
    """Those rows, at freshly drawn levels. `always_C`: see `categorical.corrupt`."""
    x_BN = quantile.within(rows.low_BN[indices_B], rows.high_BN[indices_B], generator=generator)
    c_BC = rows.c_BC[indices_B]
    sigma_BP = draw_levels(len(c_BC), index.layout.table_columns, generator=generator)
    noisy_BN = gaussian.corrupt(x_BN, sigma_BP.index_select(1, index.column_N), generator=generator)
    sigma_BC = sigma_BP.index_select(1, index.column_C)
    seen_BC = categorical.corrupt(c_BC, sigma_BC, index, kind, generator=generator, always_C=always_C)
    if index.layout.atoms:
        seen_BC = atoms.blinded(seen_BC, index, generator=generator)
    return Corrupted(x_BN, c_BC, noisy_BN, seen_BC, sigma_BP, label_B)


def batch_loss(net: Denoiser, batch: Corrupted, index: Index, *, generator: torch.Generator | None = None) -> Tensor:
    """EDM loss of numbers, nats of categories: mean over the cells that are neither absent nor context (SIGMA_MIN)."""
    total, cells = loss_sum(net, batch, index, generator=generator)
    return total / cells.clamp_min(1)


def loss_sum(
    net: Denoiser, batch: Corrupted, index: Index, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """The sum of that loss, of atoms a part, and over how many cells."""
    fed = inputs(batch.noisy_BN, batch.seen_BC, batch.sigma_BP, index)
    raw_BN, logits_BS = net(fed.number_BN, fed.level_BP, fed.hidden_BP, fed.code_BC, batch.label_B, generator)
    active_BP = batch.sigma_BP != SIGMA_MIN
    active_BN = active_BP.index_select(1, index.column_N) & index.present(batch.c_BC)
    active_BC = active_BP.index_select(1, index.column_C)
    squared_BN = gaussian.loss(raw_BN.float(), batch.x_BN, fed.clipped_BN, fed.scales)
    nats_BC = categorical.cross_entropy(logits_BS.float(), batch.c_BC, index)
    if index.layout.atoms:
        nats_BC = nats_BC * torch.where(index.is_atom_C, atoms.WEIGHT, 1.0)
    total = torch.where(active_BN, squared_BN, 0.0).sum() + torch.where(active_BC, nats_BC, 0.0).sum()
    return total, active_BN.sum() + active_BC.sum()


def _below(uniform: Tensor, bound: Tensor) -> Tensor:
    """Integers in 0 .. bound - 1 from uniforms in [0, 1); float64, for a float32 cannot tell 2^24 rows apart."""
    return torch.minimum((uniform.double() * bound).to(torch.int64), bound - 1)

"""The network: a residual perceptron from a corrupted row to a prediction of the clean one.

It maps inputs to raw predictions and knows nothing of schedule, noise or loss (see `predict`). Its shape follows
TabDDPM (Kotelnikov et al. 2023): numbers, one-hot codes, levels and a label embedding enter one linear layer; here
with one level per table column, numbers told in more ways than one (`pieces`), and pre-norm residual blocks. Weights
are stored [in, out], as Rust reads them.
Axes: B rows, N numbers, C category columns, P table columns, S codes, L labels + 1, H width, K probes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import marginals, pieces, quantile
from .atoms import Atoms
from .categorical import MASK, Kind
from .one_hot import sum_of_rows

if TYPE_CHECKING:
    from .layout import Layout

__all__ = ["Config", "Denoiser"]

LAYER_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Config:
    """Everything about a network that is not a weight."""

    layout: Layout
    width: int
    blocks: int
    kind: Kind = Kind.MASKED
    classes: int = 0
    """Labels the network is conditioned on; label `classes` means: not told."""
    scored_label: int = 0
    """The label that energies are computed under, `classes` for none."""
    probes: int = 0
    joint: int = 0
    """The first `joint` probes corrupt all columns a little; the others hide some."""
    knots: int = quantile.KNOTS
    """Places for known values per number of the network's scale (`quantile`), and quantiles of what is drawn."""
    pieces: int = pieces.PIECES
    """Pieces of the scale that a number is told in (`pieces`)."""

    @property
    def most_atoms(self) -> int:
        """Of one number."""
        return max(self.layout.sizes[self.layout.own_categories :], default=1) - 1


class Denoiser(nn.Module):
    """Raw predictions of every number and the logits of every code, from a corrupted row."""

    probes: Tensor
    hidden_variance: Tensor
    edge: Tensor
    knot: Tensor
    low: Tensor
    high: Tensor
    middle: Tensor
    drawn: Tensor
    wanted: Tensor
    atom: Tensor
    _offsets: Tensor
    _columns: Tensor
    _with_atoms: Tensor

    def __init__(self, config: Config, *, generator: torch.Generator, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.dropout = dropout
        layout, width = config.layout, config.width
        columns, outputs = layout.table_columns, layout.numbers + layout.codes
        fan_in = layout.numbers + layout.categories + 2 * columns

        def weight(rows: int, fan: int, width: int = width) -> nn.Parameter:
            values = torch.rand(rows, width, generator=generator, device=generator.device)
            return nn.Parameter((2.0 * values - 1.0) / math.sqrt(max(fan, 1)))

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, device=generator.device))

        self.number = weight(layout.numbers, fan_in)
        self.skipped = weight(layout.numbers, fan_in)
        self.piece = weight(layout.numbers * config.pieces, fan_in)
        self.level = weight(columns, fan_in)
        self.hidden = weight(columns, fan_in)
        self.code = weight(layout.codes, fan_in)
        self.label = weight(config.classes + 1, fan_in)
        self.inner = nn.ParameterList(weight(width, width) for _ in range(config.blocks))
        self.inner_bias = nn.ParameterList(zeros(width) for _ in range(config.blocks))
        self.outer = nn.ParameterList(weight(width, 4 * width) for _ in range(config.blocks))
        self.outer_bias = nn.ParameterList(zeros(width) for _ in range(config.blocks))
        self.head = zeros(width, outputs)
        self.head_bias = zeros(outputs)
        self.register_buffer("probes", torch.zeros(config.probes, columns, device=generator.device))
        self.register_buffer("hidden_variance", torch.ones(layout.numbers, device=generator.device))
        self.register_buffer("edge", torch.tensor(pieces.edges(config.pieces), device=generator.device))
        for table in (*quantile.TABLES, *marginals.TABLES):
            self.register_buffer(table, torch.zeros(layout.numbers, config.knots, device=generator.device))
        self.register_buffer("atom", torch.zeros(len(layout.atoms), config.most_atoms, device=generator.device))
        offsets = [sum(layout.sizes[:category]) for category in range(layout.categories)]
        offset_C = torch.tensor(offsets, dtype=torch.int64, device=generator.device)
        self.register_buffer("_offsets", offset_C, persistent=False)
        columns_N = torch.tensor(layout.columns[: layout.numbers], dtype=torch.int64, device=generator.device)
        self.register_buffer("_columns", columns_N, persistent=False)
        with_atoms_E = torch.tensor(layout.atoms, dtype=torch.int64, device=generator.device)
        self.register_buffer("_with_atoms", with_atoms_E, persistent=False)

    @property
    def scale(self) -> quantile.Quantiles:
        """Where encoded numbers are on the network's scale; unfitted, it leaves them as they are."""
        return quantile.Quantiles(self.knot, self.low, self.high, self.middle)

    @property
    def marginals(self) -> marginals.Marginals:
        """Where drawn numbers are moved; unfitted, it leaves them as they are."""
        return marginals.Marginals(self.drawn, self.wanted)

    @property
    def atoms(self) -> Atoms:
        """The values of numbers that the last categories name."""
        return Atoms(self._with_atoms, self.atom)

    def forward(
        self,
        number_BN: Tensor,
        level_BP: Tensor,
        hidden_BP: Tensor,
        code_BC: Tensor,
        label_B: Tensor,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """`(raw_BN, logits_BS)`. `code_BC` holds MASK where a cell is not seen. With a generator: dropout."""
        state_BH = self.state(number_BN, level_BP, hidden_BP, code_BC, label_B, generator)
        out_BO = torch.addmm(self.head_bias, state_BH, self.head)
        numbers = self.config.layout.numbers
        return out_BO[:, :numbers], out_BO[:, numbers:]

    def state(
        self,
        number_BN: Tensor,
        level_BP: Tensor,
        hidden_BP: Tensor,
        code_BC: Tensor,
        label_B: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """What the last layer sees [B, H]."""
        width = (self.config.width,)
        # Without classes there is one label; its rows need no gathering, nor their gradients a scattering.
        told_BH = sum_of_rows(label_B[:, None], self.label) if self.config.classes else self.label
        h_BH = told_BH + self._codes(code_BC).to(told_BH.dtype)
        number_BI = pieces.told(number_BN, level_BP.index_select(1, self._columns), self.edge)
        fed_BI = torch.cat([number_BI, level_BP, hidden_BP], dim=1).to(self.number.dtype)
        h_BH = h_BH + fed_BI @ torch.cat([self.number, self.skipped, self.piece, self.level, self.hidden])
        for inner, inner_bias, outer, outer_bias in zip(
            self.inner, self.inner_bias, self.outer, self.outer_bias, strict=True
        ):
            normed_BH = functional.layer_norm(h_BH, width, eps=LAYER_NORM_EPSILON)
            a_BH = functional.silu(torch.addmm(inner_bias, normed_BH, inner))
            if generator is not None and self.dropout > 0:
                keep = 1.0 - self.dropout
                mask_BH = torch.rand(a_BH.shape, generator=generator, device=a_BH.device) < keep
                a_BH = a_BH * mask_BH / keep
            h_BH = h_BH + torch.addmm(outer_bias, a_BH, outer)
        return h_BH

    def _codes(self, code_BC: Tensor) -> Tensor:
        """One-hot codes times their weights, as a sum of rows; a masked cell adds nothing."""
        codes = self.config.layout.codes
        place_BC = torch.where(code_BC == MASK, codes, code_BC + self._offsets)
        table = functional.pad(self.code, (0, 0, 0, 1))
        return sum_of_rows(place_BC, table, nothing=codes)

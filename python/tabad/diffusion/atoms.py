"""Values of a number that many rows share are codes beside it: atoms of its distribution.

A denoiser sees a number through noise, and a first layer sees it in pieces: neither tells 7,298 from 7,688, and where
other columns hang on that (the income of adult on its capital gains) rows are generated that do not. So a number that
has atoms brings one more category, which says the atom of the row, 0 where it has none; it is masked and revealed as
others are (Austin et al. 2021). Once it is revealed the number is expected there, and it is drawn as that very value.
CTAB-GAN (Zhao et al. 2021, section 3.2) has such mixed columns for values that are named by hand.
Energies do not see them: they judge a number by where it is, and half of the training rows show none.
Axes: B rows, N numbers, C category columns, E numbers with atoms (of each the last categories say the atom), A atoms.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .categorical import MASK

if TYPE_CHECKING:
    from .batches import Rows
    from .layout import Index, Layout
    from .quantile import Quantiles

__all__ = ["WEIGHT", "Atoms", "blinded", "find", "with_codes"]

_FEWEST_ROWS = 20
"""Rows that share an atom, at least: a value of few rows would come back as theirs."""
_LEAST_SHARE = 0.001
WEIGHT = 0.25
"""Of their loss beside that of other categories: with all of it numbers that hang together closely do so less."""
_BLIND = 0.5
"""Share of the training rows that show no atom."""


@dataclass(frozen=True)
class Atoms:
    """Which numbers have atoms, and which: encoded numbers, ascending; unused places repeat the last one."""

    number_E: Tensor
    value_EA: Tensor

    def __len__(self) -> int:
        return len(self.number_E)

    def codes(self, x_BN: Tensor, present_BN: Tensor) -> Tensor:
        """The atom of each encoded number [B, E], counted from 1; 0 where it is none or not there."""
        x_EB = x_BN.index_select(1, self.number_E).T.contiguous()
        at_EB = torch.searchsorted(self.value_EA, x_EB).clamp_max(self.value_EA.shape[1] - 1)
        is_EB = (self.value_EA.gather(1, at_EB) == x_EB) & present_BN.index_select(1, self.number_E).T
        return torch.where(is_EB, at_EB + 1, 0).T

    def on_scale(self, scale: Quantiles) -> Atoms:
        """The same atoms where they are on the network's scale."""
        x_AN = torch.zeros(self.value_EA.shape[1], len(scale.knot_NK), device=self.value_EA.device)
        x_AN[:, self.number_E] = self.value_EA.T
        return Atoms(self.number_E, scale.middle(x_AN)[:, self.number_E].T)

    def put(self, x_BN: Tensor, c_BC: Tensor) -> Tensor:
        """The numbers, and where the codes name an atom that atom."""
        if not len(self):
            return x_BN
        code_BE = self._own(c_BC)
        atom_BE = self.value_EA.T.gather(0, (code_BE - 1).clamp_min(0))
        own_BE = torch.where(code_BE > 0, atom_BE, x_BN.index_select(1, self.number_E))
        return x_BN.index_copy(1, self.number_E, own_BE)

    def decoded(self, z_BN: Tensor, c_BC: Tensor, scale: Quantiles) -> Tensor:
        """The encoded numbers at places of the scale: an atom where the codes name one, and else none.

        What is no atom is seldom and lies between atoms, nearer together than a sampler can tell: it takes the nearest
        known value that is none.
        """
        x_BN = self.put(scale.value(z_BN), c_BC)
        if not len(self):
            return x_BN
        code_BE = self._own(c_BC)
        is_BE = self.codes(x_BN, torch.ones_like(x_BN, dtype=torch.bool)) > 0
        x_BN = x_BN.clone()
        for atom, number in enumerate(self.number_E.tolist()):
            row_M = (is_BE[:, atom] & (code_BE[:, atom] == 0)).nonzero()[:, 0]
            free_K = ~torch.isin(scale.knot_NK[number], self.value_EA[atom])
            if len(row_M) and bool(free_K.any()):
                low_K, high_K = scale.low_NK[number, free_K], scale.high_NK[number, free_K]
                z_M1 = z_BN[row_M, number, None]
                nearest_M = ((low_K - z_M1).clamp_min(0.0) + (z_M1 - high_K).clamp_min(0.0)).argmin(dim=1)
                x_BN[row_M, number] = scale.knot_NK[number, free_K][nearest_M]
        return x_BN

    def named(self, c_BC: Tensor, numbers: int) -> Tensor:
        """The numbers [B, N] of which the codes name an atom."""
        named_BN = torch.zeros(len(c_BC), numbers, dtype=torch.bool, device=c_BC.device)
        return named_BN.index_copy(1, self.number_E, self._own(c_BC) > 0)

    def _own(self, c_BC: Tensor) -> Tensor:
        return c_BC[:, c_BC.shape[1] - len(self) :]


def find(x_BN: Tensor, present_BN: Tensor, layout: Layout, most: int) -> tuple[Atoms, Layout]:
    """The `most` most frequent atoms of each number of these encoded rows, and the layout that has a category for them.

    An atom is a value of one row in a thousand, of 20 at least.
    """
    numbers, values = [], []
    least = max(_FEWEST_ROWS, round(_LEAST_SHARE * len(x_BN)))
    for number in range(x_BN.shape[1] if most else 0):
        value_A, rows_A = x_BN[present_BN[:, number], number].unique(return_counts=True)  # type: ignore[no-untyped-call]
        often_A = rows_A.argsort(descending=True, stable=True)[:most]
        often_A = often_A[rows_A[often_A] >= least]
        if len(often_A):
            numbers.append(number)
            values.append(value_A[often_A].sort().values)
    width = max(map(len, values), default=1)
    value_EA = torch.zeros(len(values), width, device=x_BN.device)
    for atom, own in enumerate(values):
        value_EA[atom] = torch.cat([own, own[-1:].expand(width - len(own))])
    number_E = torch.tensor(numbers, dtype=torch.int64, device=x_BN.device)
    return Atoms(number_E, value_EA), layout.with_atoms(numbers, [len(own) + 1 for own in values])


def with_codes(rows: Rows, atoms: Atoms, index: Index) -> Rows:
    """The rows with the codes of their atoms as further categories; `index` is that of the layout without."""
    code_BE = atoms.codes(rows.x_BN, index.present(rows.c_BC))
    return replace(rows, c_BC=torch.cat([rows.c_BC, code_BE], dim=1))


def blinded(seen_BC: Tensor, index: Index, *, generator: torch.Generator) -> Tensor:
    """The codes seen, of half of the rows without any atom: as energies see them."""
    blind_B1 = torch.rand(len(seen_BC), 1, generator=generator, device=seen_BC.device) < _BLIND
    return torch.where(blind_B1 & index.is_atom_C, MASK, seen_BC)

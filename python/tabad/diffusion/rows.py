"""A model's codec and its network together: Arrow rows in, sampled Arrow rows out.

What generation, imputation and counterfactuals share. Columns that are given stay clean at every step and come back as
they were; how a step is taken is `sample`.
Axes: B rows, N numbers, C category columns, P table columns, S codes.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tabad import _core

from .categorical import Kind
from .compiled import sample_compiled
from .device import pick
from .export import load
from .gaussian import CLIP
from .layout import PRESENT, Index
from .predict import in_bfloat16
from .sample import Given, Plan, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ties import Ties

__all__ = ["Sampler"]

_NULL = 0
"""Code of every category that is not a status: the cell is null."""


class Sampler:
    """The network of a model on one device, with what it takes to go from a table to its rows and back."""

    def __init__(self, core: _core.Model, network: tuple[str, bytes], device: str) -> None:
        self.core = core
        self.manifest = json.loads(core.manifest())
        self.net = load(*network, pick(device))
        self.layout = self.net.config.layout
        self.index = Index(self.layout, self.net.knot.device)
        self.owners: list[str] = [column["name"] for column in self.manifest["columns"] if column["features"]]
        """Names of the table columns [P]."""
        schema = core.schema()
        modelled = [c["name"] for c in self.manifest["columns"] if c["kind"] not in ("ignored", "label")]
        self.schema = pa.schema([schema.field(name) for name in modelled])
        """What `decode` gives: ids and modelled columns."""
        self.forbidden_S = torch.zeros(self.layout.codes, dtype=torch.bool, device=self.index.device)
        # What no training row has is not drawn: nulls stay in the columns that had them.
        self.forbidden_S[self.manifest["unseen"]] = True
        self.atoms = self.net.atoms
        """The atoms as numbers are encoded."""
        self._sample = self._sampling(network)
        self.null_S = self._nulls()

    def _sampling(self, network: tuple[str, bytes]) -> partial[tuple[Tensor, Tensor]]:
        """What draws rows: the extension where it can, else PyTorch."""
        if self.index.device.type == "cpu" and self.net.config.kind is Kind.MASKED:
            return partial(sample_compiled, _core.Generator(*network), layout=self.layout)
        return partial(
            sample,
            in_bfloat16(self.net),
            index=self.index,
            kind=self.net.config.kind,
            untold=self.net.config.classes,
            atoms=self.atoms.on_scale(self.net.scale),
        )

    def _nulls(self) -> Tensor:
        """The codes that say that a cell is not there."""
        code_S = torch.arange(self.layout.codes, device=self.index.device) - self.index.offset_C[self.index.category_S]
        status_S = self.index.is_status_C[self.index.category_S]
        null_S = torch.where(status_S, code_S != PRESENT, code_S == _NULL)
        return null_S & ~self.index.is_atom_C[self.index.category_S]

    def valued(self) -> set[str]:
        """The columns that had a value in some training row: the others cannot be given one."""
        value_S = ~self.forbidden_S & ~self.null_S
        has_C = torch.zeros(self.layout.categories, dtype=torch.bool, device=self.index.device)
        has_C[self.index.category_S[value_S]] = True
        has_P = torch.ones(self.layout.table_columns, dtype=torch.bool, device=self.index.device)
        has_P[self.index.column_C[~has_C]] = False
        return {name for name, has in zip(self.owners, has_P.tolist(), strict=True) if has}

    def encode(self, columns: pa.Table) -> tuple[Tensor, Tensor]:
        """`(x_BN, c_BC)` of rows on the network's scale; columns of the model that are not there count as null."""
        rows = columns.num_rows
        known = set(columns.schema.names)
        whole = [columns.column(f.name) if f.name in known else pa.nulls(rows, f.type) for f in self.schema]
        names = [field.name for field in self.schema]
        _, x, c = self.core.encode(pa.table(whole, names=names))
        numbers = np.frombuffer(bytes(x), "<f4").reshape(rows, self.layout.numbers)
        codes = np.frombuffer(bytes(c), "<u2").reshape(rows, self.layout.own_categories).astype(np.int64)
        x_BN = torch.tensor(numbers, device=self.index.device)
        c_BC = torch.tensor(codes, device=self.index.device)
        atom_BE = self.atoms.codes(x_BN.clamp(-CLIP, CLIP), self.index.present(c_BC))
        return self.net.scale.middle(x_BN), torch.cat([c_BC, atom_BE], dim=1)

    def given(self, names: Sequence[str], rows: int) -> Tensor:
        """`given_BP`: these columns stand in every row."""
        given_P = torch.tensor([name in names for name in self.owners], device=self.index.device)
        return given_P.expand(rows, -1).clone()

    def draw(
        self,
        rows: int,
        *,
        generator: torch.Generator,
        label: int | None = None,
        given: Given | None = None,
        guidance: float = 1.0,
        complete: bool = False,
        ties: Ties | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Sampled rows on the network's scale. `complete`: no cell that is drawn is left without a value."""
        x_BN, c_BC = self._sample(
            rows=rows,
            generator=generator,
            label=label,
            given=given,
            forbidden_S=self.forbidden_S | self.null_S if complete else self.forbidden_S,
            ties=ties,
            plan=Plan(guidance=guidance),
        )
        drawn_BN = self.index.present(c_BC) & ~self.atoms.named(c_BC, self.layout.numbers)
        if given is not None:
            drawn_BN &= ~given.given_BP.index_select(1, self.index.column_N)
        return torch.where(drawn_BN, self.net.marginals.move(x_BN), x_BN), c_BC

    def decode(self, x_BN: Tensor, c_BC: Tensor, *, first_row: int = 0) -> pa.RecordBatch:
        """The rows in the fitted types. `first_row`: where ids go on, and what texts that look alike are drawn by."""
        x_BN = self.atoms.decoded(x_BN, c_BC, self.net.scale)
        x = x_BN.to("cpu", torch.float32).contiguous().numpy().tobytes()
        c = c_BC[:, : self.layout.own_categories].to("cpu").numpy().astype("<u2").tobytes()
        return self.core.decode(len(c_BC), x, c, first_row=first_row)

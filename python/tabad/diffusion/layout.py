"""Which cells a row has: the axes that every piece of the diffusion shares, and their index tensors.

Axes: B rows, N numbers, C category columns, P table columns, S codes of all categories together,
F = N + C features (numbers first). A table column owns one or more features; it is hidden whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PRESENT", "Index", "Layout"]

PRESENT = 0
"""Code of a status category that says: the number is there."""


@dataclass(frozen=True)
class Layout:
    """The shape of an encoded row; build it with `Layout.of`, which renumbers the table columns."""

    sizes: tuple[int, ...]
    """Codes per category column [C]."""
    status: tuple[int, ...]
    """Per number the category column that says whether it is present [N]."""
    columns: tuple[int, ...]
    """Per feature its table column, 0 .. P-1 without gaps [F]."""
    atoms: tuple[int, ...] = ()
    """Of each of the last categories, which say the atom of a number (`atoms`), that number."""

    def __post_init__(self) -> None:
        if len(self.columns) != self.numbers + self.categories:
            found = f"{self.numbers} numbers and {self.categories} categories"
            raise ValueError(f"columns of {len(self.columns)} features, but {found}")
        if not self.columns:
            raise ValueError("a layout needs at least one feature")
        if any(not 1 <= size <= 65535 for size in self.sizes):
            raise ValueError("a category needs between 1 and 65,535 codes")
        if any(not 0 <= status < self.categories for status in self.status):
            raise ValueError("the status of a number is not one of the category columns")
        if sorted(set(self.columns)) != list(range(self.table_columns)):
            raise ValueError("table columns are not numbered 0, 1, 2, ...")
        if any(not 0 <= number < self.numbers for number in self.atoms):
            raise ValueError("an atom's number is not one of the numbers")

    @classmethod
    def of(cls, sizes: Sequence[int], status_of_number: Sequence[int], column_of_feature: Sequence[int]) -> Layout:
        """The layout of these features; table columns without a feature are left out of the numbering."""
        rank = {column: place for place, column in enumerate(sorted({int(c) for c in column_of_feature}))}
        columns = tuple(rank[int(column)] for column in column_of_feature)
        return cls(tuple(int(s) for s in sizes), tuple(int(s) for s in status_of_number), columns)

    def with_atoms(self, numbers: Sequence[int], sizes: Sequence[int]) -> Layout:
        """This layout with a further category, of so many codes, for the atoms of each of these numbers."""
        return replace(
            self,
            sizes=(*self.sizes, *sizes),
            columns=(*self.columns, *(self.columns[number] for number in numbers)),
            atoms=(*self.atoms, *numbers),
        )

    @property
    def numbers(self) -> int:
        return len(self.status)

    @property
    def categories(self) -> int:
        return len(self.sizes)

    @property
    def own_categories(self) -> int:
        """Those that an encoded row has: all but the atoms."""
        return len(self.sizes) - len(self.atoms)

    @property
    def own_codes(self) -> int:
        return sum(self.sizes[: self.own_categories])

    @property
    def table_columns(self) -> int:
        return max(self.columns) + 1

    @property
    def codes(self) -> int:
        return sum(self.sizes)


class Index:
    """Index tensors of a layout on one device."""

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self.layout, self.device = layout, device
        sizes, numbers = layout.sizes, layout.numbers
        offsets = list(accumulate(sizes, initial=0))[:-1]
        self.offset_C = self._long(offsets)
        self.size_C = self._long(sizes)
        self.column_N = self._long(layout.columns[:numbers])
        self.column_C = self._long(layout.columns[numbers:])
        self.column_F = self._long(layout.columns)
        self.status_N = self._long(layout.status)
        is_status = [category in layout.status for category in range(len(sizes))]
        self.is_status_C = torch.tensor(is_status, dtype=torch.bool, device=device)
        self.is_atom_C = torch.arange(len(sizes), device=device) >= layout.own_categories
        self.category_S = self._long([category for category, size in enumerate(sizes) for _ in range(size)])
        """The category column that each code belongs to."""
        self.member_SC = functional.one_hot(self.category_S, len(sizes)).float()
        self.buckets: list[tuple[Tensor, Tensor]] = []
        """Category columns of like size: their indices [n], and places of their codes [n, K], padded with S."""
        by_width: dict[int, list[int]] = {}
        for category, size in enumerate(sizes):
            by_width.setdefault((size - 1).bit_length(), []).append(category)
        for members in by_width.values():
            width = max(sizes[category] for category in members)
            places = [[offsets[c] + k if k < sizes[c] else layout.codes for k in range(width)] for c in members]
            self.buckets.append((self._long(members), self._long(places)))
        in_buckets = [category for members in by_width.values() for category in members]
        self.bucket_C = self._long(sorted(range(len(sizes)), key=in_buckets.__getitem__))
        """The place of each category column where the buckets stand side by side."""

    def _long(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)

    def always_present(self, forbidden_S: Tensor) -> Tensor:
        """The statuses [C] that can be nothing but present where these codes [S] do not occur."""
        allowed_S = (~forbidden_S).float()
        present_C = allowed_S[self.offset_C + PRESENT] > 0
        return self.is_status_C & present_C & (allowed_S @ self.member_SC == 1)

    def present(self, c_BC: Tensor) -> Tensor:
        """Which numbers these codes declare present [B, N]; a masked status (-1) declares nothing."""
        return c_BC.index_select(1, self.status_N) == PRESENT

"""Cells that are null together, drawn so: one after the other, each knowing those before.

Categories that are revealed in the same step are drawn apart from each other. Where their nulls hang together without
exception that makes rows which no table has; the network, having seen no such row, resolves them towards what is usual,
and joint nulls become too rare. So of the cells that are bound by null rules at most one a step is revealed in a row,
and what it implies for the others is imposed on their logits.
Axes: B rows, C category columns, T tied ones, U codes of these, S codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tabad.constraints import NULL_TOGETHER, NULL_WITH

from .categorical import MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabad.constraints import Constraint

    from .layout import Index

__all__ = ["Ties"]

_STATUS_NULL, _VALUE_NULL = 1, 0
"""Codes of a null: of a status, and of a category's own values."""


class Ties:
    """Which category columns are bound by null rules, and how."""

    def __init__(self, constraints: Sequence[Constraint], owners: Sequence[str], index: Index) -> None:
        self.index = index
        rules = [one for one in constraints if one.rule in (NULL_TOGETHER, NULL_WITH)]
        names = list(dict.fromkeys(name for one in rules for name in one.columns if name in owners))
        places = [self._presence(owners.index(name)) for name in names]
        self.category_T = torch.tensor(places, dtype=torch.int64, device=index.device)
        self.status_T = index.is_status_C[self.category_T]
        self.null_T = torch.where(self.status_T, _STATUS_NULL, _VALUE_NULL)
        implies_TT = torch.eye(len(names), device=index.device)
        for one in rules:
            at = [names.index(name) for name in one.columns if name in names]
            for a in at[:1] if one.rule == NULL_WITH else at:
                implies_TT[a, at] = 1.0
        for _ in names:
            implies_TT = ((implies_TT @ implies_TT) > 0).float()
        self.implies_TT = implies_TT
        self.bound_TT = ((implies_TT + implies_TT.T) @ (implies_TT + implies_TT.T) > 0).float()
        """Columns that some rule has in common with; one a step of these is revealed."""
        for _ in names:
            self.bound_TT = ((self.bound_TT @ self.bound_TT) > 0).float()
        own_TS = index.category_S[None] == self.category_T[:, None]
        self.tied_U, self.code_U = own_TS.nonzero(as_tuple=True)
        """The codes of these columns, and which column each is of."""
        self.is_null_U = self.code_U == (index.offset_C[self.category_T] + self.null_T)[self.tied_U]

    def __bool__(self) -> bool:
        return len(self.category_T) > 0

    def told(self) -> tuple[list[int], list[int], bytes, bytes]:
        """As the extension takes them: categories, the code of each that says null, who implies whom, who is bound."""
        implies, bound = (square_TT.bool().numpy().tobytes() for square_TT in (self.implies_TT, self.bound_TT))
        return self.category_T.tolist(), self.null_T.tolist(), implies, bound

    def _presence(self, column: int) -> int:
        """The category of a table column that says whether it is there: a status where it has one."""
        own: list[int] = (self.index.column_C == column).nonzero()[:, 0].tolist()
        return next((place for place in own if bool(self.index.is_status_C[place])), own[0])

    def impose(self, seen_BC: Tensor, logits_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Logits in which what is seen has ruled out the codes that contradict it, and what is left open [B, T]."""
        seen_BT = seen_BC[:, self.category_T]
        null_BT = seen_BT == self.null_T
        value_BT = (seen_BT != MASK) & ~null_BT
        must_null_BT = null_BT.float() @ self.implies_TT > 0
        must_value_BT = value_BT.float() @ self.implies_TT.T > 0
        open_BT = ~must_null_BT & ~must_value_BT
        # What stands may contradict itself: then nothing is ruled out.
        clash_BT = must_null_BT & must_value_BT
        never_BU = torch.where(
            self.is_null_U,
            (must_value_BT & ~clash_BT).index_select(1, self.tied_U),
            (must_null_BT & ~clash_BT).index_select(1, self.tied_U),
        )
        logits_BS = logits_BS.clone()
        logits_BS[:, self.code_U] = logits_BS[:, self.code_U].masked_fill(never_BU, float("-inf"))
        return logits_BS, open_BT

    def one_a_step(self, before_BC: Tensor, after_BC: Tensor, open_BT: Tensor, *, generator: torch.Generator) -> Tensor:
        """Of the open cells revealed in this step all but one of those that hang together are masked again."""
        new_BT = (before_BC[:, self.category_T] == MASK) & (after_BC[:, self.category_T] != MASK) & open_BT
        if not bool((new_BT.sum(dim=1) > 1).any()):
            return after_BC
        order_BT = torch.rand(new_BT.shape, generator=generator, device=new_BT.device)
        order_BT = torch.where(new_BT, order_BT, 2.0)
        best_BTT = torch.where(self.bound_TT.bool()[None], order_BT[:, None, :], 2.0)
        first_BT = best_BTT.amin(dim=2) >= order_BT
        again_BC = after_BC.clone()
        again_BC[:, self.category_T] = torch.where(new_BT & ~first_BT, MASK, after_BC[:, self.category_T])
        return again_BC

"""Energies of rows under the memory, in torch, fp32: the twin of `rust/core/src/memory`, for a GPU.

Formulas and rules are written out slowly in `tests/oracle/memory.py`; here whole batches of rows meet all kept rows at
once. Axes: B rows, M kept rows, V those that vote on conditional energies, N numbers, C categories, F = N + C features,
R row energies (local densities, wide ones, joints, the marginal, the extremity, isolation
twice).
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .layout import PRESENT

__all__ = ["Memory"]

OTHER = 1
_ABSENT_DISTANCE = 1.0
_BOUND = 4.5
_FAR = 1e30
_NEGLIGIBLE = 1e-30
_MARGINAL_SHARE = 0.03
_UNSEEN = 1e-6
_FEWEST, _OUTER, _NEAREST, _NARROWEST, _RESOLUTION = 10, 50, 20, 1e-3, 100.0
_GROUP, _ROOT_GROUPS, _TOUCHING = 8, 128, 1e-3
_CELLS = 1 << 25
"""Distances that are held at once."""


class _Number(NamedTuple):
    status: int
    weight: float
    given: bool
    spread: Tensor


class _Category(NamedTuple):
    weight: float
    status: bool
    given: bool
    marginal: Tensor


class _Column(NamedTuple):
    numbers: list[int]
    categories: list[int]
    given: bool


@dataclass(frozen=True)
class _Rows:
    """A chunk of rows, and which kept row each leaves out of its vote (none: -1)."""

    x_BN: Tensor
    c_BC: Tensor
    left_out_B: Tensor


class Memory:
    """The kept rows of a model on a device, from what `_core.Model.memory` tells."""

    def __init__(self, told: str, x: Any, c: Any, device: torch.device) -> None:
        facts = json.loads(told)
        self.rows: int = facts["rows"]
        self.own_vote: bool = facts["own_vote"]
        self.voters: int = facts["voters"]
        self.local, self.wide, self.conditional = (
            [float(t) for t in facts[k]] for k in ("local", "wide", "conditional")
        )
        self.numbers = [
            _Number(status, weight, given, torch.tensor(spread, dtype=torch.float32, device=device))
            for status, weight, given, spread in facts["numbers"]
        ]
        self.categories = [
            _Category(weight, status, given, torch.tensor(marginal, dtype=torch.float32, device=device))
            for weight, status, given, marginal in facts["categories"]
        ]
        self.columns = [_Column(*of) for of in facts["columns"]]
        self.grouped, self.anchors = (
            torch.tensor(facts[k], dtype=torch.int64, device=device) for k in ("grouped", "anchors")
        )
        shape = (-1, self.rows)
        self.x_NM = torch.tensor(np.frombuffer(bytes(x), "<f4").reshape(shape), device=device)
        self.c_CM = torch.tensor(np.frombuffer(bytes(c), "<u2").reshape(shape).astype(np.int32), device=device)
        self.status_N = torch.tensor([n.status for n in self.numbers], dtype=torch.int64, device=device)
        self.judged_N = torch.tensor([0.0 if n.given else n.weight for n in self.numbers], device=device)
        self.there_NM = torch.stack([self.c_CM[n.status] == PRESENT for n in self.numbers]) if self.numbers else None
        self.sorted = [self.x_NM[n][self._there(n)].sort().values for n in range(len(self.numbers))]
        self.known = [
            self.x_NM[n][self.anchors][self._there(n)[self.anchors]].sort().values for n in range(len(self.numbers))
        ]

    @property
    def terms(self) -> int:
        """R."""
        return 2 * len(self.local) + len(self.wide) + 3

    def energies(self, x_BN: Tensor, c_BC: Tensor, *, wide_from: int = 0, roots: bool = True) -> tuple[Tensor, Tensor]:
        """`(terms_BR, features_BF)` in nats; 0 for wide densities before `wide_from` and for roots not asked for."""
        size = max(_CELLS // max(self.rows, 1), 1)
        parts = [
            self._chunk(x_BN[first : first + size], c_BC[first : first + size], wide_from, roots)
            for first in range(0, max(len(x_BN), 1), size)
        ]
        terms, features = zip(*parts, strict=True)
        return torch.cat(terms), torch.cat(features)

    def _chunk(self, x_BN: Tensor, c_BC: Tensor, wide_from: int, roots: bool) -> tuple[Tensor, Tensor]:
        every_M = torch.arange(self.rows, device=x_BN.device)
        rows = _Rows(x_BN, c_BC, torch.full((len(x_BN),), -1, device=x_BN.device))
        far_BM, near_BM = self._distances(rows, every_M)
        if self.own_vote:
            rows = _Rows(x_BN, c_BC, self._own_copies(rows, far_BM))
            for apart_BM in (far_BM, near_BM):
                apart_BM[rows.left_out_B[:, None] == every_M] = _FAR
        densities, joints = self._densities(rows, far_BM, wide_from)
        isolations = [self._isolation(far_BM), self._roots(rows) if roots else torch.zeros_like(x_BN[:, :1]).sum(1)]
        terms_BR = torch.stack([*densities, *joints, *self._marginals(rows), *isolations], dim=1)
        return terms_BR, self._conditional(rows, near_BM[:, : self.voters])

    def _there(self, number: int) -> Tensor:
        assert self.there_NM is not None  # noqa: S101  (there is a number)
        return self.there_NM[number]

    def _number(self, rows: _Rows, number: int, kept_K: Tensor, *, root: bool = False) -> Tensor:
        """What a number adds to the distances to some kept rows [B, K]."""
        spec = self.numbers[number]
        gap_BK = rows.x_BN[:, number, None] - self.x_NM[number][kept_K]
        own_BK = gap_BK.abs().sqrt() if root else 0.5 * gap_BK.square()
        there_B1, there_K = rows.c_BC[:, spec.status, None] == PRESENT, self._there(number)[kept_K]
        apart_BK = torch.where(there_B1 == there_K, 0.0, _ABSENT_DISTANCE)
        return spec.weight * torch.where(there_B1 & there_K, own_BK, apart_BK)

    def _category(self, rows: _Rows, category: int, kept_K: Tensor) -> Tensor:
        """The same of a category: its weight where the codes differ. "Another value" differs from all."""
        return self.categories[category].weight * ~self._matches(rows, category, kept_K)

    def _matches(self, rows: _Rows, category: int, kept_K: Tensor) -> Tensor:
        code_B1 = rows.c_BC[:, category, None]
        same_BK = code_B1 == self.c_CM[category][kept_K]
        return same_BK if self.categories[category].status else same_BK & (code_B1 != OTHER)

    def _distances(self, rows: _Rows, kept_K: Tensor) -> tuple[Tensor, Tensor]:
        """To some kept rows [B, K]: as they are, and with no number further than the bound."""
        far_BK = rows.x_BN.new_zeros(len(rows.x_BN), len(kept_K))
        for category in range(len(self.categories)):
            far_BK += self._category(rows, category, kept_K)
        near_BK = far_BK.clone()
        for number, spec in enumerate(self.numbers):
            own_BK = self._number(rows, number, kept_K)
            far_BK += own_BK
            near_BK += own_BK.clamp(max=_BOUND * spec.weight)
        return far_BK, near_BK

    def _own_copies(self, rows: _Rows, far_BM: Tensor) -> Tensor:
        """The first exact copy of each row among the kept ones, or -1."""
        same_BM = torch.ones_like(far_BM, dtype=torch.bool)
        for number in range(len(self.numbers)):
            same_BM &= rows.x_BN[:, number, None].view(torch.int32) == self.x_NM[number].view(torch.int32)
        for category in range(len(self.categories)):
            same_BM &= rows.c_BC[:, category, None] == self.c_CM[category]
        return torch.where(same_BM.any(dim=1), same_BM.int().argmax(dim=1), -1)

    def _densities(self, rows: _Rows, far_BM: Tensor, wide_from: int) -> tuple[list[Tensor], list[Tensor]]:
        nearest_B1 = far_BM.amin(dim=1, keepdim=True)
        context_BM = self._context(rows)
        densities, joints = [], []
        for place, tau in enumerate([*self.local, *self.wide]):
            level = place - len(self.local)
            if 0 <= level < wide_from:
                densities.append(torch.zeros_like(nearest_B1[:, 0]))
                continue
            weight_BM = (-(far_BM - nearest_B1) / tau).exp()
            total_B = weight_BM.sum(dim=1)
            density_B = nearest_B1[:, 0] / tau - (total_B / self.rows).log()
            if level < 0:
                joints.append(self._joint(rows, weight_BM, total_B, tau))
            if context_BM is not None:
                density_B = density_B + torch.logsumexp(-context_BM / tau, dim=1) - np.log(self.rows)
            densities.append(density_B)
        return densities, joints

    def _context(self, rows: _Rows) -> Tensor | None:
        """Distances in the context columns alone."""
        if not any(column.given for column in self.columns):
            return None
        every_M = torch.arange(self.rows, device=rows.x_BN.device)
        parts = [self._number(rows, n, every_M) for n, spec in enumerate(self.numbers) if spec.given]
        parts += [self._category(rows, c, every_M) for c, spec in enumerate(self.categories) if spec.given]
        context_BM = torch.stack(parts).sum(dim=0)
        context_BM[rows.left_out_B[:, None] == every_M] = _FAR
        return context_BM

    def _joint(self, rows: _Rows, weight_BM: Tensor, total_B: Tensor, tau: float) -> Tensor:
        if self.there_NM is None:
            return torch.full_like(total_B, 1e-6).log()
        moment_BN, mass_BN = weight_BM @ (self.x_NM * self.there_NM).T, weight_BM @ self.there_NM.float().T
        mean_BN = moment_BN / mass_BN.clamp_min(_NEGLIGIBLE)
        counts_BN = (rows.c_BC[:, self.status_N] == PRESENT) & (mass_BN > _NEGLIGIBLE)
        square_BN = torch.where(counts_BN, (mean_BN - rows.x_BN).square() * self.judged_N, 0.0)
        return (square_BN.sum(dim=1) / tau + 1e-6).log()

    def _marginals(self, rows: _Rows) -> tuple[Tensor, Tensor]:
        """The marginal energy and the extremity."""
        rare_B, far_B = rows.x_BN.new_zeros(2, len(rows.x_BN))
        for number, spec in enumerate(self.numbers):
            if not spec.given:
                there_B = rows.c_BC[:, spec.status] == PRESENT
                rare_B += torch.where(there_B, spec.weight * self._rarity(rows, number), 0.0)
                far_B += torch.where(there_B, spec.weight * self._extremity(rows, number), 0.0)
        for category, of in enumerate(self.categories):
            if not of.given:
                known_B = (rows.c_BC[:, category, None] == self.c_CM[category][self.anchors]).sum(dim=1)
                of_code_B = of.weight * (-self._share(rows, category).log() - known_B.log1p()).clamp_min(0.0)
                rare_B += of_code_B
                far_B += of_code_B
        return rare_B, far_B

    def _rarity(self, rows: _Rows, number: int) -> Tensor:
        values_K, x_B = self.sorted[number], rows.x_BN[:, number].contiguous()
        own_B = (rows.left_out_B >= 0).int()
        rarity_B = torch.zeros_like(x_B)
        for own in (0, 1) if self.own_vote else (0,):
            if len(values_K) < _FEWEST + own:
                continue
            outer = (len(values_K) - 1) // _OUTER
            span = (values_K[len(values_K) - 1 - outer] - values_K[outer]).clamp_min(_NARROWEST)
            reach = (len(values_K) - own) // _NEAREST + own
            low_K, high_K = values_K[: len(values_K) - reach], values_K[reach:]
            # Of the windows of so many values the nearest is where the middle passes the number, or the one before.
            at_B = torch.searchsorted((low_K + high_K).contiguous(), 2 * x_B).clamp(max=len(low_K) - 1)
            radius_B = torch.full_like(x_B, torch.inf)
            for place_B in (at_B, (at_B - 1).clamp_min(0)):
                radius_B = radius_B.minimum((x_B - low_K[place_B]).maximum(high_K[place_B] - x_B))
            known_K = self.known[number]
            known_B = torch.searchsorted(known_K, x_B + radius_B, right=True)
            known_B = (known_B - torch.searchsorted(known_K, x_B - radius_B)).clamp_min(0)
            found_B = ((_RESOLUTION * radius_B / span).log1p() - known_B.log1p()).clamp_min(0.0)
            rarity_B = torch.where(own_B == own, found_B, rarity_B)
        return rarity_B

    def _extremity(self, rows: _Rows, number: int) -> Tensor:
        spread_K, known_K, x_B = self.numbers[number].spread, self.known[number], rows.x_BN[:, number].contiguous()
        up_to_B = torch.searchsorted(spread_K, x_B, right=True)
        from_B = len(spread_K) - torch.searchsorted(spread_K, x_B)
        below_B = torch.searchsorted(known_K, x_B, right=True)
        known_B = torch.where(up_to_B <= from_B, below_B, len(known_K) - torch.searchsorted(known_K, x_B))
        share_B = (up_to_B.minimum(from_B) + 1) / (len(spread_K) + 1)
        return (-share_B.log() - known_B.log1p()).clamp_min(0.0)

    def _isolation(self, far_BM: Tensor) -> Tensor:
        return self._mean_log(far_BM[:, self.grouped], far_BM[:, self.anchors])

    def _roots(self, rows: _Rows) -> Tensor:
        rooted_K = self.grouped[: _ROOT_GROUPS * _GROUP]
        kept_K = torch.cat([rooted_K, self.anchors])
        apart_BK = rows.x_BN.new_zeros(len(rows.x_BN), len(kept_K))
        for category in range(len(self.categories)):
            apart_BK += self._category(rows, category, kept_K)
        for number in range(len(self.numbers)):
            apart_BK += self._number(rows, number, kept_K, root=True)
        apart_BK[rows.left_out_B[:, None] == kept_K] = _FAR
        return self._mean_log(apart_BK[:, : len(rooted_K)], apart_BK[:, len(rooted_K) :])

    def _mean_log(self, grouped_BK: Tensor, known_BA: Tensor) -> Tensor:
        """Mean over groups of the log of the nearest distance; group g has the places g, g + groups, ..."""
        groups = max(grouped_BK.shape[1] // _GROUP, 1)
        nearest_BG = grouped_BK.reshape(len(grouped_BK), -1, groups).amin(dim=1)
        if known_BA.shape[1]:
            nearest_BG = nearest_BG.minimum(known_BA.amin(dim=1, keepdim=True))
        return (nearest_BG + _TOUCHING).log().mean(dim=1)

    def _conditional(self, rows: _Rows, near_BV: Tensor) -> Tensor:
        numbers, voters_V = len(self.numbers), torch.arange(self.voters, device=near_BV.device)
        out_BF = near_BV.new_zeros(len(near_BV), numbers + len(self.categories))
        for column in self.columns:
            if column.given:
                continue
            own = {
                n: self._number(rows, n, voters_V).clamp(max=_BOUND * self.numbers[n].weight) for n in column.numbers
            }
            rest_BV = near_BV.clone()
            for apart_BV in own.values():
                rest_BV -= apart_BV
            for category in column.categories:
                rest_BV -= self._category(rows, category, voters_V)
            rest_BV.clamp_min_(0.0)
            beyond = {n: self._beyond(rows, n) for n in column.numbers}
            for tau in self.conditional:
                free_B = torch.logsumexp(-rest_BV / tau, dim=1)
                for number, apart_BV in own.items():
                    bound_B = torch.logsumexp(-(rest_BV + apart_BV) / tau, dim=1)
                    energy_B = free_B - bound_B + beyond[number] / tau
                    there_B = rows.c_BC[:, self.numbers[number].status] == PRESENT
                    out_BF[:, number] += torch.where(there_B, energy_B, 0.0)
                for category in column.categories:
                    same_BV = torch.where(self._matches(rows, category, voters_V), -rest_BV / tau, -torch.inf)
                    share_B = (torch.logsumexp(same_BV, dim=1) - free_B).exp()
                    smoothed_B = (1 - _MARGINAL_SHARE) * share_B + _MARGINAL_SHARE * self._share(rows, category)
                    out_BF[:, numbers + category] -= smoothed_B.log()
        return out_BF

    def _share(self, rows: _Rows, category: int) -> Tensor:
        """How common the code of each row is in its column."""
        marginal, code_B = self.categories[category].marginal, rows.c_BC[:, category]
        return torch.where(code_B < len(marginal), marginal[code_B.clamp(max=len(marginal) - 1)], _UNSEEN)

    def _beyond(self, rows: _Rows, number: int) -> Tensor:
        """How far the nearest kept value of a number, but the row's own copy, lies beyond the bound."""
        values_K, x_B, weight = self.sorted[number], rows.x_BN[:, number].contiguous(), self.numbers[number].weight
        if len(values_K) == 0:
            return torch.zeros_like(x_B)
        at_B = torch.searchsorted(values_K, x_B)
        last = len(values_K) - 1
        own_B = (rows.left_out_B >= 0) & (at_B <= last) & (values_K[at_B.clamp(max=last)] == x_B)
        above_B = at_B + own_B.int()
        below = torch.where(at_B > 0, x_B - values_K[(at_B - 1).clamp_min(0)], torch.inf)
        above = torch.where(above_B <= last, values_K[above_B.clamp(max=last)] - x_B, torch.inf)
        nearest_B = below.abs().minimum(above.abs())
        beyond_B = (0.5 * weight * nearest_B.square() - _BOUND * weight).clamp_min(0.0)
        return torch.where(nearest_B.isfinite(), beyond_B, 0.0)

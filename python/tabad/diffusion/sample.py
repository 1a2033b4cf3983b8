"""Generation: from noise to rows in a few steps, one network call each, categories revealed on the way.

Columns that are given stay clean at every step (SIGMA_MIN), per row if wanted: generation, augmentation and
imputation are one loop. Any callable with the network's signature can be sampled. It draws on a GPU and while a network
is trained; on a processor `compiled` takes its place.
Axes: B rows, N numbers, C category columns, P table columns, S codes.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from . import categorical
from .halves import one_thread
from .layout import PRESENT
from .logits import Whole, answers
from .order import reveal_steps
from .predict import predict
from .schedule import SIGMA_MIN, grid

if TYPE_CHECKING:
    from .atoms import Atoms
    from .categorical import Kind
    from .layout import Index
    from .logits import Answer, Logits
    from .predict import Forward
    from .ties import Ties

__all__ = ["Given", "Plan", "sample"]

_CHUNK, _CHUNK_OF_GPU = 2_048, 16_384


@dataclass(frozen=True)
class Plan:
    """How to sample. `guidance` 0 ignores the label, 1 is the plain conditional network, more leans on it."""

    steps: int = 20
    guidance: float = 1.0
    noise: float = 0.3
    """How much fresh noise a step of numbers adds: 0 none (an ODE), 1 as much as it takes away (an SDE), which makes up
    for errors of the network and with few steps widens what hangs together."""
    chunk: int | None = None
    """Rows a network call; default: 2,048, which a core's cache holds, and 16,384 on a GPU."""


@dataclass(frozen=True)
class Given:
    """What is known: rows and, per row, which table columns of them stand."""

    x_BN: Tensor
    c_BC: Tensor
    given_BP: Tensor


def sample(
    net: Forward,
    rows: int,
    index: Index,
    kind: Kind,
    *,
    generator: torch.Generator,
    untold: int,
    label: int | None = None,
    given: Given | None = None,
    forbidden_S: Tensor | None = None,
    ties: Ties | None = None,
    atoms: Atoms | None = None,
    plan: Plan = Plan(),
) -> tuple[Tensor, Tensor]:
    """`(x_BN float32, c_BC int64)` of generated rows on the index's device; an absent number is 0.

    `untold` is the label that stands for none (`config.classes`); `forbidden_S` marks codes never to be drawn, such as
    a status other than present; `ties` are cells that are null together, `atoms` those of the layout, on the scale. The
    same generator state and plan give the same rows.
    """
    layout, device = index.layout, index.device
    if given is None:
        given = Given(
            torch.zeros(rows, layout.numbers, device=device),
            torch.zeros(rows, layout.categories, dtype=torch.int64, device=device),
            torch.zeros(rows, layout.table_columns, dtype=torch.bool, device=device),
        )
    with torch.no_grad():
        answer = answers(net, index)
    size = plan.chunk or (_CHUNK if device.type == "cpu" else _CHUNK_OF_GPU)
    windows = [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
    seeds = torch.randint(2**62, (len(windows),), generator=generator, device=generator.device).tolist()

    def chunk(window: slice, seed: int) -> tuple[Tensor, Tensor]:
        own = Given(
            given.x_BN[window].to(device, torch.float32),
            given.c_BC[window].to(device, torch.int64),
            given.given_BP[window].to(device),
        )
        draw = torch.Generator(device=device).manual_seed(seed)
        with torch.no_grad():
            return _Loop(answer, index, kind, draw, untold, label, own, forbidden_S, ties, atoms, plan).run()

    # A core each, and no operation within waits for another core: see `halves`.
    cores = torch.get_num_threads() if device.type == "cpu" else 1
    with one_thread(), ThreadPoolExecutor(cores, thread_name_prefix="tabad-sample") as pool:
        parts = list(pool.map(chunk, windows, seeds))
    if not parts:
        return given.x_BN[:0], given.c_BC[:0]
    return torch.cat([x_BN for x_BN, _ in parts]), torch.cat([c_BC for _, c_BC in parts])


@dataclass(frozen=True)
class _Before:
    """The step before: its level, its prediction of numbers, which of them it saw and of which it knew the atom."""

    sigma: float
    mean_BN: Tensor
    seen_BN: Tensor
    named_BN: Tensor | None


@dataclass(frozen=True)
class _Loop:
    answer: Answer
    index: Index
    kind: Kind
    generator: torch.Generator
    untold: int
    label: int | None
    given: Given
    forbidden_S: Tensor | None
    ties: Ties | None
    atoms: Atoms | None
    plan: Plan

    def run(self) -> tuple[Tensor, Tensor]:
        levels = grid(self.plan.steps)
        x_BN = self._hold_x(self._noise() * levels[0])
        seen_BC = categorical.start(len(x_BN), self.index, self.kind, generator=self.generator)
        seen_BC = self._hold_c(torch.where(self._always_there(), PRESENT, seen_BC))
        when_BC = None
        if self.kind is categorical.Kind.MASKED:
            when_BC = reveal_steps(len(x_BN), levels, self.index, generator=self.generator)
        before = None
        for step, (sigma, sigma_next) in enumerate(pairwise(levels)):
            seen_BN = self.index.present(seen_BC)
            mean_BN, logits = self._predict(x_BN, seen_BC, sigma)
            open_BT = None
            if self.ties:
                logits_BS, open_BT = self.ties.impose(seen_BC, logits.whole())
                logits = Whole(logits_BS, self.index)
            named_BN = None
            if self.atoms:
                mean_BN, named_BN = self.atoms.put(mean_BN, seen_BC), self.atoms.named(seen_BC, x_BN.shape[1])
                if before is not None:
                    # What has just been named is expected elsewhere: from there to here is no slope.
                    before = replace(before, seen_BN=before.seen_BN & (before.named_BN == named_BN))
            moved_BN = self._move(x_BN, mean_BN, before, seen_BN, sigma, sigma_next)
            before = _Before(sigma, mean_BN, seen_BN, named_BN)
            x_BN = self._hold_x(moved_BN)
            if when_BC is None:
                next_BC = categorical.reverse(
                    seen_BC, logits, sigma, sigma_next, self.index, self.kind, generator=self.generator
                )
            else:
                next_BC = categorical.reveal(
                    seen_BC,
                    logits,
                    when_BC <= step,
                    self.index,
                    generator=self.generator,
                    forbidden_S=self.forbidden_S,
                )
            if self.ties and open_BT is not None and sigma_next > 0:
                next_BC = self.ties.one_a_step(seen_BC, next_BC, open_BT, generator=self.generator)
            seen_BC = self._hold_c(next_BC)
        if self.atoms:
            x_BN = self._hold_x(self.atoms.put(x_BN, seen_BC))
        return torch.where(self.index.present(seen_BC), x_BN, 0.0), seen_BC

    def _move(
        self, x_BN: Tensor, mean_BN: Tensor, before: _Before | None, seen_BN: Tensor, sigma: float, sigma_next: float
    ) -> Tensor:
        """One step of DPM-Solver++(2M) on numbers (Lu et al. 2022, algorithm 2; with noise, SDE-DPM-Solver++).

        A number whose status is open has not begun: steps towards its mean would take its variance away.
        """
        if sigma_next == 0:
            return mean_BN
        step = math.log(sigma / sigma_next)
        noise_step = self.plan.noise * step
        weight = -math.expm1(-step - noise_step)
        moved_BN = sigma_next / sigma * math.exp(-noise_step) * x_BN + weight * mean_BN
        if before is not None:
            slope = 0.5 * weight * step / math.log(before.sigma / sigma)
            moved_BN = moved_BN + torch.where(before.seen_BN, slope * (mean_BN - before.mean_BN), 0.0)
        noise_BN = self._noise()
        if noise_step > 0:
            moved_BN = moved_BN + sigma_next * math.sqrt(-math.expm1(-2.0 * noise_step)) * noise_BN
        return torch.where(seen_BN, moved_BN, math.sqrt(1.0 + sigma_next**2) * noise_BN)

    def _predict(self, x_BN: Tensor, seen_BC: Tensor, sigma: float) -> tuple[Tensor, Logits]:
        """Prediction with classifier-free guidance (Ho and Salimans 2022, eq. 6)."""
        sigma_BP = torch.where(self.given.given_BP, SIGMA_MIN, sigma)
        untold_B = torch.full((len(x_BN),), self.untold, dtype=torch.int64, device=x_BN.device)
        weight = 0.0 if self.label is None else self.plan.guidance
        if weight == 1.0:
            mean_BN, logits = self._once(x_BN, seen_BC, sigma_BP, torch.full_like(untold_B, self.label or 0))
        else:
            mean_BN, logits = self._once(x_BN, seen_BC, sigma_BP, untold_B)
            if weight != 0.0:
                told_B = torch.full_like(untold_B, self.label or 0)
                told_mean_BN, told = self._once(x_BN, seen_BC, sigma_BP, told_B)
                mean_BN = mean_BN + weight * (told_mean_BN - mean_BN)
                logits = logits.towards(told, weight)
        if self.forbidden_S is not None and self.kind is not categorical.Kind.MASKED:
            logits = Whole(logits.whole().masked_fill(self.forbidden_S, float("-inf")), self.index)
        return mean_BN, logits

    def _once(self, x_BN: Tensor, seen_BC: Tensor, sigma_BP: Tensor, label_B: Tensor) -> tuple[Tensor, Logits]:
        return predict(self.answer, x_BN, seen_BC, sigma_BP, label_B, self.index)

    def _always_there(self) -> Tensor:
        """Statuses [C] that can be nothing but present. They stand from the first step: a number that begins late has
        missed what the others agreed on, and where many hang together their common spread would be too small."""
        if self.forbidden_S is None:
            return torch.zeros_like(self.index.is_status_C)
        return self.index.always_present(self.forbidden_S)

    def _noise(self) -> Tensor:
        shape = self.given.x_BN.shape
        return torch.randn(shape, generator=self.generator, device=self.given.x_BN.device)

    def _hold_x(self, x_BN: Tensor) -> Tensor:
        return torch.where(self.given.given_BP[:, self.index.column_N], self.given.x_BN, x_BN)

    def _hold_c(self, c_BC: Tensor) -> Tensor:
        return torch.where(self.given.given_BP[:, self.index.column_C], self.given.c_BC, c_BC)

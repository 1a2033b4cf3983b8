"""Distillation: the student learns the teacher's scores and column tails by regression (Hinton et al. 2015).

The order of a run and nothing else: rows are `lessons`, the network is `student`. A seed gives the same student bit for
bit on one machine.
Axes: B rows, N numbers, C category columns, F features.
"""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from .adamw import AdamW
from .halves import Halves, one_thread
from .layout import PRESENT, Index, Layout
from .lessons import lessons
from .prototypes import begin_at_rows
from .replay import Replay, gradients
from .seeding import seeded
from .student import KNOTS, Student, knots

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FEWEST_ROWS", "Size", "distill", "export", "first_rate", "size_for"]

Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]

FEWEST_ROWS = 1_000
"""Training rows below which there is none: with 400 to 900, students of scores in nats lost up to 11 points of AUROC.
"""
_FEW_ROWS = 5_000
"""Training rows below which fewer lessons do as well."""
_FORMAT = 1
_TAILS = 0.25
"""Weight of the column tails beside the score."""
_WARM_UP = 0.1
_WEIGHT_DECAY = 1e-4
_GRADIENT_NORM = 1.0
_PROGRESS_STEPS = 50
_AT_ONCE = 4_096
"""Rows of which that is made at a time (`_MOST_CELLS`)."""
_EASY = 16
"""Features of a row up to which the first layer learns at the rate of the others."""
_MOST_CELLS = 2**25
"""What the first layer multiplies is made once for all rows up to so many cells (128 MiB), else batch by batch."""


@dataclass(frozen=True)
class Size:
    """How large a student is, and how much it hears."""

    width: int = 128
    layers: int = 1
    rows: int = 40_000
    steps: int = 1_200
    batch: int = 512
    rate: float = 3e-3


def size_for(quality: str, rows: int) -> Size:
    """The size for a quality, "default" or "best", and a table of `rows` training rows."""
    if quality == "best":
        return Size(width=128, layers=2, rows=200_000, steps=8_000, rate=2e-3)
    if rows < _FEW_ROWS:
        return Size(rows=28_000, steps=1_000)
    return Size()


def distill(
    training: tuple[Numbers, Codes],
    fresh: tuple[Numbers, Codes],
    layout: Layout,
    teach: Callable[[Numbers, Codes], tuple[Numbers, Numbers]],
    *,
    size: Size,
    seed: int,
    device: torch.device,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[str, bytes]:
    """`(config_json, safetensors_bytes)` of a student of these training rows and of `fresh` ones.

    The codecs counted no fresh row: a value that only one row has is another number in them, as it is in rows to come.
    `teach` gives the teacher's scores [B] and column tails [B, F] of rows, in nats.
    """
    generator = seeded(device, seed)
    # As many fresh rows as training rows, in copies.
    copies = max(1, len(training[0]) // max(1, len(fresh[0])))
    x_BN, c_BC = (np.concatenate([own, *[new] * copies]) for own, new in zip(training, fresh, strict=True))
    present_BN = c_BC[:, list(layout.status)] == PRESENT
    index = Index(layout, device)
    net = Student(index, knots(x_BN, present_BN), size.width, size.layers, generator=generator)
    begin_at_rows(
        net, torch.tensor(x_BN, device=device), torch.tensor(c_BC.astype(np.int64), device=device), generator=generator
    )
    heard_x, heard_c = lessons(x_BN, c_BC, layout, size.rows, seed)
    score_B, tail_BF = teach(heard_x, heard_c)
    rows = (
        torch.tensor(heard_x, device=device),
        torch.tensor(heard_c.astype(np.int64), device=device),
        # In logarithms: most rows that are to be told apart lie among the low scores.
        torch.tensor(np.log1p(score_B), device=device),
        torch.tensor(np.log1p(tail_BF), device=device),
    )
    with one_thread(), closing(gradients(net, device)) as gradient:
        _fit(gradient, rows, size, generator, progress)
    return export(net)


def _fit(
    gradient: Halves[Student] | Replay[Student],
    rows: tuple[Tensor, Tensor, Tensor, Tensor],
    size: Size,
    generator: torch.Generator,
    progress: Callable[[int, int], object] | None,
) -> None:
    net = gradient.net
    x_BN, c_BC, score_B, log_BF = rows  # the last two as logarithms
    spread = score_B.std().clamp_min(1e-3)
    # A column that never surprises has nothing to be learned.
    weight_F = 1.0 / log_BF.var(dim=0).clamp_min(1e-2)
    with torch.no_grad():
        net.score_bias.add_(score_B.mean())
        net.tails_bias.add_(log_BF.mean(dim=0))

    entry_BD = None
    if len(c_BC) * len(net.first) <= _MOST_CELLS:
        parts = [slice(at, at + _AT_ONCE) for at in range(0, len(c_BC), _AT_ONCE)]
        entry_BD = torch.cat([net.entries(x_BN[part], c_BC[part]) for part in parts])
    excess_BN = net.excess(x_BN, c_BC)

    def of_part(net: Student, part: tuple[Tensor, ...], _half: int) -> tuple[Tensor, Tensor]:
        (at_B,) = part
        own_BC = c_BC.index_select(0, at_B)
        own_BD = net.entries(x_BN[at_B], own_BC) if entry_BD is None else entry_BD.index_select(0, at_B)
        said_B, logs_BF = net.of_entries(own_BD, excess_BN.index_select(0, at_B), own_BC)
        score_loss = functional.smooth_l1_loss(said_B / spread, score_B[at_B] / spread, reduction="sum")
        tails_loss = ((logs_BF - log_BF.index_select(0, at_B)).square() * weight_F).mean(dim=1).sum()
        return score_loss + _TAILS * tails_loss, torch.full((), len(at_B), device=at_B.device)

    others = [own for own in net.parameters() if own is not net.first]
    optimisers = [
        (AdamW([net.first], weight_decay=_WEIGHT_DECAY), first_rate(log_BF.shape[1])),
        (AdamW(others, weight_decay=_WEIGHT_DECAY), 1.0),
    ]
    an_epoch = max(1, len(score_B) // size.batch)
    for step in range(size.steps):
        if step % an_epoch == 0:
            order_B = torch.randperm(len(score_B), generator=generator, device=generator.device)
        start = step % an_epoch * size.batch
        gradient.backward(of_part, (order_B[start : start + size.batch],))
        torch.nn.utils.clip_grad_norm_(net.parameters(), _GRADIENT_NORM)
        for optimiser, share in optimisers:
            optimiser.step(size.rate * share * _cycle(step / size.steps))
        if progress is not None and (step + 1) % _PROGRESS_STEPS == 0:
            progress(step + 1, size.steps)


def first_rate(features: int) -> float:
    """Share of the rate at which the first layer learns: (16 / F)^1.5, at most 1.

    What it says of a row moves with all F features at once, so that a step of Adam moves it F times as far as one curve
    alone: rates fall with the width of what comes in (Yang et al. 2022, for hidden layers), here a little faster. At
    the full rate a student of a hundred features forgot the places where its units began.
    """
    return float(min(1.0, (_EASY / max(features, 1)) ** 1.5))


def _cycle(done: float) -> float:
    """Share of the peak rate after a share `done` of the steps: linear up, cosine down to nothing."""
    if done < _WARM_UP:
        return 0.05 + 0.95 * done / _WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))


def export(net: Student) -> tuple[str, bytes]:
    """Canonical JSON without floats, and a safetensors file that holds nothing but float32."""
    fields = {"format": _FORMAT, "width": net.bias.shape[0], "layers": len(net.hidden), "knots": KNOTS}
    tensors = net.tensors()
    return json.dumps(fields, sort_keys=True, separators=(",", ":")), bytes(safetensors.torch.save(tensors))

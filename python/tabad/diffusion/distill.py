"""Distillation: the student learns the teacher's scores and column tails by regression (Hinton et al. 2015).

The order of a run and nothing else: rows are `lessons`, the network is `student`. A seed gives the same student bit for
bit on one machine with the same number of threads.
Axes: B rows, N numbers, C category columns, F features.
"""

# ruff: noqa: N803  (arguments carry their axes in their names)
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from .layout import Index, Layout
from .lessons import lessons
from .student import KNOTS, Student, knots
from .train import _cycle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Size", "distill"]

Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]
Teach = "Callable[[Numbers, Codes], tuple[Numbers, Numbers]]"

_FORMAT = 1
_TAILS = 0.25
"""Weight of the column tails beside the score."""


@dataclass(frozen=True)
class Size:
    """How large a student is, and how much it hears."""

    width: int = 64
    layers: int = 1
    rows: int = 60_000
    steps: int = 3_000
    batch: int = 512
    rate: float = 4e-3


def distill(
    x_BN: Numbers,
    c_BC: Codes,
    layout: Layout,
    teach: Callable[[Numbers, Codes], tuple[Numbers, Numbers]],
    *,
    size: Size,
    seed: int,
    device: torch.device,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[str, bytes]:
    """`(config_json, safetensors_bytes)` of a student of the training rows. `teach` gives scores [B] and column tails [B, F]."""
    index = Index(layout, device)
    generator = torch.Generator(device=device).manual_seed(seed)
    present_BN = c_BC[:, list(layout.status)] == 0
    net = Student(index, knots(x_BN, present_BN), size.width, size.layers, generator=generator)
    rows_x, rows_c = lessons(x_BN, c_BC, layout, size.rows, seed)
    scores, tails = teach(rows_x, rows_c)
    fit(net, rows_x, rows_c, scores, tails, size, generator, progress)
    return export(net)


def fit(net, rows_x, rows_c, scores, tails, size, generator, progress=None):
    device = generator.device
    x = torch.tensor(rows_x, device=device)
    c = torch.tensor(rows_c.astype(np.int64), device=device)
    y = torch.tensor(scores, device=device)
    t = torch.tensor(np.log1p(tails), device=device)
    spread = y.std().clamp_min(1e-3)
    with torch.no_grad():
        net.score_bias += y.mean()
        net.tails_bias += t.mean(dim=0)
    weight_F = 1.0 / t.var(dim=0).clamp_min(1e-2)
    optimiser = torch.optim.AdamW(net.parameters(), lr=size.rate, weight_decay=1e-4, betas=(0.9, 0.99), fused=True)
    for step in range(size.steps):
        for group in optimiser.param_groups:
            group["lr"] = size.rate * _cycle(step / size.steps)
        if step % max(1, len(y) // size.batch) == 0:
            order = torch.randperm(len(y), generator=generator, device=device)
        start = (step % max(1, len(y) // size.batch)) * size.batch
        at = order[start : start + size.batch]
        score, logs = net(x[at], c[at])
        loss = functional.smooth_l1_loss(score / spread, y[at] / spread) + _TAILS * ((logs - t[at]).square() * weight_F).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if progress is not None and step % 100 == 0:
            progress(step, size.steps)
    return float(loss)


def export(net: Student) -> tuple[str, bytes]:
    tensors = net.tensors()
    fields = {"format": _FORMAT, "width": net.bias.shape[0], "layers": len(net.hidden), "knots": KNOTS}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")), bytes(safetensors.torch.save(tensors))

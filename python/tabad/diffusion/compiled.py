"""Rows of a network of masked categories on a processor, drawn by the Rust extension (`network/generate.rs`).

The same steps as `sample`, which training and a GPU take, and more than twice as fast. Every row has random numbers
of its own, so that neither the rows beside it nor the number of threads change it. Slow twin: `tests/oracle/sample.py`.
Axes: B rows, N numbers, C category columns, S codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tabad import _core

if TYPE_CHECKING:
    from .layout import Layout
    from .sample import Given, Plan
    from .ties import Ties

__all__ = ["sample_compiled"]


def sample_compiled(
    net: _core.Generator,
    rows: int,
    layout: Layout,
    *,
    generator: torch.Generator,
    forbidden_S: Tensor,
    label: int | None = None,
    given: Given | None = None,
    ties: Ties | None = None,
    plan: Plan,
) -> tuple[Tensor, Tensor]:
    """`(x_BN float32, c_BC int64)` of generated rows, as `sample` gives them; an absent number is 0."""
    held = None
    if given is not None:
        x = given.x_BN.to(torch.float32).contiguous().numpy().tobytes()
        c = given.c_BC.numpy().astype("<u2").tobytes()
        held = x, c, given.given_BP.contiguous().numpy().tobytes()
    seeds = torch.randint(2**62, (-(-rows // _core.SEED_ROWS),), generator=generator)
    x_buffer, c_buffer = net.sample(
        rows,
        seeds=seeds.tolist(),
        forbidden=forbidden_S.numpy().tobytes(),
        label=label,
        guidance=plan.guidance,
        given=held,
        ties=None if ties is None else ties.told(),
        steps=plan.steps,
        noise=plan.noise,
    )
    x_BN = np.frombuffer(x_buffer, "<f4").reshape(rows, layout.numbers)
    c_BC = np.frombuffer(c_buffer, "<u2").reshape(rows, layout.categories)
    return torch.tensor(x_BN), torch.tensor(c_BC.astype(np.int64))

"""A model with a small student, in seconds: what the tests of the student share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

import tabad
from tabad import _core

if TYPE_CHECKING:
    import pyarrow as pa


def taught(
    table: pa.Table, *, layers: int = 1, rows: int = 1_500, steps: int = 80, given: tuple[str, ...] = ()
) -> tabad.Model:
    """A fast model of the table with a student of 32, the teacher in use. Needs torch."""
    import torch

    from tabad.diffusion.distill import Size, distill
    from tabad.diffusion.layout import Layout

    fit = _core.Fit(memory=256, given=list(given))
    fit.observe(table)
    shape = json.loads(fit.prepare())["network"]
    layout = Layout.of(shape["sizes"], shape["status_of_number"], shape["column_of_feature"])

    def arrays(part: tuple[int, Any, Any, bytes]) -> tuple[Any, Any]:
        count, x, c, _ = part
        x_BN = np.frombuffer(x, "<f4").reshape(count, layout.numbers)
        return x_BN, np.frombuffer(c, "<u2").reshape(count, layout.categories)

    training, fresh = arrays(fit.training_block()), arrays(fit.held_out_block())
    assert fit.judge()

    def teach(x: Any, c: Any) -> tuple[Any, Any]:
        scores, tails = fit.teach(len(x), np.ascontiguousarray(x), np.ascontiguousarray(c))
        return np.frombuffer(scores, "<f4"), np.frombuffer(tails, "<f4").reshape(len(x), -1)

    size = Size(32, layers, rows, steps)
    fit.set_student(*distill(training, fresh, layout, teach, size=size, seed=0, device=torch.device("cpu")))
    return tabad.Model(fit.finish())

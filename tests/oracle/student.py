"""The student, slowly: one row and one number at a time, in float64. Twin of `rust/core/src/student/forward.rs`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

PRESENT = 0
MOST_LOG = 6.0


def outputs(
    tensors: dict[str, Any], sizes: list[int], status: list[int], x: list[float], c: list[int]
) -> tuple[float, list[float]]:
    """`(score, tails)` of one encoded row, in nats."""
    t = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
    h, beyond, excess = t["bias"].copy(), 0.0, [0.0] * len(status)
    for number, (value, its_status) in enumerate(zip(x, status, strict=True)):
        if c[its_status] != PRESENT:
            continue
        knots = t["knot"][number]
        inner = min(max(value, knots[0]), knots[-1])
        for k in range(len(h)):
            h[k] += np.interp(inner, knots, t["curve"][number][:, k])
        excess[number] = max(value - knots[-1], knots[0] - value, 0.0)
        beyond += t["beyond"][number] * excess[number]
    offset = 0
    for code, size in zip(c, sizes, strict=True):
        h += t["code"][offset + min(code, size - 1)]
        offset += size
    h = np.maximum(h, 0.0)
    layer = 0
    while f"hidden.{layer}" in t:
        h = np.maximum(h @ t[f"hidden.{layer}"] + t[f"hidden_bias.{layer}"], 0.0)
        layer += 1
    score = math.expm1(min(float(h @ t["score"] + t["score_bias"][0]), MOST_LOG)) + beyond
    logs = h @ t["tails"] + t["tails_bias"]
    tails = [math.expm1(min(max(log, 0.0), MOST_LOG)) for log in logs]
    return score, [tail + more for tail, more in zip(tails, excess + [0.0] * len(c), strict=True)]

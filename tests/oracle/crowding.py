"""Crowding, slowly: how much denser a row is than rows as far out, by a running median over the reference rows.

Read this first. `rust/core/src/crowding.rs` must agree with it. B reference rows, K knots.
"""

from __future__ import annotations

import numpy as np


def fit(local_B: np.ndarray, wide_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(wide_K, local_K)`: upper medians of ten groups by wide energy, of 25 rows at least; none below 100 rows."""
    groups = min(len(wide_B) // 25, 10)
    order = np.argsort(wide_B, kind="stable")
    knots: list[tuple[float, float]] = []
    for group in range(groups if groups >= 4 else 0):
        rows = order[group * len(order) // groups : (group + 1) * len(order) // groups]
        wide, local = (np.sort(energies[rows])[len(rows) // 2] for energies in (wide_B, local_B))
        if not knots or wide > knots[-1][0] + 1e-4:
            knots.append((wide, local))
    return np.array([wide for wide, _ in knots]), np.array([local for _, local in knots])


def residual(local: np.ndarray, wide: np.ndarray, wide_K: np.ndarray, local_K: np.ndarray) -> np.ndarray:
    """In nats; constant beyond the outer knots, 0 without any."""
    return np.interp(wide, wide_K, local_K) - local if len(wide_K) else np.zeros_like(local)

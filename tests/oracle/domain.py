"""Twin of `domain.rs` and of its tails in numpy: bounds by a fine grid of scales, codes by counting.

Axes: B rows, N numbers, C category columns.
"""

from __future__ import annotations

import numpy as np

TABLES, LEAST_OF_A_CODE, ROWS_OF_ONE, LIMIT = 20.0, 10, 200.0, 30.0
START, PRIOR, SLACK, COMMON = 0.80, 0.25, 0.5, 200


def bounds(x_B: np.ndarray, rows: int, sides: int, *, normal: bool) -> tuple[float, float]:
    """Of the encoded numbers that are there, on the same scale; `sides`: two of each number that is bounded."""
    chance = -np.log(TABLES * sides * rows)
    u_B = deviations(x_B.astype(float))
    return -on_scale(_bound(-u_B, chance, normal)), on_scale(_bound(u_B, chance, normal))


def deviations(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) <= 3, x, np.sign(x) * 3 * np.exp(np.abs(x) / 3 - 1))


def on_scale(u: float) -> float:
    return min(u, 3 + 3 * np.log(max(u, 3) / 3), LIMIT)


def _bound(u_B: np.ndarray, chance: float, normal: bool) -> float:
    """Where more than one row in 200 is beyond it, the bound of a tail that is told with these."""
    bound = max(_reached(u_B, chance, 0.998 if normal else 0.95), 0.0)
    if normal:
        return max(bound, u_B.max())
    return max(bound, _reached(u_B, chance, 0.998)) if (u_B > bound).sum() * COMMON > len(u_B) else bound


def _reached(u_B: np.ndarray, chance: float, trim: float) -> float:
    tail = pareto(np.sort(u_B), trim)
    if tail is None:
        return np.inf
    start, log_share, scale, shape = tail
    nats = max(log_share - chance, 0.0)
    return float(start + scale * (nats if shape == 0 else np.expm1(shape * nats) / shape))


def pareto(ascending: np.ndarray, trim: float) -> tuple[float, float, float, float] | None:
    """Start, log share beyond it, scale and shape: the largest shape within half a nat of the greatest likelihood."""
    n = len(ascending)
    start, end = (ascending[min(int(n * share), n - 1)] for share in (START, trim))
    limit = end - start
    above = ascending[ascending > start] - start
    bulk = above[above <= limit]
    distinct, last = 0, -np.inf
    for y in bulk:
        if y > last + limit / 1000:
            distinct, last = distinct + 1, y
    if distinct < 5:
        return None
    stride = -(-len(bulk) // 500)
    thin = bulk[stride // 2 :: stride]
    censored = (len(above) - len(bulk)) * len(thin) / len(bulk)
    scales = thin.mean() * np.exp(np.linspace(-np.log(50), np.log(50), 4_001))
    shapes = [shape for shape in np.arange(26) * 0.04 if shape >= (PRIOR if distinct < 30 else 0)]
    found = []
    for shape in shapes:
        inside = sum((1 + shape) * _survival(y, scales, shape) for y in thin) - len(thin) * np.log(scales)
        likelihood = inside + censored * _survival(limit, scales, shape)
        best = int(likelihood.argmax())
        found.append((float(shape), float(scales[best]), likelihood[best] * stride - 0.5 * (shape / PRIOR) ** 2))
    greatest = max(one[2] for one in found)
    shape, scale, _ = [one for one in found if one[2] >= greatest - SLACK][-1]
    return float(start), float(np.log(len(above) / n)), scale, shape


def _survival(y: float, scales: np.ndarray, shape: float) -> np.ndarray:
    return -y / scales if shape == 0 else -np.log1p(shape * y / scales) / shape


def strange(c_BC: np.ndarray, sizes: list[int], statuses: list[bool]) -> list[np.ndarray]:
    """Per category column and code what it adds to a score; `statuses`: which columns say whether a number is there."""
    rows = len(c_BC)
    sets = []
    for c_B, size, status in zip(c_BC.T, sizes, statuses, strict=True):
        counts = np.bincount(c_B, minlength=size)
        apart = not status and counts[0] == 0
        values = np.arange(1 if apart else 0, size)
        rare = ((counts[values] > 0) & (counts[values] < LEAST_OF_A_CODE)).any()
        expected = 1.0 + (counts[values] == 1).sum() if rare else 1 / TABLES
        own = [(values[counts[values] == 0], expected), (np.array([0] if apart else [], int), 1 / TABLES)]
        sets.append([(codes, expected) for codes, expected in own if len(codes)])
    closed, some = ([e for own in sets for _, e in own if (e >= 1) == is_open] for is_open in (False, True))
    told = []
    for own, size in zip(sets, sizes, strict=True):
        nats = np.zeros(size)
        for codes, expected in own:
            all_of_them = expected * len(some if expected >= 1 else closed)
            if expected < 1 or rows >= ROWS_OF_ONE * all_of_them:
                nats[codes] = max(np.log((rows + 1) / all_of_them), 0)
        told.append(nats)
    return told

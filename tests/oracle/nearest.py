"""The slow twin of `rust/core/src/nearest.rs`: all distances at once, in float64, then a stable sort."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def one_hot(
    x_BN: Floats, c_BC: npt.NDArray[np.int64], weights_N: Floats, weights_C: Floats, sizes: list[int]
) -> Floats:
    """Numbers times the root of their weight, beside one-hot codes times the root of half their weight."""
    parts = [x_BN * np.sqrt(weights_N)]
    for place, size in enumerate(sizes):
        parts.append((c_BC[:, [place]] == np.arange(size)) * np.sqrt(weights_C[place] / 2))
    return np.concatenate(parts, axis=1)


def nearest(
    rows: Floats, reference: Floats, k: int, *, exclude_self: bool = False
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Squared Euclidean distances and places [B, k] of the nearest reference rows; the earlier row wins a tie."""
    distance_BM = ((rows[:, None, :] - reference[None, :, :]) ** 2).sum(axis=2)
    if exclude_self:
        np.fill_diagonal(distance_BM, np.inf)
    place_BK = np.argsort(distance_BM, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distance_BM, place_BK, axis=1), place_BK

"""p-values and selections of a table whose mix of rows has drifted, slowly: row by row, as the papers say them.

Read this first. `rust/core/src/strata.rs` and `drift.rs` must agree with it. n calibration rows, m rows of the table,
K strata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.oracle.model_file import Tensors

SPLIT = dict[str, int]


def stratum(splits: list[SPLIT], tensors: Tensors, x_N: np.ndarray, c_C: np.ndarray) -> int:
    """Of one encoded row. Split t moves rows of its stratum to stratum t + 1: above an edge, or with some codes."""
    at, edges, codes = 0, list(tensors["strata.edges"]), list(tensors["strata.codes"])
    for place, split in enumerate(splits):
        if "number" in split:
            moves = x_N[split["number"]] > edges.pop(0)
        else:
            own, codes = codes[: split["codes"]], codes[split["codes"] :]
            moves = c_C[split["category"]] in own
        if at == split["stratum"] and moves:
            at = place + 1
    return at


def weights(calibration_n: np.ndarray, rows_m: np.ndarray, strata: int) -> np.ndarray:
    """a_K: the share of the table's rows that are of a stratum, over its calibration rows; infinite without any.

    Arguments are strata of rows. Of an empty table: as if nothing had drifted.
    """
    have_K = np.bincount(calibration_n, minlength=strata)
    rows_K = np.bincount(rows_m, minlength=strata) if len(rows_m) else have_K
    seen = rows_K[have_K > 0].sum()
    return np.array([np.inf if have == 0 else rows / seen / have for rows, have in zip(rows_K, have_K, strict=True)])


def p_value(score: float, of: int, scores_n: np.ndarray, calibration_n: np.ndarray, a_K: np.ndarray) -> float:
    """The weight of the calibration rows at least as odd, and of one more of the row's own stratum.

    Tibshirani et al. 2019, eq. 7, without the row's weight in the denominator: see `drift.rs`.
    """
    return min(1.0, float(a_K[calibration_n[scores_n >= score]].sum() + a_K[of]))


def benjamini_hochberg(p_m: np.ndarray, fdr: float) -> int:
    """How many hypotheses are rejected."""
    ordered = np.sort(p_m)
    passing = [k for k, p in enumerate(ordered, start=1) if p * len(p_m) <= fdr * k]
    return max(passing, default=0)


def select(
    scores_m: np.ndarray, rows_m: np.ndarray, scores_n: np.ndarray, calibration_n: np.ndarray,
    a_K: np.ndarray, fdr: float, xi: float,
) -> np.ndarray:  # fmt: skip
    """Which rows weighted conformal selection selects, homogeneous pruning (Jin and Candes 2023, algorithm 1).

    `xi` in (0, 1) is its one random number. Returns booleans [m].
    """
    m = len(scores_m)
    rejections_m = np.zeros(m, int)
    first_m = np.zeros(m, bool)
    for j in range(m):
        own = a_K[rows_m[j]]
        # Auxiliary p-values: row j is put among the calibration rows, for all rows but itself.
        p_m = np.array([
            a_K[calibration_n[scores_n >= scores_m[other]]].sum() + own * (scores_m[j] >= scores_m[other])
            for other in range(m)
        ])  # fmt: skip
        p_j = p_m[j]
        p_m[j] = 0.0
        rejections_m[j] = benjamini_hochberg(p_m, fdr)
        first_m[j] = p_j * m <= fdr * rejections_m[j]
    kept = [r for r in range(1, m + 1) if (first_m & (xi * rejections_m <= r)).sum() >= r]
    return first_m & (xi * rejections_m <= max(kept, default=0))

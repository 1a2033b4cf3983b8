"""The protocols of detection: which rows train, which are tested, what counts as an anomaly.

Clean: half of the normal rows train, the rest and all anomalies are tested. Contaminated: the table is fitted and
scored as it is. Small sets are never oversampled (ADBench duplicates them before the split, which leaks), and
natural duplicates stay. At most 20,000 rows, drawn anew for each seed with the anomaly rate kept.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.data import Labels

Rows = npt.NDArray[np.int64]
Setting = Literal["clean", "contaminated"]

MAX_ROWS = 20_000
SEEDS = (0, 1, 2, 3, 4)
THIN_ABOVE = 0.25
THIN_TO = 0.05


@dataclass(frozen=True)
class Split:
    """Row numbers into the table. Contaminated: `train` and `test` are the same array."""

    train: Rows
    test: Rows


def thin(anomaly: Labels, rng: np.random.Generator) -> Rows:
    """All rows, but where more than 25 % are anomalies only as many of those as make 5 %."""
    normal_rows, odd_rows = np.flatnonzero(~anomaly), np.flatnonzero(anomaly)
    if len(odd_rows) > THIN_ABOVE * len(anomaly):
        keep = max(1, round(len(normal_rows) * THIN_TO / (1 - THIN_TO)))
        odd_rows = rng.choice(odd_rows, keep, replace=False)
    return np.sort(np.concatenate([normal_rows, odd_rows]))


def cap(rows: Rows, anomaly: Labels, limit: int, rng: np.random.Generator) -> Rows:
    """At most `limit` of these rows, with the anomaly rate kept and at least one anomaly."""
    if len(rows) <= limit:
        return rows
    normal_rows, odd_rows = rows[~anomaly[rows]], rows[anomaly[rows]]
    odd = max(1, round(limit * len(odd_rows) / len(rows)))
    kept = [rng.choice(odd_rows, odd, replace=False), rng.choice(normal_rows, limit - odd, replace=False)]
    return np.sort(np.concatenate(kept))


def split(anomaly: Labels, setting: Setting, seed: int, *, thinned: bool = False, limit: int = MAX_ROWS) -> Split:
    """The rows of one run. `thinned`: the rule of detect-mixed for tables that are mostly anomalies."""
    rng = np.random.default_rng([20_26, seed])
    rows = thin(anomaly, rng) if thinned else np.arange(len(anomaly))
    rows = rng.permutation(cap(rows, anomaly, limit, rng))
    if setting == "contaminated":
        return Split(rows, rows)
    normal_rows = rows[~anomaly[rows]]
    train = normal_rows[: round(len(normal_rows) / 2)]
    test = np.concatenate([normal_rows[len(train) :], rows[anomaly[rows]]])
    return Split(train, rng.permutation(test))

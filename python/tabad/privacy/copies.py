"""Synthetic rows that are training rows: identical in every modelled column, or nearly.

Judged by what other rows of the population do: held-out rows too repeat training rows where the population repeats
itself, and training rows repeat each other. A copy counts only if it repeats a row that stands once in the training
table (what stands there often is no one's secret). Near copies are told by the ratio of the distances to the nearest
and to the second nearest training row, which has no unit and does not depend on how dense the place is: noise on a
copy leaves it near 0. Of training rows repeating each other, both of a pair are counted, so that they weigh half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabad.privacy.result import Figure
from tabad.privacy.statistics import hypergeometric_tail, wilson

if TYPE_CHECKING:
    from tabad.privacy.records import Records, Space

__all__ = ["distance_ratio", "exact_copies", "near_copies"]

_NEAREST = 0.005
"""Share of synthetic and held-out rows that are looked at as near copies."""
_AT_LEAST = 12
"""And no fewer than so many: ten copies among them are then beyond chance."""


def exact_copies(synthetic: Any, train: Any, holdout: Any) -> tuple[float, list[Figure]]:
    """P-value, and the shares of synthetic and of held-out rows that are training rows. Arguments: row codes."""
    values, counts = np.unique(train, return_counts=True)
    hits, control = (int(np.isin(rows, values[counts == 1]).sum()) for rows in (synthetic, holdout))
    among = 2 * int((counts == 2).sum())
    any_synthetic, any_holdout = (int(np.isin(rows, values).sum()) for rows in (synthetic, holdout))
    return _tail(hits, len(synthetic), control, len(holdout), among, len(train)), [
        _share("copies of training rows", hits, len(synthetic)),
        _share("copies of training rows, holdout", control, len(holdout)),
        _share("copies of training rows, training rows", among, len(train)),
        _share("identical to a training row", any_synthetic, len(synthetic)),
        _share("identical to a training row, holdout", any_holdout, len(holdout)),
    ]


def near_copies(space: Space, synthetic: Records, train: Records, holdout: Records) -> tuple[float, list[Figure]]:
    """P-value of the smallest ratios, and the shares of rows with a ratio that 1 % of the held-out rows have."""
    made, held = (distance_ratio(space, rows, train) for rows in (synthetic, holdout))
    own = distance_ratio(space, train, train, own=True)
    ratio = np.concatenate([made, held, own[::2]])
    looked_at = min(len(ratio), max(_AT_LEAST, round(_NEAREST * len(ratio))))
    edge = np.partition(ratio, looked_at - 1)[looked_at - 1]
    hits, control, among = (int((part <= edge).sum()) for part in (made, held, own))
    usual = np.partition(held, -(-len(held) // 100) - 1)[-(-len(held) // 100) - 1]
    return _tail(hits, len(made), control, len(held), among, len(own)), [
        _share(name, int((part <= usual).sum()), len(part))
        for name, part in (("near copies", made), ("near copies, holdout", held), ("near copies, training rows", own))
    ]


def _tail(hits: int, trials: int, control: int, held: int, among: int, trained: int) -> float:
    """P(so many hits are synthetic), where held-out and (half as many) training rows hit as often."""
    control, held = control + -(-among // 2), held + trained // 2
    return hypergeometric_tail(hits, trials, held, hits + control)


def distance_ratio(space: Space, rows: Records, reference: Records, *, own: bool = False) -> Any:
    """Nearest over second nearest distance to reference rows [B], 0 ... 1; 1 where both are 0."""
    distance_BK, _ = space.nearest(rows, reference, 2, own=own)
    first, second = distance_BK[:, 0], distance_BK[:, 1]
    return np.divide(first, second, out=np.ones(len(rows)), where=(second > 0) & np.isfinite(second))


def _share(name: str, hits: int, trials: int) -> Figure:
    share = wilson(hits, trials)
    return Figure(name, share.value, share.low, share.high)

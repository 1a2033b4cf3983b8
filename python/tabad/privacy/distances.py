"""Distance to the closest record, against the holdout: informative, never a verdict.

A table can pass every threshold on distances and still give members away, and a good generator can fail one (arXiv
2505.01524), so these figures stand beside the attacks and decide nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabad.privacy.copies import distance_ratio
from tabad.privacy.result import Figure
from tabad.privacy.statistics import wilson

if TYPE_CHECKING:
    from tabad.privacy.records import Records, Space

__all__ = ["closest_records"]


def closest_records(space: Space, synthetic: Records, train: Records, holdout: Records) -> list[Figure]:
    """Share of synthetic rows nearer to training than to held-out rows (0.5 is none the wiser; ties count half), ratios
    of distance quantiles (1 is none the wiser, less is nearer to training), and nearest-neighbour distance ratios.

    Training and held-out rows are as many.
    """
    size = min(len(train), len(holdout))
    train, holdout = train.take(slice(size)), holdout.take(slice(size))
    to_train, to_holdout = (space.nearest(synthetic, rows)[0][:, 0] for rows in (train, holdout))
    nearer = float((to_train < to_holdout).sum() + 0.5 * (to_train == to_holdout).sum())
    share = wilson(nearer, len(synthetic))
    figures = [Figure("nearer to training than to held-out rows", share.value, share.low, share.high)]
    for percent in (5, 50):
        near, far = (float(np.quantile(d, percent / 100)) for d in (to_train, to_holdout))
        figures.append(Figure(f"distance, {percent} % point, training over holdout", near / far if far > 0 else None))
    for name, rows in (("synthetic", synthetic), ("holdout", holdout)):
        ratio = float(np.median(distance_ratio(space, rows, train)))
        figures.append(Figure(f"nearest over second nearest training row, median, {name}", ratio))
    return figures

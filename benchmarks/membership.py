"""Attacks with shadows, and on a rare class: who was among the rows that a generator learned from?

Of a pool of rows a random half are members, over and over; each half trains a generator, which makes as many rows.
Every generator is attacked by the scores of `tabad.audit`, and with all others as its shadows: the log-likelihood
ratio of a row's score among generators that had it and those that had not (LiRA, Carlini et al. 2022, section V, with
variances pooled over rows, since shadows are few). Axes: S generators, B rows of the pool.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

RATE = 0.1
"""False positives at which true ones are counted."""
EVERYONE = "everyone"
Made = Callable[[pa.Table, int], pa.Table]


def attacked(
    pool: pa.Table, made: Made, shadows: int, *, fixed: pa.Table | None = None, alone: dict[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Who was attacked, attack, true positives at 10 % false ones and AUC: mean over generators, 95 % interval.

    `made` gives rows of a generator of the members given and a seed; `fixed` rows train each of them too. Beside
    `everyone` those that `alone` names are looked at by themselves: rows of the pool, boolean [B].
    """
    member_SB = np.zeros((shadows, pool.num_rows), bool)
    scores: dict[str, list[Any]] = {}
    for seed in range(shadows):
        member_SB[seed, np.random.default_rng([seed, 5]).permutation(pool.num_rows)[: pool.num_rows // 2]] = True
        own = pool.filter(pa.array(member_SB[seed]))
        rows = made(own if fixed is None else pa.concat_tables([own, fixed]), seed)
        for name, score_B in distances(rows, pool).items():
            scores.setdefault(name, []).append(score_B)
    found = {name: np.array(score_SB) for name, score_SB in scores.items()}
    if shadows > 2:
        with_shadows = {f"{name}, with shadows": ratios(score_SB, member_SB) for name, score_SB in found.items()}
        found |= with_shadows
    groups = {EVERYONE: np.ones(pool.num_rows, bool), **(alone or {})}
    return {
        who: {name: _figures(score_SB[:, own_B], member_SB[:, own_B]) for name, score_SB in found.items()}
        for who, own_B in groups.items()
    }


def distances(rows: pa.Table, pool: pa.Table) -> dict[str, Any]:
    """The scores of the audit for every row of the pool, by name."""
    from tabad.config import AuditOptions
    from tabad.privacy import checks
    from tabad.privacy.membership import closeness
    from tabad.privacy.records import Records, encode

    kept = [name for name in pool.column_names if name in rows.column_names]
    half = pool.num_rows // 2
    tables = {"train": pool.slice(0, half), "holdout": pool.slice(half), "synthetic": rows}
    tables = checks.alike({name: table.select(kept) for name, table in tables.items()}, {n: n for n in tables}, ())
    everything = {name: np.arange(table.num_rows) for name, table in tables.items()}
    space, records = encode(tables, everything, everything, AuditOptions())
    pooled = Records.together(records["train"], records["holdout"])
    found: dict[str, Any] = closeness(space, records["synthetic"], pooled)
    return found


def ratios(score_SB: Any, member_SB: Any) -> Any:
    """Of every generator and row the log-likelihood ratio under the other generators [S, B]."""
    return np.array([
        _ratio(score_SB[at], np.delete(score_SB, at, 0), np.delete(member_SB, at, 0)) for at in range(len(score_SB))
    ])  # fmt: skip


def _ratio(score_B: Any, shadow_SB: Any, member_SB: Any) -> Any:
    """Normal in both cases, of one variance; means and variances of a row lean on those of all rows."""
    inside_B, outside_B = member_SB.sum(0), (~member_SB).sum(0)
    mean_in_B = np.where(member_SB, shadow_SB, 0).sum(0) / np.maximum(inside_B, 1)
    mean_out_B = np.where(member_SB, 0, shadow_SB).sum(0) / np.maximum(outside_B, 1)
    rest_SB = shadow_SB - np.where(member_SB, mean_in_B, mean_out_B)
    variance_B = (rest_SB**2).sum(0) / max(len(shadow_SB) - 2, 1)
    variance_B = (variance_B + variance_B.mean()) / 2 + 1e-12
    both_B = (inside_B > 0) & (outside_B > 0)
    gap_B = np.where(both_B, mean_in_B - mean_out_B, 0.0)
    typical = gap_B[both_B].mean()
    noise_B = variance_B * (1 / np.maximum(inside_B, 1) + 1 / np.maximum(outside_B, 1))
    spread = max(gap_B[both_B].var() - noise_B[both_B].mean(), 0.0)
    gap_B = np.where(both_B, typical + spread / (spread + noise_B) * (gap_B - typical), typical)
    middle_B = np.where(both_B, (mean_in_B + mean_out_B) / 2, shadow_SB.mean(0))
    return gap_B * (score_B - middle_B) / variance_B


def _figures(score_SB: Any, member_SB: Any) -> dict[str, Any]:
    from sklearn.metrics import roc_auc_score

    # One limit for all generators: of 50 non-members by themselves a tenth is passed by 11.6 % of strangers.
    limit = np.quantile(score_SB[~member_SB], 1 - RATE)
    pairs = list(zip(score_SB, member_SB, strict=True))
    found = [float((score[own] > limit).mean()) for score, own in pairs]
    areas = [float(roc_auc_score(own, score)) for score, own in pairs]
    mean, half = float(np.mean(found)), 1.0
    if len(found) > 1:
        half = float(stats.t.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) / len(found) ** 0.5)
    interval = [round(max(0.0, mean - half), 4), round(min(1.0, mean + half), 4)]
    return {"tpr_at_10": round(mean, 4), "interval": interval, "auc": round(float(np.mean(areas)), 4)}

"""What a detection case says: means per set, ranks, paired differences, and the sets where tabad is clearly behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cache import Result
from benchmarks.metrics import mean_ranks, paired_bootstrap, win_tie_loss

Floats = npt.NDArray[np.float64]

CLEARLY = 0.02
"""The target of detect-mixed: nowhere does the interval over seeds lie wholly more than two points below kNN."""
_SHARED = ("setting", "set", "family", "method", "version", "train_rows", "test_rows", "anomalies")
_T975 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t at 97.5 % by degrees of freedom."""


def complete_methods(results: Sequence[Result], methods: Sequence[str]) -> tuple[str, ...]:
    """The methods that have a result on every set: means of others would be over other sets."""
    sets = {r["set"] for r in results}
    return tuple(m for m in methods if {r["set"] for r in results if r["method"] == m} == sets)


@dataclass(frozen=True)
class Table:
    """Results of one setting by method and set; `auroc` and `ap` are [method, set], means over seeds."""

    methods: tuple[str, ...]
    sets: tuple[str, ...]
    families: tuple[str, ...]
    results: tuple[Result, ...]
    auroc: Floats
    ap: Floats
    notes: tuple[str, ...]

    @classmethod
    def of(cls, results: Sequence[Result], methods: Sequence[str]) -> "Table":
        """From one result a seed; order of sets by name, of methods as given."""
        family = {r["set"]: r["family"] for r in results}
        sets = tuple(sorted(family))
        kept = tuple(r for r in results if r["method"] in methods)
        cell: dict[tuple[str, str], list[Result]] = {}
        for r in kept:
            cell.setdefault((r["method"], r["set"]), []).append(r)

        def means(key: str) -> Floats:
            return np.array([[np.mean([r[key] for r in cell[m, s]]) for s in sets] for m in methods], float)

        notes: dict[str, None] = {}
        for r in kept:
            said = r.get("error") or r.get("note")
            if said:
                notes[f"{r['method']} on {r['set']}: {said}{' (counted as chance)' if 'error' in r else ''}"] = None
        families = tuple(family[s] for s in sets)
        return cls(tuple(methods), sets, families, kept, means("auroc"), means("ap"), tuple(notes))


def rows(results: Sequence[Result], methods: Sequence[str]) -> list[dict[str, Any]]:
    """One row per set and method that has run there, with what each seed gave: a later run goes on from them."""
    cell: dict[tuple[str, str], list[Result]] = {}
    for r in results:
        cell.setdefault((r["set"], r["method"]), []).append(r)
    out = []
    for name, method in product(sorted({r["set"] for r in results}), methods):
        mine = sorted(cell.get((name, method), ()), key=lambda r: r["seed"])
        if not mine:
            continue
        row = {key: mine[0][key] for key in _SHARED}
        row["seeds"] = [r["seed"] for r in mine]
        row["auroc"] = [round(r["auroc"], 5) for r in mine]
        row["ap"] = [round(r["ap"], 5) for r in mine]
        row["seconds"] = round(float(np.median([r["seconds"] for r in mine])), 3)
        notes = sorted({r.get("error") or r.get("note") or "" for r in mine} - {""})
        failed = [r["seed"] for r in mine if "error" in r]
        out.append(row | ({"notes": notes} if notes else {}) | ({"failed": failed} if failed else {}))
    return out


def on_fewer_sets(results: Sequence[Result], ours: Sequence[str], peer: str) -> dict[str, Any]:
    """What `facts` says of a peer that has not run on every set yet and of `ours`, on the sets where it has."""
    sets = {r["set"] for r in results if r["method"] == peer}
    table = Table.of([r for r in results if r["set"] in sets], [*ours, peer])
    found = facts(table, ours)
    differences = {mine: found["differences"][mine][peer] for mine in ours}
    return {"sets": list(table.sets), "methods": found["methods"], "differences": differences}


def facts(table: Table, ours: Sequence[str]) -> dict[str, Any]:
    """Means, mean ranks, paired differences of each of `ours` to every other method, and where it is behind kNN."""
    by_auroc = dict(zip(table.methods, table.auroc.tolist(), strict=True))
    by_ap = dict(zip(table.methods, table.ap.tolist(), strict=True))
    rank_auroc, rank_ap = mean_ranks(by_auroc), mean_ranks(by_ap)
    return {
        "sets": len(table.sets),
        "families": len(set(table.families)),
        "methods": {
            m: {
                "auroc": round(float(np.mean(by_auroc[m])), 5),
                "ap": round(float(np.mean(by_ap[m])), 5),
                "rank_auroc": round(rank_auroc[m], 3),
                "rank_ap": round(rank_ap[m], 3),
                "median_seconds": round(float(np.median([r["seconds"] for r in table.results if r["method"] == m])), 3),
            }
            for m in table.methods
        },
        "differences": {
            mine: {
                peer: {
                    "auroc": _difference(*_paired(table, mine, peer, "auroc"), table.families),
                    "ap": _difference(*_paired(table, mine, peer, "ap"), table.families),
                }
                for peer in table.methods
                if peer != mine
            }
            for mine in ours
        },
        "clearly_below_knn": {mine: clearly_below(table, mine, "kNN") for mine in ours if "kNN" in table.methods},
    }


def _paired(table: Table, mine: str, peer: str, key: str) -> tuple[list[float], list[float]]:
    """Means per set over the seeds that both have: a slow peer may have run on fewer."""
    ours: list[float] = []
    theirs: list[float] = []
    for name in table.sets:
        a, b = (
            {r["seed"]: r[key] for r in table.results if (r["set"], r["method"]) == (name, m)} for m in (mine, peer)
        )
        common = sorted(a.keys() & b.keys())
        if not common:
            raise ValueError(f"{name}: {mine} and {peer} have no seed in common")
        ours.append(float(np.mean([a[seed] for seed in common])))
        theirs.append(float(np.mean([b[seed] for seed in common])))
    return ours, theirs


def _difference(ours: list[float], theirs: list[float], families: Sequence[str]) -> dict[str, Any]:
    tables = paired_bootstrap(ours, theirs)
    grouped = paired_bootstrap(ours, theirs, families=families)
    return {
        "mean": round(tables.mean, 5),
        "interval": [round(tables.low, 5), round(tables.high, 5)],
        "interval_families": [round(grouped.low, 5), round(grouped.high, 5)],
        "win_tie_loss": list(win_tie_loss(ours, theirs)),
    }


def clearly_below(table: Table, ours: str, peer: str) -> list[str]:
    """Sets where the 95 % interval of the paired AUROC difference over seeds lies wholly below -2 points."""
    behind = []
    for name in table.sets:
        here = [r for r in table.results if r["set"] == name]
        mine, theirs = ({r["seed"]: r["auroc"] for r in here if r["method"] == m} for m in (ours, peer))
        gaps = np.array([mine[seed] - theirs[seed] for seed in mine if seed in theirs])
        if len(gaps) < 2:
            continue
        half = _T975.get(len(gaps) - 1, 1.96) * float(gaps.std(ddof=1)) / len(gaps) ** 0.5
        if gaps.mean() + half < -CLEARLY:
            behind.append(name)
    return behind

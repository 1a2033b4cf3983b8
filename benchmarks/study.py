"""`python -m benchmarks study`: tabad beside two peers on chosen sets, in a minute. For work on the scorer.

tabad always runs anew; the peers come from the cache once they have run. Writes no result file: what is quoted
comes from the detection cases with all seeds and all peers.
"""

import argparse
import sys
from typing import get_args

import numpy as np

from benchmarks import data
from benchmarks.cache import Result
from benchmarks.detectors import OURS
from benchmarks.protocols import MAX_ROWS, Setting
from benchmarks.report import render
from benchmarks.runner import Job, run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study command."""
    parser.add_argument("--sets", default="numeric", help="names or parts of names; or numeric, mixed, quick, all")
    parser.add_argument("--setting", default="clean", choices=[*get_args(Setting), "both"])
    parser.add_argument("--seed", default="0", help="a seed, or several: 0,1,2")
    parser.add_argument("--methods", default="tabad-fast,kNN,IsolationForest")
    parser.add_argument("--rows", type=int, default=MAX_ROWS, help="at most so many rows a set")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")


def chosen_sets(names: str) -> tuple[data.DataSet, ...]:
    """The sets asked for by group or by name."""
    every = data.numeric_sets() + data.mixed_sets()
    if not every:
        raise SystemExit(f"no data sets in {data.folder()}: set TABAD_DATA")
    groups = {
        "numeric": data.numeric_sets(),
        "mixed": data.mixed_sets(),
        "all": every,
        "quick": tuple(s for s in every if s.name in data.QUICK_NUMERIC + data.QUICK_MIXED),
    }
    picked: dict[str, data.DataSet] = {}
    for name in names.split(","):
        picked.update({s.name: s for s in groups.get(name) or data.choose(every, name)})
    return tuple(picked.values())


def main(options: argparse.Namespace) -> int:
    """Run the study and print it."""
    methods = tuple(options.methods.split(","))
    settings = get_args(Setting) if options.setting == "both" else (options.setting,)
    seeds = [int(seed) for seed in options.seed.split(",")]
    mixed = {s.name for s in data.mixed_sets()}
    for setting in settings:
        jobs = [
            Job(
                data_set,
                setting,
                seed,
                methods,
                thinned=data_set.name in mixed,
                limit=options.rows,
                threads=max(1, 2 // options.jobs),
                fresh=OURS,
            )
            for data_set in chosen_sets(options.sets)
            for seed in seeds
        ]
        results = [result for group in run(jobs, options.jobs) for result in group]
        print(f"\n{setting}, seed {options.seed}: AUROC / AP\n{_table(results, methods)}", flush=True)
    return 0


def _table(results: list[Result], methods: tuple[str, ...]) -> str:
    names = list(dict.fromkeys(r["set"] for r in sorted(results, key=lambda r: r["set"])))
    values = {m: np.array([_means(results, m, n) for n in names]) for m in methods}
    rows: list[list[object]] = []
    for i, name in enumerate(names):
        rows.append([name, *[f"{a:.3f} / {p:.3f}" for a, p, _ in (values[m][i] for m in methods)], _gap(values, i)])
    means = [values[m].mean(axis=0) for m in methods]
    rows.append(["MEAN", *[f"{a:.3f} / {p:.3f}" for a, p, _ in means], ""])
    rows.append(["seconds, sum", *[f"{values[m][:, 2].sum():.1f}" for m in methods], ""])
    failed = sorted({f"{r['method']} on {r['set']}: {r['error']}" for r in results if "error" in r})
    if failed:
        print("failed, counted as chance:", *failed, sep="\n  ", file=sys.stderr)
    return render(["set", *methods, "first - best other"], rows)


def _gap(values: dict[str, np.ndarray], row: int) -> str:
    first, *others = values.values()
    if not others:
        return ""
    gaps = [first[row, j] - max(other[row, j] for other in others) for j in (0, 1)]
    return f"{gaps[0]:+.3f} / {gaps[1]:+.3f}"


def _means(results: list[Result], method: str, name: str) -> tuple[float, float, float]:
    mine = [r for r in results if r["method"] == method and r["set"] == name]
    auroc, ap, seconds = (float(np.mean([r[k] for r in mine])) for k in ("auroc", "ap", "seconds"))
    return auroc, ap, seconds

"""Runs a detection case: plan -> jobs -> cached results -> what is said about them -> results file."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from benchmarks import generated, known, machine, results, summary
from benchmarks.cache import Result
from benchmarks.data import DataSet, choose, folder
from benchmarks.detectors import DEEP, MIXED_DEEP, OURS
from benchmarks.protocols import MAX_ROWS, SEEDS, Setting
from benchmarks.report import render
from benchmarks.runner import Job, run

QUICK_SECONDS, QUICK_ROWS = 80, 3_000
DEEP_METHODS = (*DEEP, *MIXED_DEEP)


@dataclass(frozen=True)
class Plan:
    """What a detection case compares, and on what."""

    case: str
    sets: Callable[[], tuple[DataSet, ...]]
    quick_sets: tuple[str, ...]
    methods: tuple[str, ...]
    quick_methods: tuple[str, ...]
    thinned: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a detection case. Whatever narrows the run keeps it out of the committed results."""
    parser.add_argument("--quick", action="store_true", help="five small sets, seed 0, no deep peers; 2 minutes")
    parser.add_argument("--sets", help="only these sets: names or parts of names, comma-separated")
    parser.add_argument("--methods", help="only these methods")
    parser.add_argument("--setting", choices=[*get_args(Setting), "both"], default="both")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--deep-seeds", default=",".join(map(str, SEEDS)), help="seeds for the deep peers")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds a deep peer may train on one split")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="write results/CASE.json though only some methods, seeds or a setting ran; it says so",
    )
    parser.add_argument(
        "--known-only", action="store_true", help="run nothing: put together what runs have found so far"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side; each gets its share of cores")


def run_plan(plan: Plan, options: argparse.Namespace) -> int:
    """Run what is not cached, print, write. Resumes where an earlier run was stopped."""
    machine.refuse_debug_build()
    machine.require("sklearn", "scipy", "pyod", "skrub", "torch", "safetensors", "pandas")
    started = time.time()
    sets = plan.sets()
    if not sets:
        print(f"no data sets in {folder()} (TABAD_DATA): generated tables are used instead", file=sys.stderr)
        sets = generated.data_sets(mixed=plan.thinned)
    elif options.quick:
        sets = tuple(s for s in sets if s.name in plan.quick_sets)
    chosen = choose(sets, options.sets) if options.sets else sets
    methods = plan.quick_methods if options.quick else plan.methods
    if options.methods:
        methods = tuple(options.methods.split(","))
    settings = get_args(Setting) if options.setting == "both" else (options.setting,)
    seeds = [0] if options.quick else [int(s) for s in options.seeds.split(",")]
    deep_seeds = [int(s) for s in options.deep_seeds.split(",")]
    # Networks last in a quick run: whatever else there is must have its result before the time is up.
    late = ("tabad",) if options.quick else ()
    parts = [tuple(m for m in methods if (m in late) == last) for last in (False, True)]
    jobs = [
        Job(
            data_set,
            setting,
            seed,
            tuple(m for m in part if m not in DEEP_METHODS or seed in deep_seeds),
            thinned=plan.thinned,
            limit=QUICK_ROWS if options.quick else MAX_ROWS,
            threads=max(1, machine.describe()["cores"] // options.jobs),
            budget=options.budget,
            deadline=0.0 if options.known_only else started + QUICK_SECONDS if options.quick else None,
            resumes=plan.case if not options.quick else None,
        )
        for part in filter(None, parts)
        for setting in settings
        for data_set in chosen
        for seed in seeds
    ]
    found = [result for group in run(jobs, options.jobs) for result in group]
    kept = options.keep or not (options.methods or options.setting != "both")
    some = options.quick or options.sets or sets != plan.sets()
    return _finish(plan, options, found, methods, full=kept and not some)


def _finish(plan: Plan, options: argparse.Namespace, found: list[Result], methods: tuple[str, ...], full: bool) -> int:
    facts: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for setting in dict.fromkeys(r["setting"] for r in found):
        these = [r for r in found if r["setting"] == setting]
        complete = summary.complete_methods(these, methods)
        ours = [m for m in OURS if m in complete]
        table = summary.Table.of(these, complete)
        facts[setting] = summary.facts(table, ours)
        if complete:
            _print(setting, table, facts[setting])
        has_run = {r["method"] for r in these}
        partly = [m for m in methods if m in has_run and m not in complete]
        if partly:
            facts[setting]["on_fewer_sets"] = {m: summary.on_fewer_sets(these, ours, m) for m in partly}
            _print_partly(setting, facts[setting]["on_fewer_sets"])
        rows += summary.rows(these, methods)
    settings = {
        "methods": options.methods or "all",
        "setting": options.setting,
        "seeds": "0" if options.quick else options.seeds,
        "deep_seeds": options.deep_seeds,
        "budget_s": options.budget,
        "rows": QUICK_ROWS if options.quick else MAX_ROWS,
    }
    earlier = known.runs(plan.case) if full else []
    results.save(plan.case, rows, full=full, summary=facts, settings=settings, earlier=earlier)
    return 0


def _print(setting: str, table: summary.Table, facts: dict[str, Any]) -> None:
    header = ["set", *(f"{m}" for m in table.methods)]
    for name, values in (("AUROC", table.auroc), ("AP", table.ap)):
        print(f"\n{setting}: {name}, mean over seeds")
        lines = [[s, *map(float, values[:, i])] for i, s in enumerate(table.sets)]
        print(render(header, [*lines, ["MEAN", *map(float, values.mean(axis=1))]]))
    print(f"\n{setting}: over {len(table.sets)} sets")
    header = ["method", "AUROC", "AP", "rank AUROC", "rank AP", "median s"]
    print(render(header, [[m, *[float(v) for v in facts["methods"][m].values()]] for m in table.methods]))
    for ours, against in facts["differences"].items():
        print(f"\n{setting}: {ours} less its peer (95 % interval over sets), win / tie / loss")
        _print_differences("peer", against)
        below = facts["clearly_below_knn"].get(ours)
        if below:
            print(f"more than 2 points below kNN over seeds: {', '.join(below)}")
    for note in table.notes:
        print(f"  note: {note}")


def _print_partly(setting: str, partly: dict[str, Any]) -> None:
    for peer, facts in partly.items():
        print(f"\n{setting}: {peer} has run on {len(facts['sets'])} sets, and is compared on those")
        header = ["method", "AUROC", "AP"]
        print(render(header, [[m, of["auroc"], of["ap"]] for m, of in facts["methods"].items()]))
        _print_differences("less the peer", facts["differences"])


def _print_differences(head: str, differences: dict[str, Any]) -> None:
    lines = [[m, *_difference(d["auroc"]), *_difference(d["ap"])] for m, d in differences.items()]
    print(render([head, "AUROC", "interval", "w/t/l", "AP", "interval", "w/t/l"], lines))


def _difference(facts: dict[str, Any]) -> list[str]:
    low, high = facts["interval"]
    wins = "/".join(map(str, facts["win_tie_loss"]))
    return [f"{facts['mean']:+.3f}", f"{low:+.3f} {high:+.3f}", wins]

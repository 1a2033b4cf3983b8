"""private: rows of private generators, judged by what learners trained on them know of real rows.

`tabad fit --private` against MST and AIM (dpmm), on adult and bank_full with the same public bounds, delta 1e-6. Every
result is kept in the cache, so that a run goes on where the last one stopped, and from the committed results; a peer
that takes longer than `--limit` is reported as such.
"""

import argparse
import json
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import cache, known, machine, private, results

VERSION = {"tabad": "2", "tabad dp-sgd": "2", "real rows": "1", **dict.fromkeys(private.PEERS, "dpmm-0.1.9")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="bank_full, epsilon 3, one seed, tabad and real rows")
    parser.add_argument("--sets", default="adult,bank_full")
    parser.add_argument("--epsilons", default="1,3")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", default="real rows,tabad,MST,AIM")
    parser.add_argument("--limit", type=float, default=3_600.0, help="most seconds a peer may take")
    parser.add_argument(
        "--known-only", action="store_true", help="run nothing: put together what runs have found so far"
    )


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn")
    quick = options.quick
    sets = ["bank_full"] if quick else options.sets.split(",")
    epsilons = [3.0] if quick else [float(text) for text in options.epsilons.split(",")]
    methods = ["real rows", "tabad"] if quick else options.methods.split(",")
    out: list[dict[str, Any]] = []
    for seed in range(1 if quick else options.seeds):
        for name in sets:
            for epsilon in epsilons:
                found = (_result(name, epsilon, seed, method, options) for method in methods)
                out += [result for result in found if result is not None]
    summary = _summary(out)
    for line in summary:
        print(line)
    settings = {"delta": private.DELTA, "seeds": 1 if quick else options.seeds, "limit_s": options.limit}
    earlier = [] if quick else known.runs("private")
    results.save("private", out, full=not quick, summary={"means": summary}, settings=settings, earlier=earlier)
    return 0


def _result(name: str, epsilon: float, seed: int, method: str, options: argparse.Namespace) -> dict[str, Any] | None:
    path = cache.place(f"private-eps{epsilon:g}", name, seed, method, VERSION[method])
    row: dict[str, Any] = {
        "set": name, "epsilon": epsilon, "seed": seed, "method": method, "version": VERSION[method],
    }  # fmt: skip
    found = cache.read(path) or (None if options.quick else known.row("private", row))
    if found is not None or options.known_only:
        return found
    rows = private.table(name)
    schema = private.public(name, rows)
    train, test = private.split(rows, seed)
    with tempfile.TemporaryDirectory() as folder:
        bounds = Path(folder) / "bounds.json"
        bounds.write_text(json.dumps(schema))
        work = {
            "real rows": lambda: train,
            "tabad": partial(private.own, train, bounds, epsilon, "marginals", seed),
            "tabad dp-sgd": partial(private.own, train, bounds, epsilon, "dp-sgd", seed),
        }.get(method) or partial(private.peer, train, bounds, epsilon, method, seed, options.limit)
        try:
            made, seconds = private.timed(work)
        except subprocess.TimeoutExpired:
            return {**row, "error": f"took longer than {options.limit:g} s"}
    row |= {"seconds": seconds, **private.aucs(made, test, schema)}
    print(row, flush=True)
    cache.write(path, row)
    return row


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    """Per set, epsilon and method the mean and range of the AUCs over seeds."""
    lines = []
    for key in dict.fromkeys((row["set"], row["epsilon"], row["method"]) for row in rows):
        mine = [row for row in rows if (row["set"], row["epsilon"], row["method"]) == key and "trees" in row]
        if not mine:
            lines.append(f"{key[0]}, epsilon {key[1]:g}, {key[2]}: no result")
            continue
        parts = []
        for judge in ("trees", "logistic"):
            found = [row[judge] for row in mine]
            parts.append(f"{judge} {np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})")
        seconds = np.median([row["seconds"] for row in mine])
        lines.append(f"{key[0]}, epsilon {key[1]:g}, {key[2]}: {', '.join(parts)}, {seconds:.0f} s, {len(mine)} seeds")
    return lines

"""fit: seconds to a fitted model on 100,000 rows x 20, and to the AUROC of a DDPM-style loop on labelled tables.

CTGAN is not run yet: it needs an environment of its own, and has no score to compare.
"""

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from benchmarks import data, generated, machine, results
from benchmarks.clock import Timed, median, process, ratio, take_turns
from benchmarks.data import ROOT, DataSet
from benchmarks.encoders import fit_encoder
from benchmarks.metrics import auroc
from benchmarks.protocols import split
from benchmarks.report import render
from benchmarks.speed.run import cores_of

SETS = (
    "adbench_05_campaign", "adbench_10_cover", "adbench_16_http", "adbench_32_shuttle", "adbench_22_magic.gamma",
    "nsl_kdd/nsl_kdd_train_full_36feat", "fraud_handbook_raw/dev_first49days", "payment_fraud",
)  # fmt: skip
REACH = 0.005
_ENV = {"PYTHONPATH": str(ROOT)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="5,000 rows, one small labelled table, 10 s of DDPM")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", default="2")
    parser.add_argument("--big", type=int, default=0, help="also fit fast on so many rows, e.g. 10000000")
    parser.add_argument("--sets", help="labelled tables for the DDPM-style loop; none: leave that part out")
    parser.add_argument("--budget", type=float, default=600.0, help="most seconds of DDPM training a table")


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn", "joblib", "pandas", "torch")
    rows, rounds = (5_000, 1) if options.quick else (options.rows, options.rounds)
    out = _seconds(rows, rounds, cores_of(options), options.big)
    names = options.sets or ",".join(SETS)
    traces: list[dict[str, Any]] = []
    if names != "none" and data.data_sets():
        chosen = data.choose(data.data_sets(), "adbench_37_Stamps" if options.quick else names)
        traces = [_trace(s, 10.0 if options.quick else options.budget) for s in chosen]
        _print_traces(traces)
    summary: dict[str, Any] = {}
    for name, key in (("default", "times_faster"), ("fast", "fast_times_faster")):
        reached = [t[key] for t in traces if t[key]]
        summary[f"{name}_median_times_faster_than_ddpm"] = round(median(reached), 2) if reached else None
        summary[f"{name}_tables"] = len(reached)
    print(f"  {summary} (target: the network >= 20)")
    full = not options.quick and not options.sets
    settings = {"rounds": rounds, "budget_s": options.budget}
    results.save("fit", [*out, *traces], full=full, summary=summary, settings=settings)
    return 0


def _seconds(rows: int, rounds: int, cores: list[int], big: int) -> list[dict[str, Any]]:
    out = []
    with tempfile.TemporaryDirectory(prefix="tabad-bench-") as folder:
        place = Path(folder)
        sizes = {rows: rounds} | ({big: 1} if big else {})
        for size, turns in sizes.items():
            table = generated.write(place / "table.parquet", size)
            qualities = ("fast", "default") if size == rows else ("fast",)
            commands = {f"tabad {q}": _fit_command(table, place, q) for q in qualities}
            if size == rows:
                script = [sys.executable, "-m", "benchmarks.speed.pipeline", "fit"]
                commands["IsolationForest"] = [*script, "IsolationForest", str(table), str(place / "forest")]
            for count in cores:
                starts = {n: partial(process, c, cores=count, env=_ENV) for n, c in commands.items()}
                runs: dict[str, list[Timed]] = take_turns(starts, turns)
                seconds = {name: [r.seconds for r in these] for name, these in runs.items()}
                out += [
                    {
                        "part": "seconds", "method": name, "rows": size, "cores": count,
                        "median_s": round(median(seconds[name]), 3),
                        "times_fast": round(ratio(seconds[name], seconds["tabad fast"]), 3),
                        "peak_mib": round(median([r.peak_mib for r in runs[name]]), 1),
                        "seconds": [round(s, 3) for s in seconds[name]],
                    }
                    for name in commands
                ]  # fmt: skip
    print("fit: whole processes, parquet in, model file out (IsolationForest: at most 100,000 rows)")
    header = ["method", "rows", "cores", "median s", "times tabad fast", "peak MiB"]
    keys = ("method", "rows", "cores", "median_s", "times_fast", "peak_mib")
    print(render(header, [[r[k] for k in keys] for r in out]))
    return out


def _fit_command(table: Path, place: Path, quality: str) -> list[str]:
    code = f"import tabad; tabad.fit({str(table)!r}, quality={quality!r}, output={str(place / (quality + '.tabad'))!r})"
    return [sys.executable, "-c", code]


def _trace(data_set: DataSet, budget: float) -> dict[str, Any]:
    """One labelled table, clean protocol, up to 200,000 rows: AUROC by seconds of training of both."""
    import tabad
    from benchmarks.speed.ddpm import Checkpoint, Loop

    table, anomaly = data.load(data_set)
    mixed = data_set.kind != "numeric"
    rows = split(anomaly, "clean", 0, thinned=mixed, limit=200_000)
    train, test = (table.take(pa.array(part)).combine_chunks() for part in (rows.train, rows.test))
    truth = anomaly[rows.test]

    ours = {}
    qualities: tuple[Literal["fast", "default"], ...] = ("fast", "default")
    labelled = train.append_column("benchmark_label", pa.repeat("normal", train.num_rows))
    for quality in qualities:
        started = time.perf_counter()
        model = tabad.fit(labelled, label="benchmark_label", normal="normal", quality=quality)
        took = time.perf_counter() - started
        ours[quality] = (took, auroc(truth, model.score(test, explain="none")["tabad_score"].to_numpy()))

    encode = fit_encoder(train, "blocks", data_set.categories)
    loop = Loop(encode(train), encode(test), seed=0, threads=machine.describe()["cores"])
    curve: list[tuple[float, int, float]] = []

    def report(point: Checkpoint) -> None:
        curve.append((round(point.seconds, 3), point.step, round(auroc(truth, point.scores), 5)))
        print(f"  {data_set.name} DDPM {curve[-1]}", file=sys.stderr, flush=True)

    steps = loop.run(budget, report)
    goal = curve[-1][2] - REACH
    first = next(seconds for seconds, _, value in curve if value >= goal)
    took, reached = ours["default"]
    return {
        "part": "to AUROC", "set": data_set.name, "train_rows": train.num_rows, "ddpm_steps": steps,
        "ddpm_auroc": curve[-1][2], "ddpm_seconds": curve[-1][0], "ddpm_seconds_to_goal": first,
        "tabad_auroc": round(reached, 5), "tabad_seconds": round(took, 3),
        "tabad_fast_auroc": round(ours["fast"][1], 5), "tabad_fast_seconds": round(ours["fast"][0], 3),
        "times_faster": round(first / took, 2) if reached >= goal else None,
        "fast_times_faster": round(first / ours["fast"][0], 2) if ours["fast"][1] >= goal else None,
        "ddpm_curve": curve,
    }  # fmt: skip


def _print_traces(traces: list[dict[str, Any]]) -> None:
    keys = (
        "set", "train_rows", "ddpm_steps", "ddpm_auroc", "ddpm_seconds", "ddpm_seconds_to_goal", "tabad_auroc",
        "tabad_seconds", "times_faster", "tabad_fast_auroc", "tabad_fast_seconds", "fast_times_faster",
    )  # fmt: skip
    print("\nfit: seconds to the AUROC at which the DDPM-style loop ends, less half a point")
    print(render([k.replace("_", " ") for k in keys], [[t[k] for k in keys] for t in traces]))

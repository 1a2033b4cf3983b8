"""encode: rows/s of the transform alone, the same Arrow table in, one thread and two."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import generated, machine, results
from benchmarks.clock import median, ratio, take_turns
from benchmarks.data import ROOT
from benchmarks.report import render
from benchmarks.speed.run import add_speed_arguments, cores_of, timed_output

METHODS = ("tabad", "polars", "sklearn standard", "sklearn quantile", "skrub")
TARGETS = {"polars": 3.0, "sklearn standard": 3.0, "sklearn quantile": 20.0, "skrub": 100.0}
"""Least ratios to tabad; BENCHMARKS.md and the issue on speed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    add_speed_arguments(parser, rows=1_000_000)
    parser.add_argument("--methods", default=",".join(METHODS))


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn", "skrub", "polars", "pandas")
    rows = 100_000 if options.quick else options.rows
    rounds = 2 if options.quick else options.rounds
    methods = tuple(options.methods.split(","))
    assert methods[0] == "tabad", "ratios are to tabad"
    out: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tabad-bench-") as folder:
        table = generated.write(Path(folder, "table.parquet"), rows)
        model = _model(table, Path(folder, "model.tabad"))
        for cores in cores_of(options)[-1:] if options.quick else cores_of(options):
            contenders = {m: _contender(m, cores, table, model) for m in methods}
            seconds = take_turns(contenders, rounds)
            out += [
                {
                    "method": m,
                    "rows": rows,
                    "threads": cores,
                    "rows_per_s": round(rows / median(seconds[m])),
                    "tabad_times_faster": round(ratio(seconds[m], seconds["tabad"]), 3),
                    "target": TARGETS.get(m),
                    "seconds": [round(s, 5) for s in seconds[m]],
                }
                for m in methods
            ]
    header = ["method", "threads", "rows/s", "tabad is times faster", "target"]
    print(f"encode, {rows:,} rows x 20, transform only, {rounds} rounds")
    lines = [[r["method"], r["threads"], f"{r['rows_per_s']:,}", r["tabad_times_faster"], r["target"]] for r in out]
    print(render(header, lines))
    results.save("encode", out, full=not options.quick, settings={"rounds": rounds, "fit_rows": 20_000})
    return 0


def _contender(method: str, cores: int, table: Path, model: Path) -> Any:
    command = [sys.executable, "-m", "benchmarks.speed.encode", method, str(cores), str(table), str(model)]
    return lambda: timed_output(command, cores=cores, cwd=ROOT)


def _model(table: Path, model: Path) -> Path:
    import pyarrow.parquet as pq

    import tabad

    head = pq.read_table(table).slice(0, 100_000)
    tabad.fit(head, quality="fast", output=model)
    return model

"""score: parquet in, scored parquet out, model loaded from file, whole processes; rows/s and peak memory."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import generated, machine, results
from benchmarks.clock import Timed, median, process, ratio, take_turns
from benchmarks.data import ROOT
from benchmarks.report import render
from benchmarks.speed.run import add_speed_arguments, cores_of, tabad_program

PEERS = ("IsolationForest", "HBOS", "ECOD", "kNN")
KNN_ROWS = 20_000
"""kNN on 100,000 reference rows takes minutes for a million rows: it scores this many, its start-up taken off."""
TARGETS = {"IsolationForest": 8.0, "kNN": 200.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    add_speed_arguments(parser, rows=1_000_000)
    parser.add_argument("--quality", default="fast,default,student", help="which tabad models: fast, default, student")
    parser.add_argument("--peers", default=",".join(PEERS))


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn", "pyod", "joblib", "pandas")
    rows = 100_000 if options.quick else options.rows
    rounds = 2 if options.quick else options.rounds
    qualities = ["fast"] if options.quick else options.quality.split(",")
    peers = [p for p in options.peers.split(",") if p]
    out: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tabad-bench-") as folder:
        place = Path(folder)
        table = generated.write(place / "table.parquet", rows)
        few = generated.write(place / "few.parquet", min(rows, KNN_ROWS))
        one = generated.write(place / "one.parquet", 1)
        for quality in dict.fromkeys("default" if q == "student" else q for q in qualities):
            _fit_tabad(table, place, quality)
        if "student" in qualities:
            _student(place)
        for peer in peers:
            script = [sys.executable, "-m", "benchmarks.speed.pipeline", "fit", peer]
            process([*script, str(table), str(place / peer)], env=_ENV)
        for cores in cores_of(options)[-1:] if options.quick else cores_of(options):
            contenders = {f"tabad {q}": _tabad(place / f"{q}.tabad", table, place, cores) for q in qualities}
            contenders |= {p: _peer(p, few if p == "kNN" else table, place, cores) for p in peers}
            if "kNN" in peers:
                contenders["kNN start-up"] = _peer("kNN", one, place, cores)
            runs: dict[str, list[Timed]] = take_turns(contenders, rounds)
            out += _rows(runs, rows, cores, [f"tabad {q}" for q in qualities], peers)
        size = table.stat().st_size
    _print(out, rows, rounds, size)
    settings = {"rounds": rounds, "fit_rows": 100_000, "table_bytes": size, "knn_rows": min(rows, KNN_ROWS)}
    results.save("score", out, full=not options.quick, settings=settings)
    return 0


_ENV = {"PYTHONPATH": str(ROOT)}


def _student(place: Path) -> None:
    """The model of quality default, its student in use."""
    import tabad

    tabad.Model.load(place / "default.tabad", scorer="student").save(place / "student.tabad")


def _fit_tabad(table: Path, place: Path, quality: Any) -> None:
    import pyarrow.parquet as pq

    import tabad

    tabad.fit(pq.read_table(table).slice(0, 100_000), quality=quality, output=place / f"{quality}.tabad")


def _tabad(model: Path, table: Path, place: Path, cores: int) -> Callable[[], Timed]:
    command = [*tabad_program(), "score", str(table), "-m", str(model), "-o", str(place / "tabad-out.parquet")]
    return lambda: process(command, cores=cores)


def _peer(peer: str, table: Path, place: Path, cores: int) -> Callable[[], Timed]:
    command = [sys.executable, "-m", "benchmarks.speed.pipeline", "score", peer, str(table), str(place / peer)]
    return lambda: process([*command, str(place / "peer-out.parquet")], cores=cores, env=_ENV)


def _rows(
    runs: dict[str, list[Timed]], rows: int, cores: int, ours: list[str], peers: list[str]
) -> list[dict[str, Any]]:
    seconds = {name: [run.seconds for run in these] for name, these in runs.items()}
    if "kNN" in peers:
        share = min(rows, KNN_ROWS) / rows
        start = median(seconds.pop("kNN start-up"))
        seconds["kNN"] = [start + (s - start) / share for s in seconds["kNN"]]
    return [
        {
            "method": name,
            "rows": rows,
            "cores": cores,
            "rows_per_s": round(rows / median(seconds[name])),
            "peak_mib": round(median([run.peak_mib for run in runs[name]]), 1),
            **{f"times_{mine}": round(ratio(seconds[name], seconds[mine]), 3) for mine in ours},
            "target": TARGETS.get(name),
            "seconds": [round(s, 4) for s in seconds[name]],
            "cpu_seconds": round(median([run.cpu for run in runs[name]]), 3),
        }
        for name in (*ours, *peers)
    ]


def _print(out: list[dict[str, Any]], rows: int, rounds: int, size: int) -> None:
    times = [key for key in out[0] if key.startswith("times_")]
    print(f"score, {rows:,} rows x 20 ({size / 2**20:.1f} MiB of parquet), whole processes, {rounds} rounds")
    header = ["method", "cores", "rows/s", "peak MiB", *(f"{t.removeprefix('times_')} is times faster" for t in times)]
    speeds = [[r["method"], r["cores"], f"{r['rows_per_s']:,}", f"{r['peak_mib']:,.0f}"] for r in out]
    lines = [[*speed, *(r[t] for t in times)] for speed, r in zip(speeds, out, strict=True)]
    print(render(header, lines))

"""startup: wall time of `tabad --help`, of `import tabad`, of scoring 1,000 rows; each beside its peer, in turns."""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import generated, machine, results
from benchmarks.clock import Timed, median, process, take_turns
from benchmarks.data import ROOT
from benchmarks.report import render
from benchmarks.speed.run import tabad_program

ROWS = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="five rounds")
    parser.add_argument("--rounds", type=int, default=20)


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("typer", "sklearn", "joblib", "pandas")
    rounds = 5 if options.quick else options.rounds
    python, env = sys.executable, {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="tabad-bench-") as folder:
        place = Path(folder)
        table = generated.write(place / "table.parquet", 20_000)
        small = str(generated.write(place / "small.parquet", ROWS))
        _fit(table, place)
        script = [python, "-m", "benchmarks.speed.pipeline"]
        process([*script, "fit", "IsolationForest", str(table), str(place / "forest")], env=env)
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "import typer": [python, "-c", "import typer"],
            "import tabad": [python, "-c", "import tabad"],
            "tabad --help": [*tabad_program(), "--help"],
            "tabad score": [*tabad_program(), "score", small, "-m", f"{place}/m.tabad", "-o", f"{place}/a.parquet"],
            "scikit-learn script": [
                *script,
                "score",
                "IsolationForest",
                small,
                f"{place}/forest",
                f"{place}/b.parquet",
            ],
        }
        starts = {name: partial(process, command, env=env) for name, command in commands.items()}
        runs: dict[str, list[Timed]] = take_turns(starts, rounds)
    out = [
        {
            "command": name,
            "min_ms": round(1000 * min(r.seconds for r in these), 1),
            "median_ms": round(1000 * median([r.seconds for r in these]), 1),
            "peak_mib": round(median([r.peak_mib for r in these]), 1),
        }
        for name, these in runs.items()
    ]
    facts = _facts({str(r["command"]): r for r in out})
    print(f"startup, {rounds} rounds in turns")
    print(render(["command", "min ms", "median ms", "peak MiB"], [list(r.values()) for r in out]))
    for name, fact in facts.items():
        print(f"  {name}: {fact['value']} (target <= {fact['target']})")
    results.save("startup", out, full=not options.quick, summary=facts, settings={"rounds": rounds, "rows": ROWS})
    return 0


def _facts(by: dict[str, dict[str, Any]]) -> dict[str, Any]:
    least = {name: row["min_ms"] for name, row in by.items()}
    return {
        "tabad --help / import typer, minima": {
            "value": round(least["tabad --help"] / least["import typer"], 3),
            "target": 1.6,
        },
        "tabad score of 1,000 rows, s": {"value": round(least["tabad score"] / 1000, 3), "target": 0.5},
        "tabad score / scikit-learn script, minima": {
            "value": round(least["tabad score"] / least["scikit-learn script"], 3),
            "target": 0.25,
        },
        "tabad score / scikit-learn script, medians": {
            "value": round(by["tabad score"]["median_ms"] / by["scikit-learn script"]["median_ms"], 3),
            "target": 0.25,
        },
    }


def _fit(table: Path, place: Path) -> None:
    import tabad

    tabad.fit(table, quality="fast", output=place / "m.tabad")

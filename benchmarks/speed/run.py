"""What the speed cases share: their options, where the `tabad` program is, and how a program is started."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def add_speed_arguments(parser: argparse.ArgumentParser, *, rows: int) -> None:
    """The options of a speed case."""
    parser.add_argument("--quick", action="store_true", help="100,000 rows, two rounds, all cores")
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender in turns; 5 or more to be quoted")
    parser.add_argument("--cores", default="1,2", help="run on so many cores, one after the other")


def cores_of(options: argparse.Namespace) -> list[int]:
    """The numbers of cores asked for, as far as the machine has them."""
    there = len(os.sched_getaffinity(0))
    return [cores for cores in map(int, options.cores.split(",")) if cores <= there]


def tabad_program() -> list[str]:
    """The command line program of the tabad that is imported here."""
    installed = Path(sys.executable).with_name("tabad")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "tabad"]


def timed_output(command: Sequence[str], *, cores: int, cwd: Path) -> float:
    """The seconds that a program measured itself and printed last, run on that many cores."""
    held = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(held)[:cores]))
    limits = {name: str(cores) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")}
    try:
        env = {**os.environ, **limits}
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    finally:
        os.sched_setaffinity(0, held)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])

"""Times whole processes: wall and processor time, peak memory; contenders take turns, so that all meet the same noise.

A process is started by a tiny one, because Linux counts what the starting process holds towards the peak memory of
the started one.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_STARTER = """
import json, os, sys, time
command = json.loads(sys.argv[1])
started = time.perf_counter()
pid = os.posix_spawn(command[0], command, dict(os.environ), file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)] if sys.argv[2] == "quiet" else [])
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
sys.stderr.write("\\n" + json.dumps({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime,
    "peak_mib": usage.ru_maxrss / 1024, "code": os.waitstatus_to_exitcode(status)}))
"""


@dataclass(frozen=True)
class Timed:
    """One process, from start to end."""

    seconds: float
    cpu: float
    peak_mib: float


def process(command: Sequence[str], *, cores: int | None = None, env: Mapping[str, str] | None = None) -> Timed:
    """Run a command on that many cores; raises `RuntimeError` with its words where it fails."""
    held = os.sched_getaffinity(0)
    allowed = set(sorted(held)[: cores or len(held)])
    threads = {name: str(len(allowed)) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")}
    start = [sys.executable, "-S", "-E", "-c", _STARTER, json.dumps(list(command)), "quiet"]
    os.sched_setaffinity(0, allowed)  # inherited by what is started
    try:
        done = subprocess.run(
            start, env={**_environment(), **threads, **(env or {})}, stderr=subprocess.PIPE, text=True, check=True
        )
    finally:
        os.sched_setaffinity(0, held)
    words, _, last = done.stderr.rpartition("\n")
    facts = json.loads(last)
    if facts["code"] != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {facts['code']}:\n{words[-2000:]}")
    return Timed(facts["seconds"], facts["cpu"], facts["peak_mib"])


def _environment() -> dict[str, str]:
    """This process's, but that modules are compiled once, as they are where pip installed them, and not every time."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def take_turns(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Every contender once a round, the order turned each round; what each gave, by name."""
    names = list(contenders)
    given: dict[str, list[Any]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            given[name].append(contenders[name]())
            print(f"  round {turn + 1}/{rounds} {name}: {given[name][-1]}", file=sys.stderr, flush=True)
    return given


def median(values: Sequence[float]) -> float:
    """The median."""
    return float(statistics.median(values))


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Median over rounds of how many times longer one took than the other in the same round."""
    return median([s / f for s, f in zip(slower, faster, strict=True)])

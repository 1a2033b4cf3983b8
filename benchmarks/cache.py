"""Results that survive an interruption: one small JSON file per (case, setting, set, seed, method and version).

Kept outside the repository, in `TABAD_BENCH_CACHE` or `~/.cache/tabad-benchmarks`. A changed method has another
version and so other files; nothing is ever deleted here.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

Result = dict[str, Any]


def folder() -> Path:
    """Where results are kept."""
    return Path(os.environ.get("TABAD_BENCH_CACHE") or Path.home() / ".cache" / "tabad-benchmarks")


def place(case: str, data_set: str, seed: int, method: str, version: str) -> Path:
    """The file of one result."""
    parts = (re.sub(r"[^\w.+-]", "_", part) for part in (case, data_set, f"{method}@{version}"))
    return folder().joinpath(*parts, f"seed{seed}.json")


def read(path: Path) -> Result | None:
    """The result, or None where there is none yet."""
    if not path.exists():
        return None
    result: Result = json.loads(path.read_text())
    return result


def write(path: Path, result: Result) -> None:
    """Write the result whole or not at all: two processes may run side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(result, allow_nan=False))
    partial.replace(path)

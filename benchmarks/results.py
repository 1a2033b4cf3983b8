"""Where the outcome of a case goes: a table on standard output, and `results/CASE.json` with all that led to it.

Quick and partial runs go to `results/local/`, which is not committed: a figure is quoted from a full run only.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine

FOLDER = Path(__file__).with_name("results")


def save(
    case: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    full: bool,
    summary: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    earlier: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write the results of a case and say where; `full=False` keeps them out of what is committed. `earlier`: what is
    said of the runs that some of the figures are from."""
    folder = FOLDER if full else FOLDER / "local"
    folder.mkdir(parents=True, exist_ok=True)
    (FOLDER / "local").mkdir(exist_ok=True)
    (FOLDER / "local" / ".gitignore").write_text("*\n")
    content = {
        "case": case,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks {' '.join(_arguments())}",
        "commit": machine.commit(),
        "machine": machine.describe(),
        "versions": machine.versions(),
        **({"earlier_runs": list(earlier)} if earlier else {}),
        "settings": dict(settings or {}),
        "summary": dict(summary or {}),
    }
    head = json.dumps(content, indent=1, allow_nan=False)[:-2]
    body = ",\n".join("  " + json.dumps(row, allow_nan=False) for row in rows)  # one row a line: diffs stay readable
    path = folder / f"{case}.json"
    partial = path.with_suffix(".part")
    partial.write_text(f'{head},\n "rows": [\n{body}\n ]\n}}\n')
    partial.replace(path)
    print(f"\nwritten to {path}", file=sys.stderr)
    return path


def _arguments() -> list[str]:
    """As they were given, without the folder for large files: it is this machine's own."""
    given = iter(sys.argv[1:])
    kept = []
    for argument in given:
        if argument == "--folder":
            next(given, None)
        elif not argument.startswith("--folder="):
            kept.append(argument)
    return kept

"""Figures that `results/CASE.json` already holds: what the same version of a method gave on the same rows.

All peers, all seeds and all sets of a detection case take longer than a machine is at hand; a run takes up where the
committed one stopped, and says which runs its figures are from. tabad's own version is its build, so that its figures
are always of one build.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from benchmarks import results
from benchmarks.cache import Result

_OF_A_RUN = ("date", "commit", "command", "machine", "versions")
_SHARED = ("set", "family", "setting", "method", "version", "train_rows", "test_rows", "anomalies", "seconds")


@cache
def _content(case: str) -> dict[str, Any]:
    path = results.FOLDER / f"{case}.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


@cache
def _rows(case: str) -> dict[tuple[str, str, str, str, int], Result]:
    found = {}
    for row in _content(case).get("rows", []):
        if "seeds" not in row:
            continue
        for at, seed in enumerate(row["seeds"]):
            if seed in row.get("failed", []):
                continue
            result = {key: row[key] for key in _SHARED} | {"seed": seed, "note": " ".join(row.get("notes", []))}
            result |= {key: row[key][at] for key in ("auroc", "ap")}
            found[row["setting"], row["set"], row["method"], row["version"], seed] = result
    return found


def result(case: str, setting: str, name: str, method: str, version: str, seed: int) -> Result | None:
    """The figures of that method on that split, or None where they are not known."""
    return _rows(case).get((setting, name, method, version, seed))


def row(case: str, wanted: Mapping[str, Any]) -> Result | None:
    """The committed row that holds all of `wanted`, or None; one that says an error is not known yet."""
    for found in _content(case).get("rows", []):
        if wanted.items() <= found.items() and "error" not in found:
            kept: Result = found
            return kept
    return None


def rows(case: str) -> list[Result]:
    """All committed rows."""
    return list(_content(case).get("rows", []))


def summary(case: str) -> dict[str, Any]:
    """The committed summary."""
    return dict(_content(case).get("summary", {}))


def runs(case: str) -> list[dict[str, Any]]:
    """What is said of the runs that the known figures are from, oldest first."""
    content = _content(case)
    if not content:
        return []
    return [*content.get("earlier_runs", []), {key: content[key] for key in _OF_A_RUN}]

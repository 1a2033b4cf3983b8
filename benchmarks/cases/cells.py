"""cells: dirty tables whose wrong cells are known, each screened against itself as the CSV file that it would come as.

How many rows stand out and how many of those are wrong; average precision over all cells, by a row's score times the
share of a column in its reasons; how often the first reason of a row that stands out names a wrong cell, and what was
expected begins with the right value. Peers are rules for single columns: how rare a cell's value is, and its shape.
"""

import argparse
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks import data, machine, results
from benchmarks.report import render

LEAST_ROWS = 100
QUICK = ("raha_hospital", "mrsa-in-hospitals-2013")
_HEADER = ("table", "rows", "wrong", "stand out", "of them wrong", "first right", "repaired", "AP", "value", "shape")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="two tables")
    parser.add_argument("--quality", default="fast", help="fast, default or best")


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn")
    folders = [path.parent for path in sorted(data.folder().glob("**/errors.parquet"))]
    if not folders:
        raise SystemExit(f"no tables with known wrong cells in {data.folder()}: set TABAD_DATA")
    if options.quick:
        folders = [folder for folder in folders if folder.name in QUICK]
    rows = [row for folder in folders if (row := _judge(folder, options.quality)) is not None]
    shown = [[row[key] for key in ("set", "rows", "wrong_rows", "flagged", "flagged_wrong")]
             + [f"{row[key]:.3f}" for key in ("first_right", "repaired", "ap", "ap_value", "ap_shape")]
             for row in rows]  # fmt: skip
    print(render(_HEADER, shown))
    summary = _summary(rows)
    for line in summary:
        print(line)
    results.save(
        "cells", rows, full=not options.quick, summary={"groups": summary}, settings={"quality": options.quality}
    )
    return 0


def _judge(folder: Path, quality: str) -> dict[str, Any] | None:
    from sklearn.metrics import average_precision_score

    import tabad

    dirty, errors = pq.read_table(folder / "dirty.parquet"), pq.read_table(folder / "errors.parquet")
    if dirty.num_rows < LEAST_ROWS:
        return None
    wrong = np.stack([column.to_numpy() for column in errors.columns], axis=1)
    with tempfile.TemporaryDirectory() as where:
        pa.csv.write_csv(dirty, f"{where}/table.csv")
        began = time.perf_counter()
        scored = tabad.score(f"{where}/table.csv", quality=quality, explain="all", reasons=dirty.num_columns)
        seconds = time.perf_counter() - began
    surprise = np.zeros(wrong.shape)
    first: dict[int, tuple[int, str]] = {}
    for row, (score, reasons) in enumerate(
        zip(scored["tabad_score"].to_pylist(), scored["tabad_reasons"].to_pylist(), strict=True)
    ):
        for reason in reasons:
            column = dirty.column_names.index(reason["column"])
            surprise[row, column] = reason["share"] * max(score, 0.0)
            first.setdefault(row, (column, reason["expected"]))
    flagged = np.flatnonzero(np.array(scored["tabad_flag"].to_pylist()))
    named = [(row, *first[row]) for row in flagged if row in first]
    hits = [(row, column, expected) for row, column, expected in named if wrong[row, column]]
    clean = pq.read_table(folder / "clean.parquet")
    repaired = [_says(expected, str(clean.column(column)[row].as_py())) for row, column, expected in hits]
    group = folder.parent.name if folder.parent != data.folder() else folder.name
    return {
        "group": group, "set": f"{group}/{folder.name}", "rows": dirty.num_rows, "columns": dirty.num_columns,
        "wrong_cells": int(wrong.sum()), "wrong_rows": int(wrong.any(axis=1).sum()), "flagged": len(flagged),
        "flagged_wrong": int(wrong.any(axis=1)[flagged].sum()), "named": len(named), "named_wrong": len(hits),
        "first_right": len(hits) / max(len(named), 1), "repaired": float(np.mean(repaired)) if repaired else 0.0,
        "ap": float(average_precision_score(wrong.ravel(), surprise.ravel())),
        "ap_value": float(average_precision_score(wrong.ravel(), _rarity(dirty, str).ravel())),
        "ap_shape": float(average_precision_score(wrong.ravel(), _rarity(dirty, _shape).ravel())),
        "seconds": round(seconds, 2),
    }  # fmt: skip


def _says(expected: str, value: str) -> bool:
    """Whether the first value of what was expected is this one: `Bonn (zip 53111)`, `Bonn, Celle or Daun`."""
    return expected == value or expected.startswith(tuple(value + after for after in (" (", ", ", " or ")))


def _shape(text: str) -> str:
    return re.sub(r"[A-Z]+", "A", re.sub(r"[a-z]+", "a", re.sub(r"\d+", "9", text)))


def _rarity(table: pa.Table, of: Any) -> np.ndarray:
    """One over how many cells of the column are alike."""
    columns = []
    for column in table.columns:
        alike = [of(str(cell)) for cell in column.to_pylist()]
        counts = Counter(alike)
        columns.append([1 / counts[one] for one in alike])
    return np.array(columns).T


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    """Per group of tables, and over all."""
    lines = []
    for group in [*dict.fromkeys(row["group"] for row in rows), "all"]:
        mine = [row for row in rows if group in (row["group"], "all")]
        total = {key: sum(row[key] for row in mine)
                 for key in ("rows", "wrong_rows", "flagged", "flagged_wrong", "named", "named_wrong")}  # fmt: skip
        ap, value, shape = (np.mean([row[key] for row in mine]) for key in ("ap", "ap_value", "ap_shape"))
        lines.append(
            f"{group}: {len(mine)} tables, {total['rows']:,} rows, {total['wrong_rows']:,} wrong;"
            f" {total['flagged']:,} stand out, {total['flagged_wrong']:,} of them wrong;"
            f" first reason right in {total['named_wrong']:,} of {total['named']:,};"
            f" AP over cells {ap:.3f}, by rare values {value:.3f}, by rare shapes {shape:.3f}"
        )
    return lines

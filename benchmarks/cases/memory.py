"""memory: peak memory of `tabad score` on tables from 1 M to 50 M rows, parquet in and out; it has to stay flat."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import generated, machine, results
from benchmarks.clock import process
from benchmarks.report import render
from benchmarks.speed.run import tabad_program

ROWS = (1_000_000, 5_000_000, 10_000_000, 50_000_000)
QUICK = (50_000, 100_000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="up to 100,000 rows")
    parser.add_argument("--rows", default=",".join(map(str, ROWS)))
    parser.add_argument("--quality", default="fast", help="the tabad model: fast, default or student")
    parser.add_argument("--screen", action="store_true", help="also screen each table against itself, without a model")
    parser.add_argument("--folder", help="where the tables are written for a while; 50 M rows need 20 GB")


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    sizes = QUICK if options.quick else tuple(map(int, options.rows.split(",")))
    out: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tabad-bench-", dir=options.folder) as folder:
        place = Path(folder)
        model = _fit(place, options.quality)
        for rows in sizes:
            table = generated.write(place / "table.parquet", rows)
            runs = {options.quality: ["-m", str(model)]} | ({"screen": []} if options.screen else {})
            for name, extra in runs.items():
                done = process([*tabad_program(), "score", str(table), *extra, "-o", str(place / "out.parquet")])
                out.append(
                    {
                        "model": name,
                        "rows": rows,
                        "table_mib": round(table.stat().st_size / 2**20, 1),
                        "peak_mib": round(done.peak_mib, 1),
                        "seconds": round(done.seconds, 2),
                        "rows_per_s": round(rows / done.seconds),
                    }
                )
                print(f"  {out[-1]}", flush=True)
    print("memory: peak of `tabad score`, parquet to parquet")
    header = ["model", "rows", "table MiB", "peak MiB", "seconds", "rows/s"]
    print(render(header, [[r["model"], f"{r['rows']:,}", *list(r.values())[2:]] for r in out]))
    peaks = {r["rows"]: r["peak_mib"] for r in out if r["model"] == options.quality}
    facts = {"largest / 5 M": round(peaks[max(peaks)] / peaks[5_000_000], 3)} if 5_000_000 in peaks else {}
    for name, value in facts.items():
        print(f"  {name}: {value} (target <= 1.1, and <= 1,024 MiB)")
    full = not options.quick and sizes == ROWS
    results.save("memory", out, full=full, summary=facts, settings={"quality": options.quality})
    return 0


def _fit(place: Path, quality: Any) -> Path:
    import tabad

    model = place / "m.tabad"
    fitted = tabad.fit(generated.table(100_000), quality="default" if quality == "student" else quality)
    (fitted.with_scorer("student") if quality == "student" else fitted).save(model)
    return model

"""reasons: faults planted in single cells of real tables; is the faulty column the first reason, and what was expected?

Half of the normal rows are fitted without their labels; every fault goes into one cell of a row of the other half: a
value of another row (swap), times 10 (scale), 5 standard deviations away (shift), a spelling mistake (typo). A fault is
judged where the row has p <= 0.01 with it and p > 0.05 without it: what is odd already has reasons of its own. Scale,
shift and typo are marginal faults where the new value is odd by itself: outside the central 98 % of the fitted values,
or not among them. What is left of them, and all swaps, are dependency faults: only other columns contradict the value.
"""

import argparse
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import data, machine, results
from benchmarks.report import render

LEVEL = 0.01
ORDINARY = 0.05
FAULTS = ("swap", "scale", "shift", "typo")
ROWS = 6_000
PLANTED = 150
_NUMBER = r"-?\d[\d.]*(?:e[+-]?\d+)?"


@dataclass
class Tally:
    """Of one table and one class of faults."""

    judged: int = 0
    first: int = 0
    top_two: int = 0
    closer: int = 0
    farther: int = 0


@dataclass
class Faulty:
    """Rows of the other half, each with one fault."""

    table: pa.Table
    clean: pa.Table
    columns: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    originals: list[Any] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument(
        "--quick", action="store_true", help="the five small mixed sets and the five small numeric ones"
    )
    parser.add_argument("--sets", help="only these sets: names or parts of names, comma-separated")
    parser.add_argument("--quality", default="fast", help="fast or default")
    parser.add_argument("--seed", type=int, default=0)


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    sets = data.mixed_sets() + data.numeric_sets()
    if not sets:
        raise SystemExit(f"no data sets in {data.folder()}: set TABAD_DATA")
    if options.quick:
        sets = tuple(s for s in sets if s.name in data.QUICK_MIXED + data.QUICK_NUMERIC)
    if options.sets:
        sets = data.choose(sets, options.sets)
    rows: list[dict[str, Any]] = []
    for data_set in sets:
        for (kind, nature), tally in _judge(data_set, options.quality, options.seed).items():
            rows.append({"set": data_set.name, "fault": kind, "nature": nature, **vars(tally)})
        print(f"  {data_set.name}", flush=True)
    summary = _summary(rows)
    full = not options.quick and not options.sets
    results.save(
        "reasons", rows, full=full, summary=summary, settings={"quality": options.quality, "seed": options.seed}
    )
    return 0


def _judge(data_set: data.DataSet, quality: Any, seed: int) -> dict[tuple[str, str], Tally]:
    import tabad

    table, anomaly = data.load(data_set)
    rng = np.random.default_rng([7, seed])
    normal = rng.permutation(np.flatnonzero(~anomaly))[:ROWS]
    fitted, rest = table.take(normal[: len(normal) // 2]), table.take(normal[len(normal) // 2 :])
    model = tabad.fit(fitted, quality=quality, seed=seed)
    manifest = model.inspect()
    kinds = {column["name"]: column["kind"] for column in manifest["columns"]}
    faulty = _plant(fitted, rest, kinds, rng)
    if not faulty.columns:
        return {}
    scored = model.score(faulty.table, explain="all", level=LEVEL, reasons=2)
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    before = model.score(faulty.clean, explain="none", level=LEVEL)["tabad_p_value"].to_numpy()
    p_values, reasons = scored["tabad_p_value"].to_numpy(), scored["tabad_reasons"].to_pylist()
    typical = {name: _typical(fitted[name]) for name in set(faulty.columns)}
    for at, (column, kind, original) in enumerate(zip(faulty.columns, faulty.kinds, faulty.originals, strict=True)):
        if p_values[at] > LEVEL or before[at] <= ORDINARY:
            continue
        nature = "dependency"
        if kind != "swap" and _odd_by_itself(fitted[column], faulty.table[column][at].as_py()):
            nature = "marginal"
        tally = tallies[kind, nature]
        named = [reason["column"] for reason in reasons[at]]
        tally.judged += 1
        tally.first += named[:1] == [column]
        tally.top_two += column in named
        if column in named:
            _count_repair(tally, reasons[at][named.index(column)]["expected"], original, typical[column])
    return tallies


def _plant(fitted: pa.Table, rest: pa.Table, kinds: dict[str, str], rng: np.random.Generator) -> Faulty:
    numbers = [n for n, kind in kinds.items() if kind == "number" and pc.count_distinct(fitted[n]).as_py() > 2]
    texts = [n for n, kind in kinds.items() if kind == "category" and _is_text(fitted[n].type)]
    categories = [n for n, kind in kinds.items() if kind in ("category", "boolean")]
    choices = {"swap": numbers + categories, "scale": numbers, "shift": numbers, "typo": texts}
    taken: list[int] = []
    cells: dict[str, list[Any]] = {name: [] for name in rest.column_names}
    faulty = Faulty(rest.slice(0, 0), rest)
    spread = {n: float(np.nanstd(_floats(fitted[n]))) for n in numbers}
    for kind in FAULTS:
        for _ in range(PLANTED if choices[kind] else 0):
            row, column = int(rng.integers(rest.num_rows)), str(rng.choice(choices[kind]))
            original = rest[column][row].as_py()
            changed = _change(kind, original, rest[column], spread.get(column, 0.0), rng)
            if original is None or changed is None or changed == original:
                continue
            for name, values in cells.items():
                values.append(changed if name == column else rest[name][row].as_py())
            taken.append(row)
            faulty.columns.append(column)
            faulty.kinds.append(kind)
            faulty.originals.append(original)
    faulty.table = pa.table({f.name: pa.array(cells[f.name], f.type) for f in rest.schema}, schema=rest.schema)
    faulty.clean = rest.take(pa.array(taken, pa.int64()))
    return faulty


def _change(kind: str, original: Any, column: pa.ChunkedArray, spread: float, rng: np.random.Generator) -> Any:
    if original is None:
        return None
    if kind == "swap":
        return column[int(rng.integers(len(column)))].as_py()
    if kind == "typo":
        at = int(rng.integers(len(original) + 1))
        letter = "abcdefghijklmnopqrstuvwxyz"[int(rng.integers(26))]
        return original[:at] + letter + original[at:]
    changed = original * 10 if kind == "scale" else float(original) + spread * 5 * float(rng.choice([-1, 1]))
    try:
        return pa.scalar(type(original)(changed), column.type).as_py()
    except (pa.ArrowInvalid, OverflowError, ValueError):
        return None


def _odd_by_itself(column: pa.ChunkedArray, value: Any) -> bool:
    if _is_text(column.type):
        return not pc.any(pc.equal(column, pa.scalar(value, column.type))).as_py()
    low, high = np.nanquantile(_floats(column), [0.01, 0.99])
    return not low <= float(value) <= high


def _count_repair(tally: Tally, expected: str, original: Any, typical: Any) -> None:
    """Is what was expected closer to the value that was there than the median or mode? Equally good is neither."""
    if isinstance(original, str | bool):
        guess = re.split(r", | or ", expected)[0]
        right = guess.lower() == str(original).lower()
        if right != (typical == original):
            tally.closer += right
            tally.farther += not right
        return
    found = [float(text) for text in re.findall(_NUMBER, expected)]
    if not found:
        tally.farther += 1
        return
    # `about 12, 3 to 40` begins with the value that is expected.
    mine, theirs = abs(found[0] - float(original)), abs(float(typical) - float(original))
    tally.closer += bool(mine < theirs)
    tally.farther += bool(mine > theirs)


def _typical(column: pa.ChunkedArray) -> Any:
    if _is_text(column.type) or pa.types.is_boolean(column.type):
        counts = pc.value_counts(column.drop_null())
        return counts.field("values")[pc.index(counts.field("counts"), pc.max(counts.field("counts"))).as_py()].as_py()
    return float(np.nanmedian(_floats(column)))


def _floats(column: pa.ChunkedArray) -> Any:
    return column.cast(pa.float64()).to_numpy()


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lines = []
    for nature in ("marginal", "dependency"):
        for kind in (*FAULTS, "all"):
            of = [r for r in rows if r["nature"] == nature and kind in (r["fault"], "all")]
            judged = sum(r["judged"] for r in of)
            if not judged:
                continue
            told = sum(r["closer"] + r["farther"] for r in of)
            shares = {
                "judged": judged,
                "first": round(sum(r["first"] for r in of) / judged, 3),
                "top_two": round(sum(r["top_two"] for r in of) / judged, 3),
                "closer": round(sum(r["closer"] for r in of) / max(told, 1), 3),
            }
            found[f"{nature} {kind}"] = shares
            lines.append([f"{nature} {kind}", *shares.values()])
    print(render(["faults", "judged", "first reason", "top two", "expected closer than median / mode"], lines))
    return found

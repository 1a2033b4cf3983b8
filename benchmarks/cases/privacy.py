"""privacy: what the audit finds where rows were given away and where not, and how fast nearest records are found.

Tables are those named by `--sets`: real ones where they are at hand, and a generated one. Of each, disjoint random
parts are the training, the held-out and the synthetic rows. A fresh sample passed off as synthetic must pass: at most 5
of 100 may raise an alarm. `generators`: tabad and TabDDPM, of as many rows; and tabad of 20,000, as in `synthesis`.
`shadows`: tabad attacked with the help of generators of the same kind, and `many` the same of 20,000 rows, where the
rare class is attacked by itself too. `rare`: 50, 200 and 500 rows of a rare class, a fortieth of all, over refits;
beside it what knows no more of the class than each column by itself, a private fit, and rows of strangers, of which
none was trained on: what the attacks reach by chance. `units`: rows of fresh customers and planes, audited by row and
by unit. MST and AIM are in `private`; anonymeter is not run.
"""

import argparse
import time
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import data, generated, known, machine, membership, privacy_peers, private, results, units
from benchmarks.clock import median, ratio, take_turns
from benchmarks.report import render

PARTS = ("search", "fresh", "units", "leaks", "generators", "shadows", "many", "rare")
SETS = ("adult", "default_credit_card", "bank_full", "generated")
MANY_ROWS = 20_000
"""Of a generator as in `synthesis`."""
RARE_ROWS = (50, 200, 500)
"""Of a rare class, a fortieth of the rows."""
UNIT_DRAWS = 50
"""Of each table whose rows have units."""
TARGETS = {"scikit-learn": 2.0, "numpy": 10.0}
"""Least ratios of the seconds of a search to tabad's."""
THINNED = {"numpy": 40}
"""numpy looks at every so manieth row only, and its seconds are multiplied: all would take minutes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="one real table, 10 draws, 20 s of DDPM, small searches")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--rows", type=int, default=2_000, help="training rows; as many held out and synthetic")
    parser.add_argument("--draws", type=int, default=100, help="fresh samples passed off as synthetic, over all tables")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=3_000.0, help="most seconds of TabDDPM's training a table")
    parser.add_argument("--shadows", type=int, default=8, help="generators a table of the parts shadows and rare")
    parser.add_argument("--rare", default=",".join(map(str, RARE_ROWS)), help="rows of the rare class")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--keep", action="store_true", help="write the results; what is not run stays as committed")


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn", "torch")
    parts = options.parts.split(",")
    draws, rounds, budget = (10, 2, 20.0) if options.quick else (options.draws, options.rounds, options.budget)
    names = options.sets.split(",")
    tables = _tables([*names[:1], "generated"] if options.quick else names)
    out: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    if "search" in parts:
        out += _searches(4_000 if options.quick else 8_000, rounds)
    if "fresh" in parts:
        found, summary["fresh samples"] = _fresh(tables, options.rows, draws)
        out += found
    if "units" in parts:
        found, summary["fresh units"] = _units(2 if options.quick else UNIT_DRAWS)
        out += found
    if "leaks" in parts:
        out += _leaks(tables, options.rows)
    if "generators" in parts:
        out += _generators(tables, options.rows, budget, quick=options.quick)
    if "shadows" in parts:
        out += _shadows("shadows", tables, options.rows, 3 if options.quick else options.shadows)
    if "many" in parts and not options.quick:
        out += _shadows("many", tables, MANY_ROWS, options.shadows)
    if "rare" in parts:
        sizes = [RARE_ROWS[0]] if options.quick else [int(size) for size in options.rare.split(",")]
        for size in sizes:
            out += _rare(tables, size, 3 if options.quick else options.shadows)
    full = not options.quick and (parts == list(PARTS) or options.keep)
    earlier = []
    if options.keep:
        ran = {_of(row) for row in out}
        out += [row for row in known.rows("privacy") if _of(row) not in ran]
        out.sort(key=lambda row: next(at for at, part in enumerate(PARTS) if part.startswith(row["part"])))
        summary, earlier = {**known.summary("privacy"), **summary}, known.runs("privacy")
    settings = {
        "rows": options.rows, "draws": draws, "rounds": rounds, "budget_s": budget, "shadows": options.shadows
    }  # fmt: skip
    results.save("privacy", out, full=full, summary=summary, settings=settings, earlier=earlier)
    return 0


def _of(row: dict[str, Any]) -> tuple[Any, ...]:
    """What is run together."""
    return row["part"], row["table"], row["rows"] if row["part"] == "rare" else None


def _tables(names: list[str]) -> dict[str, pa.Table]:
    found = {name: data.folder() / name / "data.parquet" for name in names}
    tables = {name: pq.read_table(path) for name, path in found.items() if path.exists()}
    return {**tables, "generated": generated.chunk(0, 50_000)} if "generated" in names else tables


def _parts(table: pa.Table, seed: int, rows: int, parts: int = 3) -> list[pa.Table]:
    """Disjoint random parts of at most so many rows: synthetic, training and held-out ones, or the latter two alone."""
    order = np.random.default_rng([seed, 9]).permutation(table.num_rows)
    size = min(rows, table.num_rows // parts)
    return [table.take(pa.array(order[part * size : (part + 1) * size])) for part in range(parts)]


def _fresh(tables: dict[str, pa.Table], rows: int, draws: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    import tabad

    out, started = [], time.perf_counter()
    for draw in range(draws):
        name = list(tables)[draw % len(tables)]
        audit = tabad.audit(*_parts(tables[name], draw, rows), seed=draw)
        tails = {finding.attack: finding.p_value for finding in audit.findings if finding.p_value is not None}
        alarms = [finding.attack for finding in audit.alarms]
        out.append({"part": "fresh", "table": name, "draw": draw, "alarms": alarms, "p_values": tails})
    raised = sum(bool(row["alarms"]) for row in out)
    seconds = (time.perf_counter() - started) / max(draws, 1)
    print(f"\nprivacy: fresh samples of {rows:,} rows passed off as synthetic: {raised} of {draws} raise an alarm")
    print(
        f"  (target: at most 5 of 100), {seconds:.1f} s an audit, alarms: {[r['alarms'] for r in out if r['alarms']]}"
    )
    return out, {"draws": draws, "alarms": raised, "seconds_an_audit": round(seconds, 2)}


def _units(draws: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of fresh units passed off as synthetic: nothing leaks, and by unit at most 5 % may raise an alarm."""
    import tabad

    out = []
    for name, (table, unit) in units.tables().items():
        for draw in range(draws):
            parts = units.parts(table, unit, draw)
            by = {
                "by unit": tabad.audit(*parts, unit=unit, seed=draw),
                "by row": tabad.audit(*parts, ignore=[unit], seed=draw),
            }
            for way, audit in by.items():
                alarms = [finding.attack for finding in audit.alarms]
                out.append({"part": "units", "table": name, "draw": draw, "audited": way, "alarms": alarms})
    raised = {way: sum(bool(r["alarms"]) for r in out if r["audited"] == way) for way in ("by unit", "by row")}
    print(f"\nprivacy: fresh units passed off as synthetic, {len(out) // 2} draws, that raise an alarm: {raised}")
    return out, {"draws": len(out) // 2, "alarms": raised}


def _leaks(tables: dict[str, pa.Table], rows: int) -> list[dict[str, Any]]:
    out = []
    for name, table in tables.items():
        fresh, train, holdout = _parts(table, 1_000, rows)
        for leak, synthetic in {
            "1 % of the rows are copies": privacy_peers.planted(fresh, train, 0.01, 0),
            "learned by heart, noise 0.01": privacy_peers.by_heart(train, rows, 0),
        }.items():
            out.append(_audited("leak", name, leak, synthetic, train, holdout))
    print("\nprivacy: leaks that must be found")
    _print(out)
    return out


def _generators(tables: dict[str, pa.Table], rows: int, budget: float, *, quick: bool) -> list[dict[str, Any]]:
    out = []
    for name, table in tables.items():
        few, many = (_parts(table, 2_000, size, parts=2) for size in (rows, MANY_ROWS))
        made = {
            "tabad default": (few, privacy_peers.own),
            "TabDDPM": (few, partial(privacy_peers.ddpm, budget=budget)),
        }
        if not quick:
            made["tabad default, many rows"] = (many, privacy_peers.own)
        for method, ((train, holdout), make) in made.items():
            synthetic = make(train, train.num_rows, 0)
            kept = [column for column in train.column_names if column in synthetic.column_names]
            parts = (part.select(kept) for part in (synthetic, train, holdout))
            out.append(_audited("generator", name, method, *parts))
    print(f"\nprivacy: generators trained on {rows:,} rows, many: {MANY_ROWS:,} or half of the table")
    _print(out)
    return out


def _shadows(part: str, tables: dict[str, pa.Table], rows: int, shadows: int) -> list[dict[str, Any]]:
    out = []
    for name, table in tables.items():
        pool = pa.concat_tables(_parts(table, 2_000, rows, parts=2)).combine_chunks()
        alone = {"rare class": pool["label"].to_numpy() == 1} if "label" in pool.column_names else {}
        found = membership.attacked(
            pool, lambda own, seed: privacy_peers.own(own, own.num_rows, seed), shadows, alone=alone
        )
        what = {"part": part, "table": name, "method": "tabad default", "rows": pool.num_rows // 2}
        for who, attacks in found.items():
            who_rows = int(alone[who].sum()) // 2 if who in alone else pool.num_rows // 2
            out += [{**what, "who": who, "who_rows": who_rows, "attack": a, **facts} for a, facts in attacks.items()]
    print(f"\nprivacy: tabad default of {rows:,} rows, attacked by its rows alone and with {shadows - 1} shadows")
    _print_attacks(out)
    return out


def _rare(tables: dict[str, pa.Table], few: int, shadows: int) -> list[dict[str, Any]]:
    out, rows = [], 40 * few
    for name, table in tables.items():
        if "label" not in table.column_names:
            continue
        order = np.random.default_rng([3_000, 9]).permutation(table.num_rows)
        rare = table["label"].to_numpy()[order] == 1
        pool, strangers = (
            table.take(pa.array(order[rare][first : first + 2 * few])).combine_chunks() for first in (0, 2 * few)
        )
        fixed = table.take(pa.array(order[~rare][: rows - few])).combine_chunks()
        makers = {
            "tabad default": (partial(privacy_peers.own, label="label", value="1"), fixed),
            "each column by itself": (privacy_peers.by_column, None),
            "strangers": (partial(privacy_peers.others, of=strangers), None),
        }
        if name in private.BOUNDS:
            bounds = private.public(name, private.table(name))
            under_budget = partial(privacy_peers.private, bounds=bounds, label="label", value="1")
            makers["tabad --private 3"] = (under_budget, fixed)
        for method, (make, others) in makers.items():
            found = membership.attacked(
                pool, lambda own, seed, make=make: make(own, 10 * few, seed), shadows, fixed=others
            )
            what = {"part": "rare", "table": name, "method": method, "rows": few, "of_rows": fixed.num_rows + few}
            out += [{**what, "attack": attack, **facts} for attack, facts in found[membership.EVERYONE].items()]
    print(f"\nprivacy: {few} rows of a rare class among {rows:,}, {10 * few} rows made, {shadows} generators")
    _print_attacks(out)
    return out


def _print_attacks(rows: list[dict[str, Any]]) -> None:
    keys = ("table", "method", "who", "attack", "tpr_at_10", "interval", "auc")
    lines = [[str(row.get(key, "")) if key in ("interval", "who") else row[key] for key in keys] for row in rows]
    print(render(list(keys), lines))


def _audited(part: str, table: str, method: str, *parts: pa.Table) -> dict[str, Any]:
    import tabad

    audit = tabad.audit(*parts, rows=MANY_ROWS)
    member, copies, near = audit.finding("membership"), audit.finding("copies"), audit.finding("distances")
    score = "nearest over real neighbours"
    row = {
        "part": part, "table": table, "method": method, "rows": parts[0].num_rows,
        "alarms": [finding.attack for finding in audit.alarms],
        "copies": copies.figure("copies of training rows").value,
        "near_copies": copies.figure("near copies").value,
        "nearer_to_training": near.figure("nearer to training than to held-out rows").value,
        "auc": member.figure(f"AUC, {score}").value,
        "tpr_at_1": member.figure(f"TPR at 1% FPR, {score}").value,
        "tpr_at_10": member.figure(f"TPR at 10% FPR, {score}").value,
        "attacks": {
            figure.name: [round(figure.value, 4), round(figure.low or 0.0, 4), round(figure.high or 0.0, 4)]
            for figure in member.figures
        },
    }  # fmt: skip
    for attack in (
        "singling out by one column",
        "singling out by several columns",
        "linkability",
        "attribute inference",
    ):
        figures = audit.finding(attack).figures
        row[attack] = figures[0].value if figures else None
    return row


def _print(rows: list[dict[str, Any]]) -> None:
    keys = ("table", "method", "copies", "near_copies", "nearer_to_training", "auc", "tpr_at_1", "tpr_at_10")
    lines = [
        [row["table"], row["method"], *(row[k] for k in keys[2:]), ", ".join(row["alarms"]) or "none"] for row in rows
    ]
    print(render([*keys, "alarms"], lines))


def _searches(rows: int, rounds: int) -> list[dict[str, Any]]:
    """Nearest of 20,000 reference rows for each row: tabad on the block, the peers on the same block one-hot."""
    draw = np.random.default_rng(0)
    tables = {"generated, 20 columns": generated.chunk(0, rows + 20_000)}
    for wide in (8, 20, 60):
        values = draw.normal(size=(rows + 20_000, 6)) @ draw.normal(size=(6, wide))
        values += 0.5 * draw.normal(size=values.shape)
        tables[f"{wide} numbers"] = pa.table({f"c{n}": values[:, n] for n in range(wide)})
    out = []
    for name, table in tables.items():
        contenders, wide = _contenders(table, rows)
        found: dict[str, Any] = {}
        seconds = take_turns({m: partial(_timed, found, m, run) for m, run in contenders.items()}, rounds)
        out += [
            {
                "part": "search", "table": name, "method": m, "rows": rows, "reference_rows": 20_000, "one_hot": wide,
                "median_s": round(median(seconds[m]), 4),
                "tabad_times_faster": round(ratio(seconds[m], seconds["tabad"]), 2),
                "target": TARGETS.get(m),
                "same_rows": float((found[m] == found["tabad"][:: THINNED.get(m, 1)]).mean()),
                "seconds": [round(s, 4) for s in seconds[m]],
            }
            for m in contenders
        ]  # fmt: skip
    keys = ("table", "one_hot", "method", "median_s", "tabad_times_faster", "target", "same_rows")
    print(f"privacy: nearest of 20,000 rows for {rows:,} rows, all cores, {rounds} rounds")
    print(render([k.replace("_", " ") for k in keys], [[row[k] for k in keys] for row in out]))
    return out


def _timed(found: dict[str, Any], method: str, run: Any) -> float:
    started = time.perf_counter()
    found[method] = run()
    return (time.perf_counter() - started) * THINNED.get(method, 1)


def _contenders(table: pa.Table, rows: int) -> tuple[dict[str, Any], int]:
    from sklearn.metrics import pairwise_distances_argmin

    from tabad import _core

    fit = _core.Fit(memory=32, screen=True)
    fit.observe(table)
    fit.prepare()
    model = fit.finish()
    blocks = model.encode(table.slice(0, rows)), model.encode(table.slice(rows))
    left, right = (one_hot(model, block) for block in blocks)
    varies = np.ptp(np.concatenate([left, right]), axis=0) > 0
    left, right = left[:, varies], right[:, varies]

    def broadcasting() -> Any:
        few = left[:: THINNED["numpy"]]
        chunks = [few[start : start + 8] for start in range(0, len(few), 8)]
        return np.concatenate([((c[:, None, :] - right[None]) ** 2).sum(axis=2).argmin(axis=1) for c in chunks])

    return {
        "tabad": lambda: np.frombuffer(model.nearest(*blocks)[1], np.uint32),  # type: ignore[call-overload]
        "scikit-learn": lambda: pairwise_distances_argmin(left, right),
        "numpy": broadcasting,
    }, left.shape[1]


def one_hot(model: Any, block: tuple[int, Any, Any]) -> Any:
    """The block as float32 numbers times the root of their weight, beside one-hot codes over the root of 2."""
    import json

    rows = block[0]
    x = np.frombuffer(block[1], np.float32).reshape(rows, -1)  # type: ignore[call-overload]
    c = np.frombuffer(block[2], np.uint16).reshape(rows, -1)  # type: ignore[call-overload]
    parts = []
    for column in json.loads(model.manifest())["columns"]:
        several = max(1, sum(feature["part"] != "status" for feature in column["features"]))
        for feature in column["features"]:
            weight = 1.0 if feature["part"] == "status" else several**-0.5
            if "number" in feature:
                parts.append(x[:, [feature["number"]]] * np.float32(weight**0.5))
            else:
                codes = c[:, [feature["category"]]] == np.arange(feature["size"])
                parts.append(codes * np.float32((weight / 2) ** 0.5))
    return np.concatenate(parts, axis=1)

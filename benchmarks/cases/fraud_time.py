"""fraud-time: card transactions by day. Fit on days 0 to 34, score days 35 to 48; labels arrive 7 days late.

Without labels tabad stands beside IsolationForest; with 50 labelled frauds of days 0 to 27, all other rows
unlabelled, beside HistGradientBoosting on the same (rows without a label count as negatives), and that with every label
there is. Each with the columns as they come and with rolling counts and amounts that a user would write in SQL.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import data, machine, results
from benchmarks.metrics import average_precision
from benchmarks.report import render

__all__ = ["add_arguments", "main"]

NAME = "fraud_handbook_raw"
FIRST_SCORED, DELAY, LABELLED, A_DAY = 35, 7, 50, 100
SEEDS = (0, 1, 2, 3, 4)
_OVER = "OVER (PARTITION BY {by} ORDER BY TX_DATETIME RANGE BETWEEN INTERVAL {days} DAY PRECEDING AND CURRENT ROW)"
_CHECKED = "checked"


@dataclass(frozen=True)
class Case:
    """Rows to fit and to score, what is known of them, and as what."""

    train: pa.Table
    test: pa.Table
    picked: np.ndarray
    """Places of the labelled frauds among the training rows."""
    known: np.ndarray
    """Every label that has arrived."""
    seed: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="seed 0, without tabad's network")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    machine.refuse_debug_build()
    machine.require("sklearn", "duckdb", "pandas")
    found = [s for s in data.data_sets() if s.name.split("/")[0] == NAME]
    if not found:
        raise SystemExit(f"no data set {NAME} in {data.folder()}: set TABAD_DATA")
    raw = pq.read_table(found[0].path)
    seeds = [0] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    rows: list[dict[str, Any]] = []
    for features in (False, True):
        table = with_features(raw) if features else raw
        for seed in seeds:
            case, fraud, day = split(table, features, seed)
            for name, method in METHODS.items():
                if options.quick and "fast" not in name and name.startswith("tabad"):
                    continue
                scores = method(case)
                rows.append({
                    "method": name, "features": features, "seed": seed, "ap": average_precision(fraud, scores),
                    "precision_100_a_day": precision_a_day(fraud, scores, day),
                })  # fmt: skip
                print(f"  {rows[-1]}", flush=True)
    full = not options.quick and options.seeds == ",".join(map(str, SEEDS))
    summary = _summary(rows)
    results.save("fraud-time", rows, full=full, summary=summary, settings={"seeds": seeds, "labelled": LABELLED})
    return 0


def with_features(raw: pa.Table) -> pa.Table:
    """Counts and mean amounts of the customer, counts of the terminal, over 1, 7 and 30 days up to each row."""
    import duckdb

    parts = []
    for days in (1, 7, 30):
        for by, who in (("CUSTOMER_ID", "customer"), ("TERMINAL_ID", "terminal")):
            over = _OVER.format(by=by, days=days)
            parts.append(f"count(*) {over} AS {who}_count_{days}d")
            if who == "customer":
                parts.append(f"avg(TX_AMOUNT) {over} AS {who}_amount_{days}d")
    connection = duckdb.connect()
    connection.register("raw", raw)
    found = connection.sql(f"SELECT *, {', '.join(parts)} FROM raw ORDER BY TRANSACTION_ID").arrow()
    return found.read_all() if isinstance(found, pa.RecordBatchReader) else found


def split(table: pa.Table, features: bool, seed: int) -> tuple[Case, np.ndarray, np.ndarray]:
    """The case, and which of the scored rows are frauds, on which day."""
    day, fraud = table["TX_TIME_DAYS"].to_numpy(), table["is_anomaly"].to_numpy() > 0
    columns = ["TX_DATETIME", "TX_AMOUNT", "CUSTOMER_ID", "TERMINAL_ID"]
    if features:
        columns += [name for name in table.column_names if "_count_" in name or "_amount_" in name]
    train, test = day < FIRST_SCORED, (day >= FIRST_SCORED) & (day < FIRST_SCORED + 14)
    known = fraud[train] & (day[train] < FIRST_SCORED - DELAY)
    picked = np.random.default_rng([35, seed]).choice(np.flatnonzero(known), LABELLED, replace=False)
    rows = table.select(columns)
    case = Case(rows.filter(pa.array(train)), rows.filter(pa.array(test)), picked, known, seed)
    return case, fraud[test], day[test]


def precision_a_day(fraud: np.ndarray, scores: np.ndarray, day: np.ndarray) -> float:
    """Mean over days of the share of frauds among the 100 highest scores."""
    shares = []
    for of in np.unique(day):
        at = np.flatnonzero(day == of)
        shares.append(float(fraud[at[np.argsort(-scores[at], kind="stable")[:A_DAY]]].mean()))
    return float(np.mean(shares))


def _tabad(quality: Literal["fast", "default"], labels: bool) -> Callable[[Case], np.ndarray]:
    def run(case: Case) -> np.ndarray:
        import tabad

        train, feedback = case.train, None
        if labels:
            marked = np.zeros(train.num_rows, bool)
            marked[case.picked] = True
            train = train.append_column(_CHECKED, pa.array(marked, mask=~marked))
            feedback = _CHECKED
        model = tabad.fit(train, quality=quality, seed=case.seed, feedback=feedback)
        return model.score(case.test, explain="none")["tabad_score"].to_numpy()

    return run


def _encoded(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as they are, hour and weekday of the time, ids by how often they occur in the training rows."""
    parts = []
    for table in (case.train, case.test):
        columns = []
        for name in table.column_names:
            values = table[name]
            if name == "TX_DATETIME":
                columns += [pc.hour(values).to_numpy(), pc.day_of_week(values).to_numpy()]
            elif name.endswith("_ID"):
                ids, counts = np.unique(case.train[name].to_numpy(), return_counts=True)
                at = np.searchsorted(ids, values.to_numpy()).clip(max=len(ids) - 1)
                columns.append(np.where(ids[at] == values.to_numpy(), counts[at], 0))
            else:
                columns.append(values.to_numpy())
        parts.append(np.stack(columns, axis=1).astype(np.float64))
    return parts[0], parts[1]


def _forest(case: Case) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    train, test = _encoded(case)
    scores: np.ndarray = -IsolationForest(n_estimators=100, random_state=case.seed).fit(train).score_samples(test)
    return scores


def _boosting(every_label: bool) -> Callable[[Case], np.ndarray]:
    def run(case: Case) -> np.ndarray:
        from sklearn.ensemble import HistGradientBoostingClassifier

        train, test = _encoded(case)
        label = case.known.copy()
        if not every_label:
            label[:] = False
            label[case.picked] = True
        model = HistGradientBoostingClassifier(random_state=case.seed, early_stopping=False).fit(train, label)
        scores: np.ndarray = model.predict_proba(test)[:, 1]
        return scores

    return run


METHODS: dict[str, Callable[[Case], np.ndarray]] = {
    "tabad-fast": _tabad("fast", labels=False),
    "tabad": _tabad("default", labels=False),
    "IsolationForest": _forest,
    "tabad-fast, 50 labels": _tabad("fast", labels=True),
    "tabad, 50 labels": _tabad("default", labels=True),
    "HistGradientBoosting, 50 labels": _boosting(every_label=False),
    "HistGradientBoosting, every label": _boosting(every_label=True),
}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    lines = []
    for features in (False, True):
        for method in METHODS:
            these = [r for r in rows if r["method"] == method and r["features"] == features]
            if not these:
                continue
            ap, precision = (float(np.mean([r[key] for r in these])) for key in ("ap", "precision_100_a_day"))
            summary.setdefault("with features" if features else "as they come", {})[method] = [ap, precision]
            lines.append(["rolling features" if features else "as they come", method, ap, precision])
    print(render(["columns", "method", "AP", "precision at 100 a day"], lines))
    return summary

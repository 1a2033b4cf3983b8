"""The case of card transactions by day: what may be known when, and what is counted."""

import datetime as dt

import numpy as np
import pyarrow as pa
from benchmarks.cases.fraud_time import precision_a_day, split, with_features


def transactions(a_day: int = 200) -> pa.Table:
    """49 days; every fortieth row is a fraud."""
    rows = 49 * a_day
    seconds = np.arange(rows) * 86_400 // a_day
    start = dt.datetime(2018, 4, 1)
    return pa.table(
        {
            "TRANSACTION_ID": np.arange(rows),
            "TX_DATETIME": pa.array([start + dt.timedelta(seconds=int(s)) for s in seconds], pa.timestamp("ms")),
            "CUSTOMER_ID": np.arange(rows) % 7,
            "TERMINAL_ID": np.arange(rows) % 11,
            "TX_AMOUNT": np.arange(rows) % 50 + 1.0,
            "TX_TIME_DAYS": seconds // 86_400,
            "is_anomaly": (np.arange(rows) % 40 == 0).astype(np.int8),
        }
    )


def test_labels_that_have_not_arrived_are_not_known() -> None:
    case, fraud, day = split(transactions(), False, 0)
    assert (case.train.num_rows, case.test.num_rows) == (35 * 200, 14 * 200)
    assert (day.min(), day.max(), fraud.sum()) == (35, 48, 14 * 5)
    # Days 0 to 27, five frauds a day.
    assert np.flatnonzero(case.known).max() < 28 * 200
    assert case.known.sum() == 28 * 5
    assert len(set(case.picked.tolist())) == 50
    assert case.known[case.picked].all()
    assert "is_anomaly" not in case.train.column_names


def test_rolling_features_look_back_and_never_ahead() -> None:
    table = with_features(transactions())
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["customer_count_30d"], first["terminal_count_1d"], first["customer_amount_7d"]) == (1, 1, 1.0)
    # Customer 0 at row 700: rows 700 - 7 k within one day (200 rows) before it, both ends included.
    row = table.slice(700, 1).to_pylist()[0]
    assert row["customer_count_1d"] == 200 // 7 + 1
    assert table["TRANSACTION_ID"].to_pylist() == list(range(table.num_rows))
    assert "customer_count_30d" in split(table, True, 0)[0].train.column_names


def test_precision_a_day_is_the_mean_over_days() -> None:
    day = np.repeat([35, 36], 200)
    fraud = np.zeros(400, bool)
    fraud[:50] = True  # day 35: all 50 at the top; day 36: none
    scores = np.tile(np.arange(200, 0, -1.0), 2)
    assert precision_a_day(fraud, scores, day) == 0.25

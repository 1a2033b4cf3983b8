"""Rows of the days after a table are no odder than its own: their hour, weekday and month, and where they stand."""

import numpy as np
import pyarrow as pa
import pytest

import tabad

HOUR = 3_600_000_000


def sales(first_day: int, days: int, seed: int) -> pa.Table:
    """Ten sales a day that go by hour and weekday, and fewer on Sundays."""
    draw = np.random.default_rng(seed)
    day = first_day + np.sort(draw.integers(0, days, 10 * days))
    day = day[(day % 7 != 3) | (draw.random(len(day)) < 0.3)]
    hour = draw.choice(24, len(day), p=np.hanning(26)[1:-1] / np.hanning(26)[1:-1].sum())
    at = pa.array((24 * day + hour) * HOUR + draw.integers(0, HOUR, len(day)), pa.timestamp("us"))
    amount = np.exp(draw.normal(np.where(day % 7 < 2, 4.0, 3.0) + 0.05 * hour, 0.3))
    return pa.table({"at": at, "amount": amount, "shop": draw.choice(["a", "b", "c"], len(day))})


@pytest.mark.parametrize("days", [56, 800], ids=["weeks", "years"])
@pytest.mark.parametrize("quality", ["fast", "default"])
def test_the_next_month_is_as_usual_as_the_table(quality: str, days: int) -> None:
    if quality == "default":
        pytest.importorskip("torch")
    table = sales(17_000, days, seed=1)
    model = tabad.fit(table.slice(0, 3_000), quality=quality, seed=0)  # type: ignore[arg-type]
    last = table["at"][min(table.num_rows, 3_000) - 1].value // (24 * HOUR)

    p = model.score(sales(last + 1, 30, seed=2), explain="none")["tabad_p_value"].to_numpy()

    # About 280 rows: a share of 0.05 has a standard error of 0.013, 110 to 600 calibration rows add 0.02 to 0.009;
    # where a new month, an edge of time or a weekday beside the wrong day counted, nearly all rows would be below.
    assert (p <= 0.05).mean() < 0.05 + 4 * 0.024


@pytest.mark.parametrize("quality", ["fast", "default"])
def test_a_time_long_after_the_table_is_odd(quality: str) -> None:
    if quality == "default":
        pytest.importorskip("torch")
    table = sales(17_000, 56, seed=1)
    model = tabad.fit(table, quality=quality, seed=0)  # type: ignore[arg-type]

    p = model.score(sales(17_000 + 4 * 56, 7, seed=2), explain="none")["tabad_p_value"].to_numpy()

    assert (p <= 0.05).mean() > 0.9

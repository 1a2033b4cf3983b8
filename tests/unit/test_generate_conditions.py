"""Conditions and rules of generated rows: few rows, held values, contradictions, types of every sort, narrow ids."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tabad
from tabad.conditions import in_type
from tabad.diffusion import presets
from tabad.errors import InputError, UsageError


def fitted(table: Any, **options: Any) -> tabad.Model:
    """By a brief network: what is under test is what stands in a row, not how likely it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 40, 1e9))
        return tabad.fit(table, **options)


@pytest.fixture(scope="module")
def orders() -> pa.Table:
    draw = np.random.default_rng(0)
    n = 600
    place = draw.integers(0, 90, n)
    net, tax = np.round(draw.uniform(1, 200, n), 2), np.round(draw.uniform(0, 20, n), 2)
    day = [dt.date(2024, 1, 1) + dt.timedelta(days=int(d)) for d in draw.integers(0, 60, n)]
    return pa.table(
        {
            "zip": [f"Z{10_000 + p}" for p in place],
            "town": [f"town{p % 9}" for p in place],
            "net": net,
            "tax": tax,
            "total": np.round(net + tax, 2),
            "placed": pa.array(day, pa.date32()),
            "shipped": pa.array([dt.datetime.combine(d, dt.time(9)) for d in day], pa.timestamp("us")),
            "at": pa.array([dt.time(int(h), 5) for h in draw.integers(0, 24, n)], pa.time32("s")),
            "took": pa.array([dt.timedelta(seconds=int(s)) for s in draw.integers(0, 7_200, n)], pa.duration("ms")),
        }
    )


@pytest.fixture(scope="module")
def model(orders: pa.Table) -> tabad.Model:
    return fitted(orders, constraints=["zip -> town", "total = net + tax", "placed <= shipped"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"guidance": float("nan")}, "`guidance` is nan, and must be a finite number of 0 or more"),
        ({"guidance": -1.0}, "`guidance` is -1"),
        ({"guidance": float("inf")}, "`guidance` is inf"),
        ({"n": 2.5}, "`n` is 2.5, which is no whole number"),
        ({"n": "3"}, "`n` is '3', which is no whole number"),
        ({"seed": None}, "`seed` is None, which is no whole number"),
        ({"device": "gpu"}, "`device` is 'gpu', which is not one of auto, cpu, cuda"),
    ],
)
def test_arguments_out_of_range_are_named(model: tabad.Model, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        model.generate(**{"n": 3, **options})
    assert says in str(refused.value)
    if "n" not in options and "guidance" not in options:
        with pytest.raises(UsageError, match=says.split(",")[0]):
            model.impute(pa.table({"net": [None, 1.0]}), **options)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (
            ["net=10", "tax=5", "total=20"],
            "`total = 20.0`, `net = 10.0`, `tax = 5.0` cannot stand in one row, of which",
        ),
        (
            ["zip=Z10003", "town=town4"],
            "`town = town4` cannot stand in one row, of which `zip -> town`",
        ),
        (["placed=2024-02-01", "shipped=2024-01-01 09:00"], "cannot stand in one row, of which `placed <= shipped`"),
    ],
)
def test_held_values_that_break_a_rule_are_refused(model: tabad.Model, where: list[str], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        model.generate(2, where=where)
    assert says in str(refused.value)
    assert refused.value.name == "where-contradiction"
    assert model.generate(2, where=where, constraints=None).num_rows == 2


def test_few_rows_are_no_sign_that_few_obey(model: tabad.Model) -> None:
    for n in (1, 5, 8):
        assert model.generate(n, where="net > 1").num_rows == n


def test_a_held_value_that_the_model_does_not_know_is_said(orders: pa.Table) -> None:
    model = fitted(orders, constraints=["none"])
    with pytest.warns(tabad.TabadWarning) as caught:
        made = model.generate(5, where=["town=Atlantis", "net=5000", "tax=1.5"])

    assert set(made["town"].to_pylist()) == {"Atlantis"}
    assert set(made["net"].to_pylist()) == {5000}
    most = max(orders["net"].to_pylist())
    assert [str(one.message) for one in caught] == [
        "no row of the fit has Atlantis in `town`: rows are made as for any such value",
        f"`net` of 5000.0 is beyond what the model knows: rows are made as for {most}",
    ]


def test_what_a_held_key_determines_is_looked_up_for_that_key(model: tabad.Model) -> None:
    made = model.generate(60, where={"zip": "Z10035"})
    assert set(made["zip"].to_pylist()) == {"Z10035"}
    assert set(made["town"].to_pylist()) == {"town8"}


def test_the_parts_of_a_held_total_make_that_total(model: tabad.Model) -> None:
    made = model.generate(20, where={"total": 60.0})
    assert all(abs(row["net"] + row["tax"] - 60.0) < 1e-6 for row in made.select(["net", "tax"]).to_pylist())
    # No two parts that were ever seen make 5,000: rows that break the rule are not handed out.
    beyond = pytest.warns(tabad.TabadWarning, match="`total` of 5000.0 is beyond what the model knows")
    with beyond, pytest.raises(InputError, match=r"rows drawn obey `total = net \+ tax`.*: too few"):
        model.generate(20, where={"total": 5_000.0})


def test_a_date_and_a_time_are_compared_as_moments(model: tabad.Model, orders: pa.Table) -> None:
    assert [one.broken for one in model.constraints() if str(one) == "placed <= shipped"] == [0]
    made = model.generate(300)
    assert pc.all(pc.less_equal(made["placed"].cast(pa.timestamp("us")), made["shipped"])).as_py()
    # One row of 601 shipped before it was placed, screened: no rows of the table do.
    early = orders.slice(0, 1).set_column(6, "shipped", pa.array([dt.datetime(2023, 1, 1)], pa.timestamp("us")))
    both = pa.concat_tables([early, orders])
    flags = tabad.score(both, constraints="placed <= shipped")["tabad_flag"].to_pylist()
    assert flags[0]
    assert sum(flags) == 1


def test_one_moment_in_two_units_is_in_order() -> None:
    draw = np.random.default_rng(0)
    micros = pa.array(1_700_000_000_000_000 + draw.integers(0, 10**12, 3_000)).cast(pa.timestamp("us"))
    table = pa.table({"a": micros, "b": micros.cast(pa.timestamp("ns")), "x": draw.random(3_000)})
    for rule in ("a <= b", "b <= a"):
        assert not any(tabad.score(table, constraints=rule)["tabad_flag"].to_pylist())


def test_what_cannot_be_compared_is_refused(orders: pa.Table) -> None:
    zoned = orders.append_column("utc", orders["shipped"].cast(pa.timestamp("us", "UTC")))
    for rule in ("placed <= net", "at <= took", "shipped <= utc"):
        with pytest.raises(UsageError, match=f"`{rule}`: column .* which cannot be compared"):
            tabad.fit(zoned, quality="fast", constraints=[rule])


def test_one_column_is_not_two_values_at_once(model: tabad.Model) -> None:
    assert model.generate(3, where=["town=town1", "town=town1"])["town"].to_pylist() == ["town1"] * 3
    with pytest.raises(UsageError, match="`town` cannot be `town1` and `town2` at once"):
        model.generate(3, where=["town=town1", "town=town2"])


def test_text_has_no_order_however_it_is_stored(orders: pa.Table) -> None:
    days = [f"{1 + n % 28}.{1 + n % 12}.2024" for n in range(len(orders))]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.large_string())):
        held = fitted(orders.select(["net"]).append_column("day", pa.array(days).cast(kind)))
        with pytest.raises(UsageError, match="the values of column `day` have no order"):
            held.generate(3, where="day < 9.1.2024")


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("12:30", pa.time64("ns"), dt.time(12, 30)),
        ("0:01:30.5", pa.duration("ms"), dt.timedelta(seconds=90.5)),
        ("1:30", pa.duration("ms"), dt.timedelta(seconds=90)),
        ("90", pa.duration("s"), dt.timedelta(seconds=90)),
        ("-0:30:00", pa.duration("s"), -dt.timedelta(minutes=30)),
        (90, pa.duration("ms"), dt.timedelta(milliseconds=90)),
        ("2024-01-05 12:00", pa.timestamp("us", "Europe/Berlin"), dt.datetime(2024, 1, 5, 11, tzinfo=dt.UTC)),
        ("2024-01-05T12:00:00Z", pa.timestamp("us", "Europe/Berlin"), dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)),
        ("12.50", pa.decimal128(8, 2), Decimal("12.50")),
    ],
)
def test_text_is_read_as_the_type_of_its_column(text: object, kind: pa.DataType, wanted: object) -> None:
    assert in_type(text, pa.field("a", kind))[0].as_py() == wanted


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1:2:3:4", pa.duration("s")), (10**30, pa.int64()), ("25:00", pa.time32("s")), ("12:30+05:00", pa.time32("s"))],
)
def test_what_is_no_value_of_a_column_is_refused(value: object, kind: pa.DataType) -> None:
    with pytest.raises(UsageError, match="is not a value of column `a`"):
        in_type(value, pa.field("a", kind))


def test_times_and_spans_can_be_asked_for(model: tabad.Model) -> None:
    made = model.generate(10, where=["at >= 12:00", "took < 0:30:00"])
    assert all(at >= dt.time(12) for at in made["at"].to_pylist())
    assert all(took < dt.timedelta(minutes=30) for took in made["took"].to_pylist())


def test_a_total_that_its_type_cannot_hold_is_drawn_again() -> None:
    draw = np.random.default_rng(0)
    net = np.round(draw.random(500) * 899, 2)
    tax = np.round(draw.random(500) * (999.99 - net), 2)
    money = {name: pa.array([Decimal(f"{x:.2f}") for x in values], pa.decimal128(5, 2))
             for name, values in (("net", net), ("tax", tax), ("total", net + tax))}  # fmt: skip
    made = fitted(pa.table(money), constraints="total = net + tax").generate(2_000)
    assert all(row["total"] == row["net"] + row["tax"] <= Decimal("999.99") for row in made.to_pylist())


def test_ids_beyond_their_type_are_refused_and_others_stay_in_order_without_copies() -> None:
    draw = np.random.default_rng(0)
    table = pa.table(
        {"row": pa.array(range(250), pa.uint8()), "k": draw.choice(["a", "b"], 250).tolist(), "q": draw.random(250)}
    )
    narrow = fitted(table)
    assert narrow.generate(255)["row"].to_pylist() == list(range(1, 256))
    with pytest.raises(UsageError, match="1,000 rows are asked for, and id column `row` is uint8, which numbers 255"):
        narrow.generate(1_000)
    coarse = table.set_column(2, "q", pa.array(draw.integers(0, 2_000, 250)))
    made = tabad.generate(fitted(coarse), 150, train=coarse, redraw_copies=True)
    assert made["row"].to_pylist() == list(range(1, 151))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_is_a_number_of_64_bits(model: tabad.Model, orders: pa.Table, seed: int) -> None:
    for call in (
        lambda: model.generate(1, seed=seed),
        lambda: model.impute(orders, seed=seed),
        lambda: model.anomalies(orders, 1, seed=seed),
        lambda: tabad.augment(orders, label="town", rare="town1", seed=seed),
    ):
        with pytest.raises(UsageError, match=f"`seed` is {seed}, outside 0 to 2\\^64 - 1"):
            call()


def test_labels_read_alike_whatever_type_holds_them() -> None:
    draw = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame({"x": draw.random(n), "y": np.where(np.arange(n) % 4 == 0, 1.0, 0.0)})
    frame.loc[5, "y"] = np.nan
    model = fitted(frame, label="y", normal=0)
    assert set(model.manifest["label"]["values"]) >= {"0", "1"}
    assert model.generate(3, label=1)["y"].to_pylist() == [1.0] * 3
    assert model.anomalies(frame, 5).num_rows == 5
    moments = pa.table({"x": draw.random(n), "y": pa.array([dt.datetime(2024, 1, 1 + i % 2) for i in range(n)])})
    assert fitted(moments, label="y", normal="2024-01-01T00:00:00").anomalies(moments, 5).num_rows == 5

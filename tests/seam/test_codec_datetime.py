"""Datetimes: Rust = oracle in any zone; dates come back exactly, instants on their grid to a millionth of the span."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import codec as oracle
from tests.oracle.fitted import Column, fit_column

INSTANTS = st.none() | st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2035, 1, 1))
FAR = [dt.datetime(1951, 1, 1), dt.datetime(2099, 12, 31, 23), None]
EPOCH = dt.datetime(1970, 1, 1)
PARTS = ("hour", "weekday", "month")


def micros(cells: list[dt.datetime | None]) -> list[int | None]:
    return [None if cell is None else (cell - EPOCH) // dt.timedelta(microseconds=1) for cell in cells]


def period(column: Column) -> int:
    days = 364 if column.codec["month"] else 7 if column.codec["weekday"] else 1
    return days * 86_400_000_000


def assert_agrees(column: Column, cells: list[dt.datetime | None], array: pa.Array, zone: str | None) -> None:
    low, high, _ = map(int, column.tensors["codec.0.range"])
    x, c = column.encode(array)
    expected = oracle.datetime(micros(cells), low, high, period(column), column.scale(), zone)
    np.testing.assert_allclose(x[:, 0], expected[0], rtol=2.4e-7, atol=1e-12)
    kept = [codes for codes, part in zip(expected[2:], PARTS, strict=True) if column.codec[part]]
    assert c.T.tolist() == [expected[1], *kept]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/St_Johns", "+05:30"])
@settings(max_examples=15, deadline=None)
@given(st.lists(INSTANTS, min_size=20, max_size=50).filter(lambda cells: any(cells)))
def test_position_and_parts_are_the_oracles(zone: str | None, cells: list[dt.datetime | None]) -> None:
    kind = pa.timestamp("us", zone)
    column = fit_column(pa.array(micros(cells), pa.int64()).cast(kind), "datetime")
    found = [value for value in micros(cells) if value is not None]
    low, high, _ = map(int, column.tensors["codec.0.range"])

    assert (low, high) == (min(found), max(found))
    mean, std = oracle.fit_scale([oracle.position(value, low, high, period(column)) for value in found])
    assert column.scale() == (pytest.approx(mean, rel=1e-9), pytest.approx(std, rel=1e-9))
    if zone != "+05:30":  # Not a name that zoneinfo knows; its parts are compared below.
        everything = [*cells, *FAR]
        assert_agrees(column, everything, pa.array(micros(everything), pa.int64()).cast(kind), zone)


def test_a_fixed_offset_is_added() -> None:
    cells = [dt.datetime(2026, 1, 1, hour % 24) + dt.timedelta(days=hour * 3) for hour in range(60)]
    shifted = [cell + dt.timedelta(hours=5, minutes=30) for cell in cells]
    zoned = fit_column(pa.array(cells, pa.timestamp("us", "+05:30")), "datetime")
    plain = fit_column(pa.array(shifted, pa.timestamp("us")), "datetime")

    _, c = zoned.encode(pa.array(cells, pa.timestamp("us", "+05:30")))

    assert c.tolist() == plain.encode(pa.array(shifted, pa.timestamp("us")))[1].tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.none() | st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)), min_size=20, max_size=50).filter(any))
def test_dates_come_back_exactly(cells: list[dt.date | None]) -> None:
    # 73,000 days of float32 positions: 0.01 days apart at worst.
    for kind in (pa.date32(), pa.date64()):
        array = pa.array(cells, kind)
        assert fit_column(array, "datetime").round_trip(array).equals(array)


@pytest.mark.parametrize("layout", ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d"])
def test_dates_written_as_text_come_back_exactly(layout: str) -> None:
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=17 * day) for day in range(60)]
    array = pa.array([*(day.strftime(layout) for day in days), None])

    assert fit_column(array, "datetime").round_trip(array).equals(array)


def test_a_text_that_is_no_date_is_no_number_and_comes_back_null() -> None:
    days = [str(dt.date(2020, 1, 1) + dt.timedelta(days=day)) for day in range(120)]
    column = fit_column(pa.array(days), "datetime")

    x, c = column.encode(pa.array(["2020-13-77", None]))

    assert x[:, 0].tolist() == [0.0, 0.0]
    assert c[:, 0].tolist() == [oracle.NAN, oracle.NULL]
    assert set(c[0, 1:].tolist()) == {oracle.OTHER}
    assert set(c[1, 1:].tolist()) == {oracle.MISSING}
    assert column.round_trip(pa.array(["2020-13-77", None])).to_pylist() == [None, None]


@pytest.mark.parametrize(("unit", "step"), [("s", 1), ("ms", 60_000), ("us", 1_000_000), ("ns", 1_000_000_000)])
def test_instants_come_back_on_their_grid_to_a_millionth_of_the_span(unit: str, step: int) -> None:
    ticks = np.random.default_rng(1).integers(0, 10_000_000, 200) * step
    array = pa.array(ticks, pa.timestamp(unit))

    back = fit_column(array, "datetime").round_trip(array)

    assert back.type == array.type
    found = back.cast(pa.int64()).to_numpy()
    assert (found % step == 0).all()
    assert (np.abs(found - ticks) <= 1e-6 * np.ptp(ticks) + step / 2).all()

"""What a reason expects: one value and its range, and of a misspelt text what it is misspelt from."""

import re

import numpy as np
import pyarrow as pa
import pytest

import tabad

CITIES = ("amsterdam", "berlin", "lisbon", "vienna", "zurich")
RENT = {"amsterdam": 21, "berlin": 13, "lisbon": 9, "vienna": 12, "zurich": 34}


def _flats(rows: int, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    city = draw.choice(CITIES, rows)
    size = draw.integers(20, 121, rows)
    rent = np.round([RENT[name] * one for name, one in zip(city, size, strict=True)] * draw.normal(1, 0.03, rows))
    return pa.table({"city": city, "size": size, "rent": rent, "day": draw.choice(["2", "3", "5"], rows)})


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return tabad.fit(_flats(4_000, 1), quality="fast", kinds={"day": "category"})


def _expected(model: tabad.Model, column: str, **cells: object) -> str:
    row = {"city": "berlin", "size": 60, "rent": 780.0, "day": "3"} | cells
    rows = pa.table({name: pa.array([value], _flats(1, 0).schema.field(name).type) for name, value in row.items()})
    [reasons] = model.score(rows, explain="all", reasons=4)["tabad_reasons"].to_pylist()
    return next(reason["expected"] for reason in reasons if reason["column"] == column)


def test_a_number_outside_its_range_is_told_what_is_expected_within_it(model: tabad.Model) -> None:
    found = re.fullmatch(r"about (\d+), (\d+) to (\d+)", _expected(model, "rent", rent=7_805.0))

    assert found is not None
    middle, low, high = map(float, found.groups())
    assert low < middle < high
    assert abs(middle / (13 * 60) - 1) < 0.1  # the neighbours are some square metres larger or smaller
    assert high / low < 1.5  # of all rents in the city it would be 6


@pytest.mark.parametrize(("seen", "times"), [(7_800.0, "a tenth"), (78.0, "ten times")])
def test_a_slip_of_the_decimal_point_is_told(model: tabad.Model, seen: float, times: str) -> None:
    assert re.fullmatch(rf"about 780 \({times}\), (\d+) to (\d+)", _expected(model, "rent", rent=seen))


def test_a_tenth_that_the_column_could_not_hold_is_no_slip(model: tabad.Model) -> None:
    # Rents are whole: 780.5 is none. A tenth of 20,000 is whole, and beyond what is expected.
    assert "tenth" not in _expected(model, "rent", rent=7_805.0)
    assert "tenth" not in _expected(model, "rent", rent=20_000.0)


def test_a_number_that_no_column_tells_of_is_expected_at_the_median() -> None:
    draw = np.random.default_rng(2)
    table = pa.table({"a": draw.normal(size=3_000), "b": np.exp(draw.normal(size=3_000))})
    model = tabad.fit(table, quality="fast")

    rows = pa.table({"a": [0.0], "b": [500.0]})
    [[reason, *_]] = model.score(rows, explain="all")["tabad_reasons"].to_pylist()
    middle = float(re.match(r"about ([\d.]+),", reason["expected"])[1])

    assert reason["column"] == "b"
    assert abs(middle - 1.0) < 0.35  # the median is 1, the middle of the range (0.2 to 5) 2.6


@pytest.mark.parametrize("slip", ["berlinn", "brlin", "berkin", "belrin"])
def test_a_misspelt_text_expects_what_it_is_misspelt_from(model: tabad.Model, slip: str) -> None:
    # Rent and size say lisbon; the letters say berlin.
    assert _expected(model, "city", city=slip, rent=540.0) == "berlin"


def test_a_text_like_none_expects_what_the_other_columns_say(model: tabad.Model) -> None:
    assert _expected(model, "city", city="paris", rent=540.0).startswith("lisbon")


def test_digits_have_no_spelling(model: tabad.Model) -> None:
    assert set(re.findall(r"\d", _expected(model, "day", day="23"))) == {"2", "3", "5"}


def test_a_value_where_there_is_mostly_none_expects_null() -> None:
    draw = np.random.default_rng(4)
    fine = [float(draw.integers(10, 90)) if draw.random() < 0.02 else None for _ in range(3_000)]
    model = tabad.fit(pa.table({"speed": draw.normal(50, 5, 3_000), "fine": fine}), quality="fast")

    [reasons] = model.score(pa.table({"speed": [50.0], "fine": [40.0]}), explain="all")["tabad_reasons"].to_pylist()

    assert [(r["seen"], r["expected"]) for r in reasons if r["column"] == "fine"] == [("40", "null")]

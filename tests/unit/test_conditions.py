"""Conditions: how a text is parted, and which rows obey."""

import datetime as dt

import pyarrow as pa
import pytest

from tabad.conditions import Condition, conditions, in_type, parse_conditions
from tabad.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("country=FR", ("country", "=", "FR")),
        ("income= <=50K", ("income", "=", " <=50K")),
        ("amount > 1000", ("amount", ">", "1000")),
        ("amount>=10.5", ("amount", ">=", "10.5")),
        ("amount <= -1", ("amount", "<=", "-1")),
        ("a < b = c", ("a", "<", "b = c")),
        ("note !=", ("note", "!=", "")),
        ("two words = x", ("two words", "=", "x")),
    ],
)
def test_the_first_operator_parts_column_and_value(text: str, expected: tuple[str, str, str]) -> None:
    assert parse_conditions([text]) == [Condition(*expected)]


@pytest.mark.parametrize("text", ["country", "=FR", "", ">3"])
def test_a_text_without_column_or_operator_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no condition") as refused:
        parse_conditions([text])
    assert refused.value.name == "condition"


def test_a_mapping_holds_and_texts_are_parsed() -> None:
    assert conditions({"a": 3}) == [Condition("a", "=", 3)]
    assert conditions("a > 3") == conditions(["a > 3"]) == [Condition("a", ">", "3")]
    assert conditions(None) == []


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("=", [False, True, False, False]),
        ("!=", [True, False, True, False]),
        ("<", [True, False, False, False]),
        ("<=", [True, True, False, False]),
        (">", [False, False, True, False]),
        (">=", [False, True, True, False]),
    ],
)
def test_a_null_obeys_nothing(operator: str, expected: list[bool]) -> None:
    column, value = pa.array([1, 2, 3, None]), pa.array([2])
    assert Condition("a", operator, 2).test(column, value).to_pylist() == expected


def test_a_naive_datetime_is_what_clocks_there_say_as_its_text_is() -> None:
    zurich = pa.field("t", pa.timestamp("us", "Europe/Zurich"))
    noon = dt.datetime(2023, 5, 5, 12)

    assert in_type(noon, zurich)[0].as_py() == in_type("2023-05-05 12:00:00", zurich)[0].as_py()
    assert in_type(noon, zurich)[0].as_py().astimezone(dt.UTC).hour == 10
    assert in_type(noon.replace(tzinfo=dt.UTC), zurich)[0].as_py().astimezone(dt.UTC).hour == 12
    assert in_type(noon, pa.field("t", pa.timestamp("us")))[0].as_py() == noon


def test_a_fraction_is_no_whole_number() -> None:
    for value in (1.5, float("nan"), "1.5"):
        with pytest.raises(UsageError, match=f"`{value}` is not a value of column `i8`, which is int8"):
            in_type(value, pa.field("i8", pa.int8()))
    assert in_type(2.0, pa.field("i8", pa.int8())).to_pylist() == [2]


def test_dictionaries_are_compared_by_value() -> None:
    column = pa.array(["x", "y", None]).dictionary_encode()
    value = pa.array(["y"]).dictionary_encode()
    assert Condition("a", "!=", "y").test(column, value).to_pylist() == [True, False, False]

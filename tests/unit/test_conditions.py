"""Conditions: how a text is parted, and which rows obey."""

import pyarrow as pa
import pytest

from tabad.conditions import Condition, conditions, parse_conditions
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


def test_dictionaries_are_compared_by_value() -> None:
    column = pa.array(["x", "y", None]).dictionary_encode()
    value = pa.array(["y"]).dictionary_encode()
    assert Condition("a", "!=", "y").test(column, value).to_pylist() == [True, False, False]

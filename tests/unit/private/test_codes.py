"""Every value has a code, by the public face of its column alone, and comes back in the column's type."""

import datetime

import pyarrow as pa
import pytest

from tabad.errors import InputError, UsageError
from tabad.private.bounds import Column, declared, read_bounds
from tabad.private.codes import to_array, to_codes


def column(type_: pa.DataType, facts: dict[str, object]) -> Column:
    return declared(pa.schema([("c", type_)]), {"c": facts}, ())[0]


NUMBER = {"kind": "number", "lower": 0, "upper": 10, "nullable": True}


@pytest.mark.parametrize(
    ("type_", "facts", "values", "codes", "back"),
    [
        (pa.int64(), NUMBER, [3, -5, 99, None], [3, 0, 10, -1], [3, 0, 10, None]),
        (pa.float64(), {**NUMBER, "decimals": 1}, [0.24, float("nan"), 1e300], [2, -1, 100], [0.2, None, 10.0]),
        (pa.float32(), {**NUMBER, "decimals": 1}, [float("inf"), float("-inf")], [100, 0], [10.0, 0.0]),
        (pa.string(), {"kind": "category", "values": ["b", "a"], "nullable": True}, ["a", "z", None], [1, -1, -1],
         ["a", None, None]),
        (pa.string(), {"kind": "category", "values": ["b", "a"]}, ["a", "z", None], [1, 0, 0], ["a", "b", "b"]),
        (pa.int8(), {"kind": "category", "values": [0, 1]}, [1, 0], [1, 0], [1, 0]),
        (pa.bool_(), {"kind": "boolean"}, [True, False], [1, 0], [True, False]),
        (pa.date32(), {"kind": "datetime", "lower": "2024-01-01", "upper": "2024-12-31"},
         [datetime.date(2024, 1, 3), datetime.date(1999, 1, 1)], [2, 0],
         [datetime.date(2024, 1, 3), datetime.date(2024, 1, 1)]),
    ],
)  # fmt: skip
def test_codes_and_back(
    type_: pa.DataType, facts: dict[str, object], values: list[object], codes: list[int], back: list[object]
) -> None:
    one = column(type_, facts)
    found = to_codes(one, pa.chunked_array([pa.array(values, type_)]))

    assert found.tolist() == codes
    made = to_array(one, found)
    assert made.type == type_
    assert made.to_pylist() == pytest.approx(back) if type_ == pa.float32() else made.to_pylist() == back


def test_zoned_times_are_the_same_moment() -> None:
    zoned = pa.timestamp("us", "Europe/Paris")
    one = column(zoned, {"kind": "datetime", "lower": "2024-01-01", "upper": "2024-12-31"})
    moment = pa.array([datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)], zoned)

    assert to_array(one, to_codes(one, moment)) == moment


def test_dictionaries_come_back_as_such() -> None:
    type_ = pa.dictionary(pa.int32(), pa.string())
    one = column(type_, {"kind": "category", "values": ["a", "b"]})
    values = pa.array(["b", "a"], pa.string()).dictionary_encode()

    assert to_array(one, to_codes(one, values)).cast(pa.string()).to_pylist() == ["b", "a"]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"kind": "text"}, "kind 'text' is none of"),
        ({"kind": "category", "values": ["a"]}, "does not go with type double"),
        ({"kind": "number", "lower": 1}, "upper None is not a number"),
        ({"kind": "number", "lower": 1, "upper": 1}, "lower is not below upper"),
        ({"kind": "number", "lower": 1, "upper": 2, "mean": 3}, "a number has no mean"),
        ({"kind": "number", "lower": 1, "upper": 2, "decimals": 0.5}, "decimals 0.5 is not a whole number"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(facts: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match="column `c`") as error:
        column(pa.float64(), facts)

    assert message in str(error.value)


def test_a_file_that_is_no_bounds_file_is_refused(tmp_path: object) -> None:
    for place, content in enumerate(["[1", "[]", '{"columns": {"a": 1}}']):
        path = f"{tmp_path}/{place}.json"
        with open(path, "w") as file:
            file.write(content)
        with pytest.raises(UsageError, match=rf"{place}.json"):
            read_bounds(path)


def test_bounds_of_a_column_that_is_not_there_and_types_that_are_not_modelled_are_refused() -> None:
    with pytest.raises(UsageError, match="`z`, which the table does not have"):
        declared(pa.schema([("c", pa.int64())]), {"z": NUMBER}, ())
    with pytest.raises(InputError, match="column `c` is binary"):
        declared(pa.schema([("c", pa.binary())]), {}, ())
    assert [c.kind for c in declared(pa.schema([("c", pa.int64()), ("d", pa.string())]), {}, ("c",))] == ["category"]

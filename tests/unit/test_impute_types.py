"""Tables that are filled and differ from the fitted one: absent, empty, narrower and other columns, ordered words."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.unit.test_generate_conditions import fitted

import tabad
from tabad.errors import InputError, UsageError
from tabad.tables.cells import as_type, replaced


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    n = 400
    return pa.table(
        {
            "city": draw.choice(["Oslo", "Rome"], n).tolist(),
            "net": draw.uniform(1, 200, n),
            "took": pa.array([dt.timedelta(seconds=int(s)) for s in draw.integers(0, 7_200, n)], pa.duration("ms")),
            "at": pa.array([dt.time(int(h)) for h in draw.integers(0, 24, n)], pa.time64("us")),
        }
    )


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    return fitted(table)


def holed(table: pa.Table, name: str) -> pa.Table:
    """Without the value of every third row."""
    mask = pa.array([row % 3 > 0 for row in range(len(table))])
    column = pa.chunked_array([pa.array(table[name].to_pylist(), table[name].type, mask=~np.asarray(mask))])
    return table.set_column(table.schema.get_field_index(name), name, column)


@pytest.mark.parametrize("name", ["city", "net", "took", "at"])
def test_every_type_is_filled_in_its_type(model: tabad.Model, table: pa.Table, name: str) -> None:
    filled = model.impute(holed(table, name))
    assert filled.schema == table.schema
    assert filled[name].null_count == 0
    kept = [row for row in range(len(table)) if row % 3]
    assert filled.take(pa.array(kept)).equals(table.take(pa.array(kept)))


def test_columns_that_are_not_there_stay_away(model: tabad.Model, table: pa.Table) -> None:
    with pytest.warns(tabad.TabadWarning, match="^`city` of the model is not in the table$"):
        filled = model.impute(holed(table, "net").drop(["city"]))
    assert filled.schema.names == ["net", "took", "at"]
    assert filled["net"].null_count == 0
    with pytest.raises(UsageError, match="cannot fill `city`: no column of the table"):
        model.impute(table.drop(["city"]), columns="city")
    with pytest.raises(UsageError, match="the table has none of the model's columns"):
        model.impute(table.rename_columns([name.upper() for name in table.schema.names]))


def test_an_empty_column_gets_the_type_of_the_fit(model: tabad.Model, table: pa.Table) -> None:
    empty = table.set_column(0, "city", pa.nulls(len(table)))
    assert model.impute(empty)["city"].type == pa.string()
    assert model.impute(empty)["city"].null_count == 0
    frame = model.impute(pl.from_arrow(empty))
    assert frame.schema["city"] == pl.String
    assert frame["city"].null_count() == 0
    assert set(model.impute(table.to_pandas().assign(city=None))["city"]) == {"Oslo", "Rome"}


def test_whole_numbers_take_the_nearest_whole_number(model: tabad.Model, table: pa.Table) -> None:
    whole = holed(table.set_column(1, "net", table["net"].cast(pa.int16(), safe=False)), "net")
    filled = model.impute(whole)
    assert filled["net"].type == pa.int16()
    assert filled["net"].null_count == 0
    narrow = pa.array([1 if row % 3 else None for row in range(len(table))], pa.int8())
    with pytest.raises(InputError, match="column `net` is int8 and cannot hold what the model fills it with"):
        model.impute(table.set_column(1, "net", narrow))


def test_pandas_labels_that_are_no_text_stand(table: pa.Table) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.random((300, 3)))
    frame.iloc[::3, 1] = np.nan
    filled = fitted(frame).impute(frame)
    assert list(filled.columns) == [0, 1, 2]
    assert not filled.isna().any().any()


def like(frame: pd.DataFrame, rows: pa.Table) -> Any:
    return tabad.tables.open_table(frame).like(rows)


def test_pandas_columns_that_get_nulls_become_nullable() -> None:
    frame = pd.DataFrame({"n": np.array([1, 2], "int8"), "b": [True, False], "f": [1.0, 2.0]})
    rows = pa.table({"n": pa.array([1, None], pa.int8()), "b": pa.array([None, True]), "f": [None, 0.5], "new": [1, 2]})
    made = like(frame, rows)
    assert list(map(str, made.dtypes)) == ["Int8", "boolean", "float64", "int64"]
    assert made["n"].tolist() == [1, pd.NA]
    assert made["b"].tolist() == [pd.NA, True]


def chunked(values: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([values])


def test_a_dictionary_keeps_its_order_and_new_values_follow() -> None:
    sizes = pa.DictionaryArray.from_arrays(pa.array([0, None, 2, None], pa.int8()), ["S", "M", "L"], ordered=True)
    mask = chunked(pa.array([False, True, False, True]))
    found = replaced(chunked(sizes), mask, chunked(pa.array(["M", "XL"]))).chunk(0)
    assert found.type == sizes.type
    assert found.to_pylist() == ["S", "M", "L", "XL"]
    assert found.dictionary.to_pylist() == ["S", "M", "L", "XL"]
    assert as_type(chunked(pa.array(["L", None])), chunked(sizes)).chunk(0).indices.to_pylist() == [2, None]


def test_pandas_labels_of_several_levels_stand() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.random((300, 2)), columns=pd.MultiIndex.from_tuples([("x", 1), ("x", 2)]))
    frame.iloc[::3, 1] = np.nan
    filled = fitted(frame).impute(frame)
    assert list(filled.columns) == [("x", 1), ("x", 2)]
    assert not filled.isna().any().any()


def test_rules_do_not_stand_in_the_way_of_other_types() -> None:
    draw = np.random.default_rng(0)
    low = draw.integers(0, 100, 600)
    table = pa.table({"low": low, "high": low + 5, "k": pa.array(draw.integers(0, 3, 600)).dictionary_encode()})
    model = fitted(table, constraints="low <= high")
    other = table.set_column(2, "k", table["k"].cast(pa.int64()))
    other = other.set_column(1, "high", table["high"].cast(pa.decimal128(20, 0)).cast(pa.decimal128(8, 2)))
    filled = model.impute(holed(holed(other, "k"), "high"))
    assert filled.schema == other.schema
    assert filled["k"].null_count == filled["high"].null_count == 0

"""Missing cells are filled from their row and in their type; present cells, order and schema stay; seeds, refusals."""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabad
from tabad.diffusion import impute, presets
from tabad.errors import TabadWarning, UsageError

MODELLED = ["city", "amount", "day", "weight"]


def rows(n: int, seed: int) -> pa.Table:
    """Oslo's amounts are near 80 and its weights near 10, Rome's near 20 and 50; `none` never has a value."""
    draw = np.random.default_rng(seed)
    oslo = draw.random(n) < 0.5
    amount = np.where(oslo, 80, 20) + draw.normal(0, 5, n)
    weight = np.where(oslo, 10.0, 50.0) + draw.normal(0, 2, n)
    return pa.table(
        {
            "row": pa.array(range(n)),
            "city": pa.array(np.where(oslo, "Oslo", "Rome").tolist()).dictionary_encode(),
            "amount": pa.array([Decimal(f"{x:.2f}") for x in amount], pa.decimal128(8, 2)),
            "day": pa.array([dt.date(2024, 1, 1) + dt.timedelta(days=int(d)) for d in draw.integers(0, 90, n)]),
            "weight": pa.array(weight),
            "none": pa.array([None] * n, pa.float64()),
        }
    )


def holes(table: pa.Table, share: float, seed: int) -> pa.Table:
    """The table with this share of the cells of every modelled column taken out, in `weight` half of them as NaN."""
    draw = np.random.default_rng(seed)
    columns = {}
    for name in table.schema.names:
        values = table[name].to_pylist()
        if name in MODELLED:
            gone, nan = draw.random(len(values)) < share, draw.random(len(values)) < 0.5
            nothing = [math.nan if name == "weight" and as_nan else None for as_nan in nan]
            values = [no if out else value for value, out, no in zip(values, gone, nothing, strict=True)]
        columns[name] = pa.array(values, table.schema.field(name).type, from_pandas=False)
    return pa.table(columns)


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(64, 2, 256, 800, 1e9, matched=4_096))
        return tabad.fit(holes(rows(1_000, 0), 0.05, 1))


@pytest.fixture(scope="module")
def whole() -> pa.Table:
    return rows(600, 2)


@pytest.fixture(scope="module")
def torn(whole: pa.Table) -> pa.Table:
    return holes(whole, 0.3, 3)


def fill(model: tabad.Model, table: object, **options: object) -> object:
    with pytest.warns(TabadWarning, match="`none` had no value in any training row, and cannot be filled"):
        return model.impute(table, **options)  # type: ignore[arg-type]


def test_cells_are_filled_from_their_row_and_nothing_else_changes(
    model: tabad.Model, whole: pa.Table, torn: pa.Table
) -> None:
    filled = fill(model, torn)
    assert isinstance(filled, pa.Table)
    assert filled.schema == torn.schema
    filled.validate(full=True)
    right = dict.fromkeys(MODELLED, 0)
    for name in MODELLED:
        assert filled[name].null_count == 0
        for was, now, truth in zip(*(t[name].to_pylist() for t in (torn, filled, whole)), strict=True):
            if was is None or was != was:
                assert now == now
                near = {"city": 0, "day": dt.timedelta(90), "amount": 25, "weight": 15}[name]
                right[name] += now == truth if name == "city" else abs(now - truth) < near
            else:
                assert now == was
    gone = {name: sum(value is None or value != value for value in torn[name].to_pylist()) for name in MODELLED}
    # A cell is blind in 3 % of the rows (both other tellers of the city missing: 0.3 squared is 9 %, half of them
    # right by chance): a coin would be right in half.
    for name in ("city", "amount", "weight"):
        assert right[name] > 0.8 * gone[name]
    assert right["day"] == gone["day"]
    assert filled["none"].null_count == 600
    assert filled["row"] == torn["row"]


def test_a_seed_fills_alike_whatever_the_batches(
    model: tabad.Model, torn: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impute, "PART", 256)
    filled = fill(model, torn, seed=5)
    pieces = pa.Table.from_batches(torn.to_batches(max_chunksize=37))
    assert fill(model, pieces, seed=5) == filled
    path = fill(model, pieces.to_reader(max_chunksize=100), seed=5, output=tmp_path / "filled.parquet")
    assert pq.read_table(path).to_pydict() == filled.to_pydict()
    assert fill(model, torn, seed=6) != filled


def test_named_columns_alone_are_filled(model: tabad.Model, torn: pa.Table) -> None:
    filled = model.impute(torn, columns="amount")
    assert filled["amount"].null_count == 0
    assert filled.drop(["amount", "weight"]) == torn.drop(["amount", "weight"])
    np.testing.assert_array_equal(filled["weight"].to_numpy(), torn["weight"].to_numpy())


def test_a_table_without_holes_comes_back_as_it_was(model: tabad.Model, whole: pa.Table) -> None:
    assert fill(model, whole) == whole


def test_frames_come_back_as_frames(model: tabad.Model, torn: pa.Table) -> None:
    frame = pl.from_arrow(torn)
    assert isinstance(frame, pl.DataFrame)
    filled = fill(model, frame)
    assert isinstance(filled, pl.DataFrame)
    assert filled.schema == frame.schema
    assert filled.select(MODELLED).null_count().row(0) == (0, 0, 0, 0)
    lazy = fill(model, frame.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(filled)
    panda = torn.to_pandas()
    panda.index = panda.index + 7
    done = fill(model, panda)
    assert isinstance(done, pd.DataFrame)
    assert list(done.dtypes) == list(panda.dtypes)
    assert (done.index == panda.index).all()
    assert int(done[MODELLED].isna().sum().sum()) == 0


@pytest.mark.parametrize(
    ("column", "says"),
    [("town", "`town` (no column of the model)"), ("row", "`row` (id)")],
)
def test_a_column_that_is_not_modelled_is_refused(model: tabad.Model, torn: pa.Table, column: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        model.impute(torn, columns=[column])
    assert refused.value.name == "impute-column"
    assert says in str(refused.value)

"""Private fits of columns of every type: what cannot be told, what has no room, what rows obey, what is refused."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tabad
from tabad.cli.render_private import private_lines
from tabad.errors import TabadWarning, UsageError


def private(**options: Any) -> tabad.PrivateOptions:
    return tabad.PrivateOptions(epsilon=3.0, noise_seed=0, **options)


def generated(data: Any, n: int = 500, **options: Any) -> pa.Table:
    return tabad.fit(data, quality="fast", private=private(), **options).generate(n)


def plain(rows: int = 2_000) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    return {"a": draw.random(rows), "b": draw.integers(0, 50, rows), "c": draw.choice(["x", "y", "z"], rows).tolist()}


def test_a_column_that_gives_nothing_away_is_generated_as_null(tmp_path: Path) -> None:
    table = pa.table({**plain(), "name": [f"N{row}" for row in range(2_000)], "none": pa.nulls(2_000, pa.string())})
    with pytest.warns(TabadWarning, match="no value of `name`, `none` is common enough to be told from noise"):
        model = tabad.fit(table, quality="fast", private=private())
    model.save(tmp_path / "p.tabad")
    made = tabad.Model.load(tmp_path / "p.tabad").generate(200)
    assert made["name"].null_count == made["none"].null_count == 200
    assert set(made["c"].to_pylist()) <= {"x", "y", "z", None}


def test_values_that_are_lost_and_bounds_that_were_found_are_said() -> None:
    draw = np.random.default_rng(0)
    many = draw.choice([f"v{n}" for n in range(400)] + ["often"] * 200, 2_000).tolist()
    table = pa.table({**plain(), "many": many, "seldom": np.where(draw.random(2_000) < 0.9, 0, 5_000)})
    with pytest.warns(TabadWarning, match=r"`many` \(1 values found, 6\d% of the cells missing\)\. Name the values in"):
        model = tabad.fit(table, quality="fast", private=private())
    ranges = {text.split(" ")[0]: text for text in model.manifest["private"]["ranges_found"]}
    assert set(ranges) == {"a", "b", "seldom"}
    assert ranges["b"].endswith(" to 64")  # bounds that are found are powers of two
    assert any("bounds found (what is beyond is moved to them): a " in line for line in private_lines(model.manifest))


def test_frames_of_polars_and_pandas_come_back_in_their_types() -> None:
    frame = pl.DataFrame(plain())
    assert set(generated(frame)["c"].to_pylist()) <= {"x", "y", "z", None}
    whole = pd.DataFrame(
        {**plain(), "k": pd.Categorical(np.arange(2_000) % 3), "t": pd.Categorical(np.arange(2_000) % 2 == 0)}
    )
    made = generated(whole)
    assert made.schema.field("k").type == pa.int64()
    assert set(made["k"].to_pylist()) <= {0, 1, 2, 3, 4, None}  # bounds that are found are powers of two
    assert set(made["t"].to_pylist()) <= {True, False, None}


def test_bounds_that_are_found_stay_within_what_a_type_holds() -> None:
    draw = np.random.default_rng(0)
    money = [Decimal(f"{x:.2f}") for x in draw.uniform(513, 999.99, 2_000)]
    late = [dt.datetime(2260, 1, 1) if row % 4 == 0 else dt.datetime(2024, 1, 1 + row % 28) for row in range(2_000)]
    noon = pa.array([86_400_000 * (row % 900) + 43_200_000 for row in range(2_000)], pa.int64()).cast(
        pa.timestamp("ms")
    )
    table = pa.table(
        {
            "money": pa.array(money, pa.decimal128(5, 2)),
            "late": pa.array(late, pa.timestamp("us")).cast(pa.timestamp("ns")),
            "noon": pa.Array.from_buffers(pa.date64(), 2_000, noon.buffers()),
        }
    )
    made = generated(table)
    assert made.schema.types == table.schema.types
    assert pc.max(made["money"]).as_py() <= Decimal("999.99")
    assert made["money"].null_count <= 5


@pytest.mark.parametrize(
    "label",
    [
        pa.array(
            [dt.datetime(2024, 1, 1 + row % 2, tzinfo=dt.UTC) for row in range(2_000)],
            pa.timestamp("us", "Europe/Berlin"),
        ),
        pa.array([Decimal("1.50") if row % 2 else Decimal("2.00") for row in range(2_000)], pa.decimal128(5, 2)),
        pa.array(["r" if row % 2 else "s" for row in range(2_000)]).dictionary_encode(),
    ],
    ids=["zoned time", "decimal", "dictionary"],
)
def test_a_label_comes_back_in_its_type(label: pa.Array) -> None:
    assert generated(pa.table({**plain(), "y": label}), label="y")["y"].type == label.type


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_text_of_a_dictionary_that_is_no_utf8_is_missing(kind: pa.DataType) -> None:
    raw = pa.array([b"x", b"\xff\xfe", b"y"], pa.large_binary() if kind == pa.large_string() else pa.binary())
    texts = pa.Array.from_buffers(kind, 3, raw.buffers())
    table = pa.table(
        {**plain(), "d": pa.DictionaryArray.from_arrays(pa.array(np.arange(2_000) % 3), texts, safe=False)}
    )
    with pytest.warns(TabadWarning, match=r"generated as missing, as what is missing: `d` \(2 values found, 3\d% of"):
        made = generated(table)
    assert made.schema.field("d").type == table.schema.field("d").type
    assert set(made["d"].to_pylist()) == {"x", "y", None}
    assert made["d"].null_count == pytest.approx(500 / 3, abs=60)  # six standard deviations of a third of 500 rows


def test_a_zoned_time_is_compared_with_what_clocks_there_say() -> None:
    berlin = pa.array(np.arange(2_000) * 3_600, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    model = tabad.fit(
        pa.table({**plain(), "t": pc.assume_timezone(berlin, "Europe/Berlin")}), quality="fast", private=private()
    )
    for text in ("t >= 1970-02-01 12:00", "t >= 1970-02-01 12:00+01:00", "t >= 1970-02-01 11:00Z"):
        made = pc.min(model.generate(2_000, where=text)["t"]).as_py()
        assert dt.datetime(1970, 2, 1, 11, tzinfo=dt.UTC) <= made <= dt.datetime(1970, 2, 2, 11, tzinfo=dt.UTC), text


def test_a_value_that_no_row_has_is_refused_with_those_that_rows_have(tmp_path: Path) -> None:
    model = tabad.fit(pa.table(plain()), quality="fast", private=private())
    with pytest.raises(UsageError, match="no row of the model has `w` in `c`") as refused:
        model.generate(3, where="c=w")
    assert refused.value.hint == "its values are `x`, `y`, `z`"
    assert set(model.generate(50, where="c!=w")["c"].to_pylist()) <= {"x", "y", "z"}
    bounds = {"columns": {"c": {"kind": "category", "values": ["x", "y", "z"], "nullable": False}}}
    (tmp_path / "bounds.json").write_text(json.dumps(bounds))
    told = tabad.fit(pa.table(plain()), quality="fast", private=private(bounds=str(tmp_path / "bounds.json")))
    with pytest.raises(UsageError, match="no row of the model has `w` in `c`"):
        told.generate(3, where="c=w")


def test_rows_obey_what_is_asked_for() -> None:
    draw = np.random.default_rng(0)
    low = draw.integers(0, 100, 3_000)
    table = pa.table({"low": low, "high": low + draw.integers(0, 50, 3_000)})
    model = tabad.fit(table, quality="fast", private=private())

    def wrong(made: pa.Table) -> int:
        return int(pc.sum(pc.greater(made["low"], made["high"])).as_py() or 0)

    assert wrong(model.generate(1_000, constraints=None)) > 0
    assert wrong(model.generate(1_000, constraints="low <= high")) == 0
    assert model.generate(1_000, constraints="low <= high").num_rows == 1_000
    with pytest.raises(UsageError, match="`nope` is no column of the model"):
        model.generate(1, constraints="low <= nope")
    with pytest.raises(UsageError, match="`device` is 'quantum'"):
        model.generate(1, device="quantum")
    with pytest.raises(UsageError, match="`seed` is -1"):
        model.generate(1, seed=-1)


@pytest.mark.parametrize(("key", "value"), [("decimals", -3), ("lower", 10**400), ("upper", float("inf"))])
def test_bounds_that_say_nothing_are_refused(tmp_path: Path, key: str, value: float) -> None:
    facts = {"kind": "number", "lower": 0, "upper": 1, key: value}
    (tmp_path / "b.json").write_text(json.dumps({"columns": {"a": facts}}))
    with pytest.raises(UsageError, match="the bounds of column `a` are wrong"):
        tabad.fit(pa.table(plain()), quality="fast", private=private(bounds=str(tmp_path / "b.json")))

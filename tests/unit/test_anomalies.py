"""Counterfactual anomalies: moved cells are legal, odd beside the others, and the truth is told."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabad
from tabad.diffusion import presets
from tabad.errors import InputError, UsageError

N = 300


def rows(n: int, seed: int) -> pa.Table:
    """The city says the amount (Oslo near 80, Rome near 20), `level` is the city's too; `coin` is on its own."""
    draw = np.random.default_rng(seed)
    oslo = draw.random(n) < 0.5
    amount = np.where(oslo, 80.0, 20.0) + draw.normal(0, 5, n).round(1)
    return pa.table(
        {
            "row": pa.array(range(n)),
            "city": pa.array(np.where(oslo, "Oslo", "Rome").tolist()).dictionary_encode(),
            "amount": pa.array(amount),
            "level": pa.array(np.where(oslo, 3, 1) + draw.integers(0, 2, n)),
            "coin": pa.array((draw.random(n) < 0.5).tolist()),
        }
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return rows(1_000, 0)


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(48, 2, 128, 500, 1e9, matched=4_096))
        return tabad.fit(table)


def test_moved_cells_are_legal_and_break_what_hangs_together(model: tabad.Model, table: pa.Table) -> None:
    made = model.anomalies(table, N, columns=1, seed=1)
    assert made.schema.names == [*table.schema.names, "tabad_changed", "tabad_original"]
    assert made.drop(["tabad_changed", "tabad_original"]).schema == table.schema
    by_row = {row["row"]: row for row in table.to_pylist()}
    broken = 0
    for row in made.to_pylist():
        changed, original = row.pop("tabad_changed"), json.loads(row.pop("tabad_original"))
        assert len(changed) == 1
        assert list(original) == changed
        assert row | original == by_row[row["row"]]
        assert row[changed[0]] != original[changed[0]]
        fits = [row["city"] == "Oslo", row["amount"] > 50, row["level"] > 2]
        broken += len(set(fits)) > 1
    for name in ("city", "amount", "level", "coin"):
        assert set(made[name].to_pylist()) <= set(table[name].to_pylist())
    # A column that is alone (coin, a quarter of the choices at most) cannot be odd; of the others nearly all break.
    assert broken > 0.75 * N


def test_named_columns_are_moved_in_every_row_and_the_seed_decides(model: tabad.Model, table: pa.Table) -> None:
    made = model.anomalies(table, 40, columns=["amount", "city"], seed=2)
    assert {tuple(sorted(names)) for names in made["tabad_changed"].to_pylist()} == {("amount", "city")}
    assert made == model.anomalies(table.to_reader(max_chunksize=70), 40, columns=["amount", "city"], seed=2)
    assert made != model.anomalies(table, 40, columns=["amount", "city"], seed=3)


def test_the_rows_are_of_the_normal_class_and_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
    table = rows(400, 3)
    labelled = table.append_column("kind", pa.array(["bad" if row % 9 == 0 else "good" for row in range(400)]))
    model = tabad.fit(labelled, label="kind", normal="good")
    path = model.anomalies(labelled, 50, prefix="x_", output=tmp_path / "made.parquet")
    made = pq.read_table(path)
    assert set(made["kind"].to_pylist()) == {"good"}
    assert made.schema.names[-2:] == ["x_changed", "x_original"]


def test_a_column_of_one_value_cannot_be_moved() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 40, 1e9))
        table = rows(600, 0).append_column("year", pa.array([2013] * 600))
        model = tabad.fit(table)

    with pytest.raises(InputError, match="1 columns were to be moved, and 0 have several legal values"):
        model.anomalies(table, 3, columns="year")
    assert all("year" not in changed for changed in model.anomalies(table, 30, columns=4)["tabad_changed"].to_pylist())
    with pytest.raises(InputError, match="5 columns were to be moved, and 4 have several legal values"):
        model.anomalies(table, 3, columns=5)


def test_rows_that_could_not_be_moved_are_said(model: tabad.Model, table: pa.Table) -> None:
    lone = table.set_column(1, "city", pa.array(["Oslo"] * 999 + ["Rome"]).dictionary_encode())

    with pytest.warns(tabad.TabadWarning, match=r"of 200 rows have fewer than 1 moved cells"):
        made = model.anomalies(lone, 200, columns="city")
    assert sum(changed == [] for changed in made["tabad_changed"].to_pylist()) > 100


@pytest.mark.parametrize(
    ("options", "error", "name", "says"),
    [
        ({"columns": ["row"]}, UsageError, "anomaly-column", "cannot move `row` (id): only numbers"),
        ({"columns": "town"}, UsageError, "anomaly-column", "`town` (no column of the model)"),
        ({"columns": 9}, InputError, "anomaly-columns", "9 columns were to be moved, and 4 have several legal values"),
        ({"columns": 0}, UsageError, "option-range", "`columns` is 0"),
    ],
)
def test_what_cannot_be_moved_is_refused(
    model: tabad.Model, table: pa.Table, options: dict[str, object], error: type[Exception], name: str, says: str
) -> None:
    with pytest.raises(error) as refused:
        model.anomalies(table, 3, **options)  # type: ignore[arg-type]
    assert refused.value.name == name  # type: ignore[attr-defined]
    assert says in str(refused.value)


def test_a_table_of_no_rows_is_refused(model: tabad.Model, table: pa.Table) -> None:
    with pytest.raises(InputError) as refused:
        model.anomalies(table.slice(0, 0), 3)
    assert refused.value.name == "anomalies-without-rows"

"""Values that many rows share, through the front doors: generated, held, filled, moved, as those very values."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tabad
from tabad.config import FitOptions
from tabad.diffusion import presets
from tabad.fitting import fit_table
from tabad.tables import open_table

FEES = (0.0, 2.5, 2.75, 9.99)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    which = draw.choice(4, 2_000, p=[0.4, 0.2, 0.2, 0.2])
    other = draw.random(2_000) < 0.1
    fee = np.where(other, np.round(draw.gamma(2.0, 2.0, 2_000) + 0.01, 2), np.asarray(FEES)[which])
    paid = np.where(other, draw.random(2_000) < 0.5, which % 2 == 1)
    size = draw.normal(10.0, 2.0, 2_000)
    return pa.table({"fee": fee, "paid": pa.array(np.where(paid, "yes", "no").tolist()), "size": size})


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(64, 2, 256, 800, 1e9, atoms=8, matched=4_096))
        return tabad.fit(table, all_rows=True)


def right(made: pa.Table) -> float:
    """The share of rows of those fees whose `paid` is what it was with that fee."""
    fee, paid = made["fee"].to_numpy(), np.asarray(made["paid"].to_pylist()) == "yes"
    is_fee = np.isin(fee, FEES)
    return float((np.isin(fee, FEES[1::2]) == paid)[is_fee].mean())


def test_shared_values_come_as_often_and_what_hangs_on_them_with_them(model: tabad.Model) -> None:
    made = model.generate(4_000, seed=1)
    share = [float(np.mean(made["fee"].to_numpy() == fee)) for fee in FEES]
    # Of 2,000 rows, and as many are drawn: five deviations of either, and what shares are matched to.
    assert share == pytest.approx([0.36, 0.18, 0.18, 0.18], abs=0.05)
    assert right(made) > 0.9


def test_a_shared_value_that_is_held_stands_and_the_others_follow(model: tabad.Model) -> None:
    made = model.generate(400, seed=1, where={"fee": 2.5})
    assert made["fee"].to_pylist() == [2.5] * 400
    assert np.mean(np.asarray(made["paid"].to_pylist()) == "yes") > 0.9


def test_missing_cells_are_filled_with_shared_values(model: tabad.Model, table: pa.Table) -> None:
    first = table.slice(0, 500)
    holes = first.set_column(0, "fee", pa.nulls(500, pa.float64()))
    filled = model.impute(holes, seed=1)
    assert filled.drop(["fee"]).equals(first.drop(["fee"]))
    assert np.mean(np.isin(filled["fee"].to_numpy(), FEES)) == pytest.approx(0.9, abs=0.07)
    assert right(filled) > 0.85


def test_cells_are_moved_and_rows_scored_as_before(model: tabad.Model, table: pa.Table, tmp_path: Path) -> None:
    made = model.anomalies(table, 50, columns=["paid"])
    before = []
    for row in made.to_pylist():
        assert row["tabad_changed"] == ["paid"]
        paid = json.loads(row["tabad_original"])["paid"]
        assert {paid, row["paid"]} == {"no", "yes"}
        before.append(paid)
    # The rows were right, whose fee is one that tells; with the cell moved they are not.
    truth = made.set_column(made.schema.get_field_index("paid"), "paid", pa.array(before))
    assert (right(truth), right(made)) == (1.0, 0.0)
    model.save(tmp_path / "m.tabad")
    again = tabad.Model.load(tmp_path / "m.tabad")
    assert again.generate(50, seed=2).equals(model.generate(50, seed=2))
    assert again.score(table)["tabad_score"].equals(model.score(table)["tabad_score"])


def test_a_screened_table_is_fitted_without_and_a_model_that_generates_with(
    table: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def preset(quality: str, rows: int, *, generates: bool) -> presets.Preset:
        asked.append((quality, rows, generates))
        return presets.Preset(16, 1, 64, 5, 1e9)

    monkeypatch.setattr(presets, "preset", preset)
    tabad.score(table, quality="default")
    tabad.fit(table, all_rows=True)
    fit_table(open_table(table), FitOptions(quality="default"))
    assert [(quality, generates) for quality, _, generates in asked] == [
        ("default", False), ("default", True), ("default", False),
    ]  # fmt: skip


def test_atoms_by_quality_and_size_of_the_table() -> None:
    def atoms(quality: str, rows: int, *, generates: bool) -> int:
        return presets.preset(quality, rows, generates=generates).atoms

    assert [atoms("default", rows, generates=True) for rows in (2_999, 3_000, 20_000)] == [0, 32, 32]
    assert [atoms("default", rows, generates=False) for rows in (2_999, 3_000, 20_000)] == [0, 0, 0]
    assert [atoms("best", rows, generates=False) for rows in (2_999, 3_000)] == [0, 64]
    assert atoms("brief", 5_000, generates=True) == 0
    # Names bring generated rows nearer to those of the table, dropout takes that back.
    assert [presets.preset("default", 20_000, generates=told).dropout for told in (False, True)] == [0.0, 0.05]


def test_a_model_file_says_which_numbers_have_atoms(model: tabad.Model) -> None:
    config = json.loads(model.core.network()[0])  # type: ignore[index]
    assert (config["atoms"], config["atom_sizes"]) == ([0], [5])
    assert {one["column"]: one["shared"] for one in model.inspect()["holds"]["columns"]} == {
        "fee": 4, "paid": 0, "size": 0,
    }  # fmt: skip

"""Rows of one unit (a customer) are held out together or not at all, and one row of each calibrates."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.conftest import RunTabad

import tabad


def customers(units: int, rows: int, seed: int, first: int = 0) -> pa.Table:
    """Rows of units, in random order: those of one unit are nearly alike."""
    draw = np.random.default_rng(seed)
    unit = draw.permutation(np.repeat(np.arange(units), rows))
    values = draw.normal(size=(units, 8))[unit] + 0.05 * draw.normal(size=(len(unit), 8))
    columns = {f"x{place}": values[:, place] for place in range(8)}
    return pa.table({"customer": [f"c{first + u}" for u in unit], **columns, "ok": ["yes"] * len(unit)})


def fitted(table: pa.Table, unit: str | None = "customer", **options: object) -> tabad.Model:
    left_out = () if unit else ("customer",)
    return tabad.fit(table, quality="fast", label="ok", normal="yes", unit=unit, ignore=left_out, **options)  # type: ignore[arg-type]


def test_whole_units_are_held_out_and_one_row_of_each_calibrates() -> None:
    facts = fitted(customers(200, 10, seed=0)).manifest

    # A fifth of 2,000 rows are those of 40 units, a tenth those of 20; the others train.
    assert (facts["calibration_rows"], facts["reference_rows"], facts["training_rows"]) == (40, 200, 1400)
    assert facts["unit"] == "customer"
    assert facts["columns"][0] == {
        "name": "customer", "type": "utf8", "kind": "ignored", "summary": "", "features": []
    }  # fmt: skip


def test_p_values_say_how_odd_a_row_of_somebody_new_is() -> None:
    apart, mixed = [], []
    for seed in range(25):
        table, new = customers(120, 5, seed), customers(300, 1, 1_000 + seed, first=1_000)
        for unit, found in (("customer", apart), (None, mixed)):
            p = fitted(table, unit, seed=seed).score(new, explain="none")["tabad_p_value"].to_numpy()
            found.append([(p <= level).mean() for level in (0.05, 0.2)])

    # 24 calibration rows: the share of p-values up to P is Beta distributed, its spread over fits 0.04 and 0.08, of a
    # mean of 25 fits 0.008 and 0.016; three of them are allowed.
    assert np.mean(apart, axis=0) == pytest.approx([0.04, 0.2], abs=0.05)
    assert (np.mean(apart, axis=0) <= [0.05 + 0.025, 0.2 + 0.05]).all()
    # Rows of known customers calibrate: whoever is new is odd.
    assert np.mean(mixed, axis=0)[0] > 0.9


def test_a_row_without_a_unit_is_one_by_itself() -> None:
    table = customers(1000, 1, seed=0).drop_columns(["customer"])
    facts = fitted(table.append_column("customer", pa.nulls(1000, pa.string()))).manifest

    assert (facts["calibration_rows"], facts["reference_rows"], facts["training_rows"]) == (200, 100, 700)


def test_units_may_be_numbers_and_dictionaries() -> None:
    table = customers(200, 10, seed=0)
    number = pa.array([int(name.as_py()[1:]) for name in table["customer"]])
    words = table["customer"].combine_chunks().dictionary_encode()

    for column in (number, words):
        facts = fitted(table.set_column(0, "customer", column)).manifest
        assert (facts["calibration_rows"], facts["reference_rows"], facts["training_rows"]) == (40, 200, 1400)


def test_a_unit_of_which_somebody_said_something_trains() -> None:
    table = customers(200, 10, seed=0)
    first = [names.index(f"c{unit}") for names in [table["customer"].to_pylist()] for unit in range(180)]
    said = np.full(2000, None)
    said[first] = False

    # Of 20 units nothing was said; 60 are to be held out.
    with pytest.raises(tabad.InputError, match="`customer` has 200 values in 1820 normal rows"):
        fitted(table.append_column("said", pa.array(said.tolist(), pa.bool_())), feedback="said")


def test_an_update_holds_out_as_the_model_does() -> None:
    before = fitted(customers(200, 10, seed=0))
    after = tabad.fit(customers(300, 10, seed=1, first=500), update=before)

    assert (after.manifest["calibration_rows"], after.manifest["reference_rows"]) == (60, 300)
    assert after.manifest["unit"] == "customer"
    assert tabad.Model.from_bytes(after.to_bytes()).to_bytes() == after.to_bytes()
    with pytest.raises(tabad.InputError, match="the unit column `customer` is not in the table"):
        tabad.fit(customers(300, 10, seed=1).drop_columns(["customer"]), update=before)


def test_scoring_does_not_ask_for_the_unit() -> None:
    model, rows = fitted(customers(200, 10, seed=0)), customers(20, 2, seed=1)

    with_it, without = model.score(rows), model.score(rows.drop_columns(["customer"]))

    assert with_it["tabad_score"] == without["tabad_score"]


def test_command_line(run_tabad: RunTabad, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(customers(200, 10, seed=0), tmp_path / "t.parquet")
    fit = run_tabad("fit", "t.parquet", "-o", "m.tabad", "--quality", "fast", "--unit", "customer", cwd=tmp_path)
    inspected = run_tabad("inspect", "m.tabad", cwd=tmp_path)

    assert "calibrated on 40 held-out rows, one of each `customer`" in fit.stderr
    assert "40 held-out rows, one of each `customer` · flags p-values up to 0.02439" in inspected.stdout
    alone = run_tabad("fit", "t.parquet", "-o", "m.tabad", "--unit-rows", "2", "--unit", "customer", cwd=tmp_path)
    assert (alone.returncode, alone.stderr) == (2, "error: --unit-rows need --private\n")

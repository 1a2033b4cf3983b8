"""A misspelt value of a screened table stands out, and its reason says what was meant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.oracle import slips as twin
from tests.oracle.model_file import put_together, take_apart

import tabad
from tabad.arrow_types import is_text
from tabad.errors import ModelFileError

ROWS = 800
FORMED = "matelda_dgov_typo/Global_Surface_Summary_of_the_Day_-_GSOD"
TOWNS = ["Birmingham", "Montgomery", "Huntsville", "Mobile"]


def _table(rows: int = ROWS, seed: int = 0) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "town": draw.choice(TOWNS, rows),
            "shelf": [f"A-{at:02d}" for at in draw.integers(0, 20, rows)],
            "amount": draw.lognormal(3, 1, rows).round(2),
        }
    )


def _with(table: pa.Table, name: str, cells: dict[int, Any]) -> pa.Table:
    values = table[name].to_pylist()
    for row, value in cells.items():
        values[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(values, table[name].type))


def test_a_slip_stands_out_and_its_reason_says_what_was_meant() -> None:
    table = _with(_table(), "town", {3: "Birminghxm", 5: "Montgmoery", 9: "Mobilee"})

    scored = tabad.score(table)

    assert np.flatnonzero(scored["tabad_flag"]).tolist() == [3, 5, 9]
    first = [scored["tabad_reasons"][row].as_py()[0] for row in (3, 5, 9)]
    assert [(one["column"], one["seen"], one["expected"]) for one in first] == [
        ("town", "Birminghxm", "Birmingham"), ("town", "Montgmoery", "Montgomery"), ("town", "Mobilee", "Mobile"),
    ]  # fmt: skip
    # They calibrate among each other.
    assert sorted(np.array(scored["tabad_p_value"])[[3, 5, 9]] * (ROWS + 1)) == pytest.approx([2, 3, 4])


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=lambda kind: str(kind),
)
def test_texts_of_every_type_are_spelt(kind: pa.DataType) -> None:
    table = _with(_table(), "town", {3: "Birminghxm"})
    table = table.set_column(0, "town", table["town"].cast(pa.string()).combine_chunks().cast(kind))

    assert np.flatnonzero(tabad.score(table)["tabad_flag"]).tolist() == [3]


def test_values_that_are_alike_by_nature_are_no_slips_of_each_other() -> None:
    table = _with(_table(), "shelf", {3: "A-77", 5: "B-01"})
    named = [f"Type {'ABC'[row % 3]}" for row in range(ROWS)]
    table = table.append_column("type", pa.array(named))

    model = tabad.fit(_with(table, "type", {7: "Type D"}), quality="fast", all_rows=True)

    # Of shelves only digits differ, but for `B-01`, which is rare and near to `A-01`; of types a capital, as by nature.
    assert model.manifest["holds"]["slips"] == 1


def test_a_code_out_of_form_stands_out_and_its_reason_names_one_in_form() -> None:
    days = np.datetime64("2024-01-01") + np.arange(ROWS) % 300
    table = _table().append_column("day", pa.array([f"on {day}" for day in days.astype(str)]))

    scored = tabad.score(_with(table, "day", {5: "on 2024-0107", 9: "on 2024-01-1o", 11: "on 20240-1-12"}))

    assert np.flatnonzero(scored["tabad_flag"]).tolist() == [5, 9, 11]
    first = [scored["tabad_reasons"][row].as_py()[0] for row in (5, 9, 11)]
    assert [(one["column"], one["seen"]) for one in first] == [
        ("day", "on 2024-0107"), ("day", "on 2024-01-1o"), ("day", "on 20240-1-12"),
    ]  # fmt: skip
    assert {one["expected"] for one in first} == {"the form of on 2024-01-01"}


def test_a_saved_screening_knows_forms(tmp_path: Path) -> None:
    days = (np.datetime64("2024-01-01") + np.arange(ROWS) % 300).astype(str)
    table = _with(_table().append_column("day", pa.array([f"on {day}" for day in days])), "day", {5: "on 2024-0107"})
    scored = tabad.score(table, save_model=tmp_path / "m.tabad")

    model = tabad.Model.load(tmp_path / "m.tabad")

    assert model.score(table).equals(scored)
    again = model.score(_with(table, "day", {5: "on 2024-0315"}))
    assert again["tabad_reasons"][5].as_py()[0]["expected"] == "the form of on 2024-01-01"


@pytest.mark.parametrize(("texts", "told"), [(49, 0), (50, 1)])
def test_a_form_of_few_texts_is_none(texts: int, told: int) -> None:
    names = [f"B{'aeiou'[at % 5]}{chr(98 + at // 5)} Ash" for at in range(texts)]
    table = _table().append_column("name", pa.array([names[row % texts] for row in range(ROWS)]))

    model = tabad.fit(_with(table, "name", {3: "Zed.Oak"}), quality="fast", all_rows=True)

    assert model.manifest["holds"]["slips"] == told


def test_two_wrong_cells_of_a_row_share_the_blame() -> None:
    table = _table().append_column("owner", pa.array(["government"] * ROWS))

    scored = tabad.score(_with(_with(table, "town", {3: "Birminghxm"}), "owner", {3: "govermnent"}))

    reasons = scored["tabad_reasons"][3].as_py()
    said = sorted((one["column"], one["expected"]) for one in reasons[:2])
    assert said == [("owner", "government"), ("town", "Birmingham")]
    assert min(one["share"] for one in reasons[:2]) > 0.1


def test_every_door_says_the_same_and_a_saved_screening_knows_them(tmp_path: Path) -> None:
    table = _with(_table(), "town", {3: "Birminghxm"})
    scored = tabad.score(table, save_model=tmp_path / "m.tabad")

    model = tabad.Model.load(tmp_path / "m.tabad")

    assert model.manifest["holds"]["slips"] == 1
    assert model.score(table).equals(scored)
    assert model.score(table.slice(3, 1))["tabad_flag"].to_pylist() == [True]


def test_a_fit_for_other_rows_looks_for_none() -> None:
    model = tabad.fit(_with(_table(), "town", {3: "Birminghxm"}), quality="fast")

    assert model.manifest["holds"]["slips"] == 0
    assert tabad.score(_table(), constraints="none")["tabad_flag"].to_pylist().count(True) == 0


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    tabad.score(_with(_table(), "town", {3: "Birminghxm"}), save_model=tmp_path / "m.tabad")
    manifest, tensors = take_apart((tmp_path / "m.tabad").read_bytes())

    whole = {"rows": 1, "columns": ["town"]}
    for damaged in ({**whole, "rows": -1}, {**whole, "columns": ["street"]}, {"rows": 1}, {**whole, "forms": "town"}):
        with pytest.raises(ModelFileError, match="`slips` are damaged"):
            tabad.Model.from_bytes(put_together({**manifest, "slips": damaged}, tensors))


@pytest.mark.parametrize("name", ["raha_hospital", "matelda_dgov_typo/mrsa-in-hospitals-2013", "dewey_adult", FORMED])
def test_real_tables_have_those_that_the_slow_twin_finds(name: str, real: Callable[[str], Path]) -> None:
    table = pq.read_table(real(name) / "dirty.parquet")
    scored = tabad.score(table, explain="all", reasons=table.num_columns)
    model = tabad.fit(table, quality="fast", all_rows=True)
    kinds = {column["name"]: column["kind"] for column in model.manifest["columns"]}
    spelt = [name for name, kind in kinds.items() if kind in ("category", "text", "key")]
    texts = {name: table[name].to_pylist() for name in spelt if is_text(table.schema.field(name).type)}
    expected = {name: (twin.slips(values), twin.forms(values)) for name, values in texts.items()}

    assert model.manifest["holds"]["slips"] == sum(len(meant) + len(formed) for meant, formed in expected.values()) > 0
    assert any(formed for _, formed in expected.values()) or name != FORMED
    for name, (meant, formed) in expected.items():
        for row, value in enumerate(texts[name]):
            one = formed.get(twin.form(value or ""))
            wanted = meant.get(value) or (one and f"the form of {one}")
            if wanted:
                said = {one["column"]: one["expected"] for one in scored["tabad_reasons"][row].as_py()}
                assert scored["tabad_flag"][row].as_py()
                assert said[name] == wanted

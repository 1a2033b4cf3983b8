"""A value that does not go with that of another column is wrong: found, flagged, named, and what it should be."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.oracle import dependencies as twin

import tabad

ROWS = 1_200
CITIES = ["Aachen", "Bonn", "Celle", "Daun", "Essen", "Fulda"]


def _table(rows: int, seed: int, wrong: int = 0) -> pa.Table:
    """Branches in cities, cities in states; the first rows have another city."""
    draw = np.random.default_rng(seed)
    branch = draw.integers(0, 12, rows)
    city = [CITIES[at // 2] for at in branch]
    city[:wrong] = [CITIES[(at // 2 + 1 + row % 5) % 6] for row, at in enumerate(branch[:wrong])]
    return pa.table(
        {
            "branch": [f"b{at:02d}" for at in branch],
            "city": city,
            "state": [("north", "south", "west")[at // 4] for at in branch],
            "open": draw.choice(["yes", "no"], rows, p=[0.9, 0.1]),
            "amount": draw.lognormal(3, 1, rows).round(2),
        }
    )


def _rules(model: tabad.Model) -> dict[tuple[str, ...], tuple[int, int]]:
    return {tuple(c["columns"]): (c["broken"], c["rows"]) for c in model.manifest["constraints"]}


def _encoded(model: tabad.Model, table: pa.Table) -> np.ndarray:
    rows, _, c = model.core.encode(table)
    return np.frombuffer(c, "<u2").reshape(rows, -1)


def _twins(model: tabad.Model, table: pa.Table) -> dict[tuple[str, ...], tuple[int, int]]:
    named, sizes = {}, {}
    for column in model.manifest["columns"]:
        for feature in column["features"]:
            if feature["part"] == "value" and "category" in feature:
                named[feature["category"]], sizes[feature["category"]] = column["name"], feature["size"]
    found = twin.find(_encoded(model, table), sizes)
    return {(named[one.source], named[one.target]): (one.broken, one.rows) for one in found}


@pytest.mark.parametrize("wrong", [0, 5])
def test_they_are_what_the_slow_twin_finds(wrong: int) -> None:
    table = _table(ROWS, 1, wrong)

    model = tabad.fit(table, quality="fast", all_rows=True)

    assert _rules(model) == _twins(model, table)
    assert _rules(model)[("branch", "city")] == (wrong, ROWS)
    assert ("city", "branch") not in _rules(model)


def test_so_they_are_in_a_real_table(real: Callable[[str], Path]) -> None:
    path = real("raha_hospital")
    table = pq.read_table(path / "dirty.parquet")
    model = tabad.fit(table, quality="fast", all_rows=True)

    assert len(_rules(model)) > 20
    assert _rules(model) == _twins(model, table)

    scored = tabad.score(table)
    errors = pq.read_table(path / "errors.parquet").to_pydict()
    flagged = [row for row, flag in enumerate(scored["tabad_flag"].to_pylist()) if flag]
    first = [(row, scored["tabad_reasons"][row].as_py()[0]["column"]) for row in flagged]
    # Of 407 rows with mistakes; without dependencies no row stands out.
    assert len(flagged) > 200
    assert sum(errors[column][row] for row, column in first) > 0.9 * len(flagged)


def test_a_row_that_breaks_one_stands_out_and_its_reason_says_what_goes_with_what() -> None:
    table = _table(ROWS, 1, wrong=3)

    scored = tabad.score(table)

    assert np.flatnonzero(scored["tabad_flag"]).tolist() == [0, 1, 2]
    for row in range(3):
        reason = scored["tabad_reasons"][row].as_py()[0]
        branch = table["branch"][row].as_py()
        assert (reason["column"], reason["seen"]) == ("city", table["city"][row].as_py())
        assert reason["expected"] == f"{CITIES[int(branch[1:]) // 2]} (branch {branch})"


def test_the_cell_is_named_that_most_of_them_are_about() -> None:
    table = _table(ROWS, 1)
    branches = table["branch"].to_pylist()
    branches[7] = "b00" if branches[7] > "b05" else "b11"

    scored = tabad.score(table.set_column(0, "branch", pa.array(branches)))

    assert np.flatnonzero(scored["tabad_flag"]).tolist() == [7]
    assert scored["tabad_reasons"][7].as_py()[0]["column"] == "branch"


def test_what_it_adds_to_a_score() -> None:
    model = tabad.fit(_table(ROWS, 1, wrong=4), quality="fast")
    right, wrong = _table(300, 2), _table(300, 2, wrong=300)
    scores = [np.array(model.score(rows)["tabad_score"].to_pylist()) for rows in (right, wrong)]

    # ln(20 (n + 1)), n rows that do not calibrate, and what the columns say of such a row.
    assert (scores[1] - scores[0]).min() > math.log(20 * (0.8 * ROWS + 1)) - 1.5


def test_half_of_the_rows_are_no_exceptions() -> None:
    half = _table(ROWS, 3)
    city = [name if row % 2 else CITIES[row % 6] for row, name in enumerate(half["city"].to_pylist())]

    model = tabad.fit(half.set_column(1, "city", pa.array(city)), quality="fast")

    assert ("branch", "city") not in _rules(model)


def test_rows_that_calibrate_are_raised_too() -> None:
    draw = np.random.default_rng(8)
    rows = [_table(3_000, seed) for seed in (9, 10)]
    for at, table in enumerate(rows):
        city = table["city"].to_pylist()
        for row in draw.choice(3_000, 60, replace=False):
            city[row] = CITIES[(CITIES.index(city[row]) + 1 + row % 5) % 6]
        rows[at] = table.set_column(1, "city", pa.array(city))
    model = tabad.fit(rows[0], quality="fast")

    p_values = np.array(model.score(rows[1])["tabad_p_value"].to_pylist())

    # One row in fifty is wrong in both: no more than that are among the oddest fiftieth, give or take four deviations.
    assert ("branch", "city") in _rules(model)
    assert np.mean(p_values <= 0.02) < 0.02 + 4 * math.sqrt(0.02 * 0.98 * (1 / 3_000 + 1 / 600))


def test_none_are_looked_for_without_rules_and_in_few_rows() -> None:
    assert _rules(tabad.fit(_table(ROWS, 1), quality="fast", constraints="none")) == {}
    assert _rules(tabad.fit(_table(400, 1), quality="fast", all_rows=True)) == {}


def test_what_normal_rows_have_breaks_nothing() -> None:
    table = _table(ROWS, 1, wrong=4).append_column("state_of_row", pa.repeat("fine", ROWS))

    def scores(**options: Any) -> list[float]:
        model = tabad.fit(table, quality="fast", all_rows=True, **options)
        found: list[float] = model.score(table)["tabad_score"].to_pylist()[:4]
        return found

    normal = {"label": "state_of_row", "normal": "fine"}
    assert scores(**normal) == scores(**normal, constraints="none")
    raised = np.array(scores()) - np.array(scores(constraints="none"))
    assert raised == pytest.approx([math.log(20 * (ROWS + 1))] * 4)


def test_a_file_holds_them() -> None:
    model = tabad.fit(_table(ROWS, 1, wrong=2), quality="fast")
    wrong = _table(200, 4, wrong=200)

    again = tabad.Model.from_bytes(model.to_bytes())

    assert _rules(again) == _rules(model)
    assert again.score(wrong)["tabad_score"] == model.score(wrong)["tabad_score"]
    assert again.manifest["holds"]["dependency_pairs"] == 2 * 12 + 6


def test_an_update_by_rows_that_break_one_silences_the_value() -> None:
    model = tabad.fit(_table(ROWS, 1), quality="fast")
    moved = _table(ROWS, 5)
    city = [
        "Essen" if at == "b00" else name
        for at, name in zip(*(moved[n].to_pylist() for n in ("branch", "city")), strict=True)
    ]

    after = tabad.fit(moved.set_column(1, "city", pa.array(city)), update=model)

    row = _table(200, 6)
    first = row["branch"].to_pylist().index("b00")
    one = row.slice(first, 1)
    gone = [m.score(one.set_column(1, "city", pa.array(["Essen"])))["tabad_score"][0].as_py() for m in (model, after)]
    assert gone[0] - gone[1] > 5

"""Reasons name the cell that is wrong, not those it disagrees with; their shares add up; what they expect would do."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tabad


def _alike(rows: int, seed: int, columns: int) -> pa.Table:
    """Whole numbers that say the same thing, each a little differently."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 1_000, rows)
    names = ["first", "second", "third"][:columns]
    return pa.table({name: base + rng.integers(-20, 21, rows) for name in names})


def _with(table: pa.Table, column: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, pa.array(values, table[column].type))


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return tabad.fit(_alike(3_000, 1, 3), quality="fast")


@pytest.mark.parametrize("column", ["first", "second", "third"])
def test_the_wrong_cell_is_named_first_though_two_others_are_as_surprising(model: tabad.Model, column: str) -> None:
    rows = _alike(60, 2, 3)
    wrong = _with(rows, column, (rows[column].to_numpy() + 480) % 1_000)  # a usual number, elsewhere

    scored = model.score(wrong, explain="all")

    assert set(scored["tabad_flag"].to_pylist()) == {True}
    assert {reasons[0]["column"] for reasons in scored["tabad_reasons"].to_pylist()} == {column}


def test_with_the_value_expected_of_the_first_reason_the_row_is_ordinary(model: tabad.Model) -> None:
    rows = _alike(60, 3, 3)
    wrong = _with(rows, "second", (rows["second"].to_numpy() + 480) % 1_000)
    reasons = [of[0] for of in model.score(wrong, explain="all")["tabad_reasons"].to_pylist()]
    expected = [int(re.findall(r"-?\d+", reason["expected"])[0]) for reason in reasons]

    repaired = model.score(_with(wrong, "second", expected), explain="none")["tabad_p_value"].to_numpy()

    assert (repaired > 0.05).mean() >= 0.95  # as many as of rows that were never wrong


def test_two_columns_that_contradict_each_other_are_both_named() -> None:
    model = tabad.fit(_alike(3_000, 1, 2), quality="fast")
    rows = _alike(60, 2, 2)
    wrong = _with(rows, "second", (rows["second"].to_numpy() + 480) % 1_000)

    for reasons in model.score(wrong, explain="all")["tabad_reasons"].to_pylist():
        assert {reason["column"] for reason in reasons} == {"first", "second"}
        assert all(0.2 < reason["share"] < 0.8 for reason in reasons)


def test_shares_fall_and_add_up_to_one_at_most(model: tabad.Model) -> None:
    rng = np.random.default_rng(4)
    table = _alike(300, 5, 3)
    wild = _with(table, "third", table["third"].to_numpy() * rng.integers(1, 12, 300))

    for reasons in model.score(wild, explain="all", reasons=20)["tabad_reasons"].to_pylist():
        shares = [reason["share"] for reason in reasons]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1.0 + 1e-5
        assert all(share >= 0.02 for share in shares)


def test_two_faults_of_one_row_are_the_first_two_reasons() -> None:
    rng = np.random.default_rng(6)
    usual = pa.table({name: rng.integers(0, 1_000, 3_000) for name in "abcdef"})
    model = tabad.fit(usual, quality="fast")
    rows = usual.slice(0, 50)
    wrong = _with(_with(rows, "b", [9_000] * 50), "e", [-7_000] * 50)

    for reasons in model.score(wrong, explain="all")["tabad_reasons"].to_pylist():
        assert {reason["column"] for reason in reasons[:2]} == {"b", "e"}


def test_a_key_that_is_new_does_not_hide_a_wrong_number() -> None:
    rng = np.random.default_rng(7)
    keys = [f"customer-{key:05d}" for key in rng.zipf(1.3, 3_000) % 90_000]
    model = tabad.fit(_alike(3_000, 1, 3).append_column("who", pa.array(keys)), quality="fast", kinds={"who": "key"})
    rows = _alike(60, 2, 3).append_column("who", pa.array([f"new-{at}" for at in range(60)]))
    wrong = _with(rows, "first", (rows["first"].to_numpy() + 480) % 1_000)

    assert {of[0]["column"] for of in model.score(wrong, explain="all")["tabad_reasons"].to_pylist()} == {"first"}


def test_a_row_has_the_same_reasons_alone_and_in_company(model: tabad.Model) -> None:
    rows = _alike(40, 8, 3)
    wrong = _with(rows, "second", (rows["second"].to_numpy() + 480) % 1_000)
    together = model.score(wrong, explain="all")["tabad_reasons"].to_pylist()

    assert [
        model.score(wrong.slice(at, 1), explain="all")["tabad_reasons"].to_pylist()[0] for at in range(40)
    ] == together


def test_of_a_row_in_which_many_columns_are_a_little_odd_the_oddest_is_named() -> None:
    draw = np.random.default_rng(0)
    names = [f"q{at}" for at in range(300)]
    rows = pa.table({name: draw.normal(size=400) for name in names})
    model = tabad.fit(rows, quality="fast")
    wrong = pa.table({name: [2.2] for name in names})  # none of them is a fiftieth of the evidence
    [reasons] = model.score(wrong, explain="all")["tabad_reasons"].to_pylist()
    assert len(reasons) == 1
    assert 0 < reasons[0]["share"] < 0.02

"""The student: Rust = the slow numpy twin within 1e-4 max(1, |b|), to the bit by row; calibrated; rising outwards."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import mixed_table
from tests.oracle import student as oracle
from tests.oracle.model_file import take_apart
from tests.students import taught

import tabad


@pytest.fixture(scope="module", params=["mixed", "numbers", "categories"])
def table(request: pytest.FixtureRequest) -> pa.Table:
    whole = mixed_table(600, seed=5)
    kept = {
        "mixed": whole.column_names,
        "numbers": ["weight", "visits"],
        "categories": ["channel", "country", "member"],
    }
    return whole.select(kept[request.param])


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    return taught(table, layers=2)


@pytest.fixture(scope="module")
def student(model: tabad.Model) -> tabad.Model:
    return model.with_scorer("student")


def _of_oracle(student: tabad.Model, table: pa.Table) -> list[tuple[float, list[float]]]:
    manifest = student.manifest
    features = [feature for column in manifest["columns"] for feature in column["features"]]
    numbers = sorted((f["number"], f["status"]) for f in features if "number" in f)
    sizes = sorted((f["category"], f["size"]) for f in features if "category" in f)
    _, tensors = take_apart(student.to_bytes())
    own = {name.removeprefix("student."): tensor for name, tensor in tensors.items() if name.startswith("student.")}
    rows, x, c = student.core.encode(table)
    x_BN = np.frombuffer(x, "<f4").reshape(rows, len(numbers))
    c_BC = np.frombuffer(c, "<u2").reshape(rows, len(sizes))
    status, size = [s for _, s in numbers], [s for _, s in sizes]
    return [oracle.outputs(own, size, status, a.tolist(), b.tolist()) for a, b in zip(x_BN, c_BC, strict=True)]


def test_scores_are_those_of_the_oracle(student: tabad.Model, table: pa.Table) -> None:
    found = student.score(table, explain="none")["tabad_score"].to_numpy()
    expected = np.array([score for score, _ in _of_oracle(student, table)])

    assert float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max()) <= 1e-4


def test_shares_of_reasons_are_those_of_the_oracles_squared_tails(student: tabad.Model, table: pa.Table) -> None:
    features = [(f, column["name"]) for column in student.manifest["columns"] for f in column["features"]]
    order = sorted(features, key=lambda item: ("category" in item[0], item[0].get("number", item[0].get("category"))))
    # Alone it expects nothing of a cell, and so cannot tell what a repair would do.
    alone = tabad.Model(student.core.student_alone())
    found = alone.score(table, explain="all")["tabad_reasons"].to_pylist()

    for reasons, (_, tails) in zip(found, _of_oracle(student, table), strict=True):
        squares: dict[str, float] = defaultdict(float)
        for (_, column), tail in zip(order, tails, strict=True):
            squares[column] += tail**2
        for reason in reasons or []:
            share = squares[reason["column"]] / sum(squares.values())
            assert abs(reason["share"] - share) <= 1e-3


def test_a_row_has_the_same_bits_alone_reversed_and_in_company(student: tabad.Model, table: pa.Table) -> None:
    scores = student.score(table, explain="none")["tabad_score"].to_pylist()
    back = student.score(table.take(list(range(600))[::-1]), explain="none", threads=1)["tabad_score"].to_pylist()
    alone = [student.score(table.slice(row, 1), explain="none")["tabad_score"][0].as_py() for row in (0, 31, 33, 599)]

    assert back[::-1] == scores
    assert alone == [scores[row] for row in (0, 31, 33, 599)]


def test_each_scorer_has_p_values_of_its_own_and_the_file_keeps_both(model: tabad.Model, table: pa.Table) -> None:
    student = tabad.Model.from_bytes(model.to_bytes()).with_scorer("student")
    again = tabad.Model.from_bytes(student.to_bytes())

    assert (model.scorer, student.scorer, again.scorer) == ("teacher", "student", "student")
    assert student.with_scorer("teacher").to_bytes() == model.to_bytes()
    fresh = mixed_table(600, seed=6).select(table.column_names)
    p_values = again.score(fresh, explain="none")["tabad_p_value"].to_numpy()
    # 120 calibration rows: every p-value is a whole number of 121sts, and those of fresh rows spread over all of them.
    assert np.allclose(p_values * 121, np.round(p_values * 121))
    assert 0.35 < p_values.mean() < 0.65


def test_the_same_seed_gives_the_same_student(table: pa.Table, model: tabad.Model) -> None:
    assert taught(table, layers=2).to_bytes() == model.to_bytes()


def test_a_student_alone_scores_alike_and_keeps_no_rows(student: tabad.Model, table: pa.Table) -> None:
    alone = tabad.Model(student.core.student_alone())
    manifest, tensors = take_apart(alone.to_bytes())

    assert tabad.Model.from_bytes(alone.to_bytes()).score(table)["tabad_score"] == student.score(table)["tabad_score"]
    assert alone.manifest["kept_rows"] == 0
    assert not alone.manifest["teacher"]
    assert not [name for name in tensors if name.startswith(("memory.", "reference.", "calibration."))]
    assert "reference" not in manifest
    assert manifest["scorer"] == "student"
    with pytest.raises(tabad.UsageError, match="student alone") as caught:
        alone.with_scorer("teacher")
    assert caught.value.name == "scorer-missing"
    with pytest.raises(tabad.UsageError, match="an update needs its teacher") as caught:
        tabad.fit(table, update=alone)
    assert caught.value.name == "update-without-teacher"


def test_a_number_further_out_never_scores_less() -> None:
    table = mixed_table(600, seed=5).select(["weight", "visits", "country"])
    student = taught(table).with_scorer("student")
    spread = 9.0
    steps = [10, 30, 100, 300, 1_000, 10_000, 1e6]
    for sign in (1, -1):
        row = table.slice(0, 1).to_pylist()[0]
        rows = pa.Table.from_pylist([{**row, "weight": 70 + sign * step * spread} for step in steps], table.schema)
        scores = student.score(rows, explain="none")["tabad_score"].to_pylist()
        assert scores == sorted(scores)
        assert scores[-1] > scores[0]


def test_without_a_student_the_refusal_says_why() -> None:
    table = mixed_table(120, seed=3)
    few = tabad.fit(table, quality="fast", memory=32)
    with pytest.raises(tabad.UsageError, match="fewer than 500 rows"):
        few.with_scorer("student")
    fast = tabad.fit(mixed_table(600, seed=3), quality="fast", memory=32)
    with pytest.raises(tabad.UsageError, match="quality default or best"):
        fast.with_scorer("student")
    with pytest.raises(tabad.UsageError, match="not one of teacher, student"):
        fast.with_scorer("pupil")
    with pytest.raises(tabad.UsageError, match="screened against itself"):
        tabad.score(table, scorer="student")


def test_the_manifest_says_who_scores(model: tabad.Model) -> None:
    facts = json.loads(model.core.manifest())

    assert (facts["scorer"], facts["teacher"]) == ("teacher", True)
    assert facts["student"] == {"format": 1, "width": 32, "layers": 2, "knots": 32}

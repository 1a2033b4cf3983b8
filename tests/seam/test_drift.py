"""Rust = oracle where the mix of rows has drifted: strata, weighed p-values, effective rows, and what is selected."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.drifting import fitted, shops
from tests.oracle import drift as oracle
from tests.oracle.model_file import Tensors, take_apart
from tests.oracle.xxh3 import xxh3_64
from tests.students import taught

import tabad
from tabad import _core

RATE = 0.2345  # no sum of weights is a whole number of it, which rounding would decide
Case = tuple[_core.Model, pa.Table]


@pytest.fixture(scope="module", params=[0, 1, 2], ids=["drifted", "much drifted", "not drifted"])
def case(request: pytest.FixtureRequest) -> Case:
    """A model with three to eight strata, and a table with twelve odd rows."""
    draw = np.random.default_rng(request.param)
    share = (0.6, 0.95, 0.3)[request.param]
    return fitted(draw, 2000, 0.3, seed=request.param), shops(draw, 150, share, odd=12)


def calibration(
    model: _core.Model, prefix: str = "calibration"
) -> tuple[dict[str, Any], Tensors, np.ndarray, np.ndarray]:
    manifest, tensors = take_apart(model.to_bytes())
    return manifest, tensors, tensors[f"{prefix}.scores"], tensors[f"{prefix}.strata"]


def strata_of(model: _core.Model, table: pa.Table) -> np.ndarray:
    manifest, tensors, _, _ = calibration(model)
    rows, x, c = model.encode(table)
    x_BN, c_BC = np.frombuffer(x, "<f4").reshape(rows, -1), np.frombuffer(c, "<u2").reshape(rows, -1)
    found = [oracle.stratum(manifest["strata"], tensors, *row) for row in zip(x_BN, c_BC, strict=True)]
    return np.array(found, dtype=int)


def scored(model: _core.Model, table: pa.Table, **options: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = pa.table(model.score(table, append=False, explain="none", **options))
    return tuple(columns[f"tabad_{name}"].to_numpy() for name in ("score", "p_value", "flag"))  # type: ignore[return-value]


def test_rows_are_counted_in_the_oracles_strata(case: Case) -> None:
    model, table = case
    found = json.loads(model.survey(table, drift=True))["drift"]["rows"]

    assert found == np.bincount(strata_of(model, table), minlength=len(found)).tolist()
    assert json.loads(model.manifest())["strata"] == len(found) > 2


def test_every_stratum_has_calibration_rows_and_25_rows_behind_it(case: Case) -> None:
    model, _ = case
    _, _, _, of = calibration(model)

    # 50 are expected of a binomial: fewer than 25 come once in 10,000 fits.
    assert np.bincount(of).min() >= 25


def test_p_values_are_the_oracles(case: Case) -> None:
    model, table = case
    _, _, scores, of = calibration(model)
    rows = strata_of(model, table)
    a_K = oracle.weights(of, rows, of.max() + 1)
    counts = np.bincount(rows, minlength=len(a_K)).tolist()

    score, p_value, flag = scored(model, table, strata=counts, level=0.05)

    expected = [oracle.p_value(s, k, scores, of, a_K) for s, k in zip(score, rows, strict=True)]
    assert np.abs(p_value - expected).max() < 1e-12
    assert flag.tolist() == (p_value <= 0.05).tolist()


def test_a_survey_says_how_far_it_has_drifted(case: Case) -> None:
    model, table = case
    _, _, _, of = calibration(model)
    rows = strata_of(model, table)
    a_K = oracle.weights(of, rows, of.max() + 1)
    w_n = a_K[of]
    shares = [np.bincount(strata, minlength=len(a_K)) / len(strata) for strata in (rows, of)]

    drift = json.loads(model.survey(table, drift=True))["drift"]

    assert drift["effective_rows"] == pytest.approx(w_n.sum() ** 2 / (w_n**2).sum(), abs=1e-9)
    assert drift["distance"] == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2, abs=1e-12)
    assert drift["smallest"] == pytest.approx(a_K.tolist(), abs=1e-15)
    assert drift["level"] == max(0.001, *drift["smallest"])
    assert drift["selection"] is None


def test_selected_are_the_rows_of_the_papers_algorithm(case: Case) -> None:
    model, table = case
    _, _, scores, of = calibration(model)
    rows = strata_of(model, table)
    a_K = oracle.weights(of, rows, of.max() + 1)
    drift = json.loads(model.survey(table, drift=True, fdr=RATE))["drift"]

    score, _, flag = scored(model, table, strata=drift["rows"], levels=drift["selection"]["levels"])

    cells = np.zeros((len(a_K), len(scores) + 1), "<u8")
    np.add.at(cells, (rows, np.searchsorted(scores, score)), 1)
    xi = ((xxh3_64(cells.tobytes()) >> 11) + 0.5) / 2**53
    expected = oracle.select(score, rows, scores, of, a_K, RATE, xi)
    assert flag.tolist() == expected.tolist()
    assert expected.sum() > 3


def test_survey_p_values_are_those_of_the_rows(case: Case) -> None:
    model, table = case
    found = json.loads(model.survey(table, drift=True))
    _, p_value, _ = scored(model, table, strata=found["drift"]["rows"])

    values, counts = np.unique(p_value, return_counts=True)

    assert found["p_values"] == [[value, count] for value, count in zip(values, counts, strict=True)]


def test_a_student_and_a_redacted_copy_weigh_by_their_own_scores() -> None:
    pytest.importorskip("torch")
    draw = np.random.default_rng(4)
    student = taught(shops(draw, 2000, 0.3)).with_scorer("student")
    table = shops(draw, 150, 0.8, odd=5)
    _, _, scores, of = calibration(student.core, "student.calibration")
    rows = strata_of(student.core, table)
    a_K = oracle.weights(of, rows, of.max() + 1)

    found = student.score(table, drift=True, level=0.5, explain="none")
    expected = [
        oracle.p_value(s, k, scores, of, a_K) for s, k in zip(found["tabad_score"].to_numpy(), rows, strict=True)
    ]
    assert np.abs(found["tabad_p_value"].to_numpy() - expected).max() < 1e-12
    assert student.redacted(bytes(range(32))).score(table, drift=True, level=0.5, explain="none").equals(found)
    assert isinstance(student, tabad.Model)

"""Rust = oracle for the memory: energies of any row under the kept rows of any fitted table, screened or not.

The oracle gets the kept rows, marginals and levels that stand in the model file, and the encoded rows of `Model.encode`
(codecs have their own comparisons). It computes in float64, Rust in float32.
"""

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.oracle import memory as oracle
from tests.oracle.model_file import take_apart

from tabad import _core

# float32 has 24 bits: a sum of some 100 distances divided by a width keeps about 1e-5 of its size.
TOLERANCE = 1e-4
# A weighted mean of kept values within a few times their own float32 rounding (6e-8): see `joint_tolerance`.
MEAN_ERROR = 4e-7

NUMBERS = st.none() | st.sampled_from([math.nan, math.inf, -math.inf, 0.0]) | st.floats(-1e3, 1e3)
NUMBERS |= st.floats(-1e9, 1e9)
INSTANTS = st.none() | st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2026, 1, 1))
CATEGORIES = st.none() | st.sampled_from(["a", "b", "c"])
TEXTS = st.none() | st.text("aB1 -é", max_size=30)
CELLS = {"number": NUMBERS, "other": NUMBERS, "category": CATEGORIES, "flag": st.none() | st.booleans()}
CELLS |= {"time": INSTANTS, "text": TEXTS}
TYPES = {"number": pa.float64(), "other": pa.float64(), "category": pa.string(), "flag": pa.bool_()}
TYPES |= {"time": pa.timestamp("us"), "text": pa.string()}
# What the model has never seen.
STRANGE = {"number": 1e300, "other": -7.25e5, "category": "unseen", "flag": None}
STRANGE |= {"time": dt.datetime(2120, 5, 5, 5), "text": "Ü" * 300}

Row = dict[str, Any]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Rows to fit, some of them twice, and rows to compare."""
    names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5, unique=True))
    a_row = st.fixed_dictionaries({name: CELLS[name] for name in names})
    pool = draw(st.lists(a_row, min_size=5, max_size=40))
    extra = draw(st.lists(st.sampled_from(pool), min_size=20, max_size=25))
    rows = draw(st.permutations([*pool, *extra]))
    strange = [{**pool[0], name: STRANGE[name]} for name in names]
    return rows, [*rows[:6], *draw(st.lists(a_row, max_size=3)), *strange]


def table_of(rows: list[Row]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], TYPES[name]) for name in rows[0]})


def fit(table: pa.Table, *, screen: bool, memory: int = 2048) -> _core.Model:
    fitting = _core.Fit(memory=memory, screen=screen, threads=1)
    fitting.observe(table)
    fitting.prepare()
    return fitting.finish()


def oracle_memory(model: _core.Model) -> tuple[oracle.Memory, dict[str, list[float]]]:
    """The oracle's memory and levels, from the bytes of the model file."""
    manifest, tensors = take_apart(model.to_bytes())
    numbers: dict[int, tuple[float, int, int]] = {}
    categories: dict[int, tuple[float, int, bool, int]] = {}
    for column, facts in enumerate(json.loads(model.manifest())["columns"]):
        parts = sum(feature["part"] != "status" for feature in facts["features"])
        for feature in facts["features"]:
            is_status = feature["part"] == "status"
            weight = 1.0 if is_status else 1 / math.sqrt(parts)
            if "number" in feature:
                numbers[feature["number"]] = (weight, column, feature["status"])
            else:
                categories[feature["category"]] = (weight, column, is_status, feature["size"])
    of_numbers, of_categories = ([part[at] for at in sorted(part)] for part in (numbers, categories))
    ends = np.cumsum([size for *_, size in of_categories])[:-1]
    memory = oracle.Memory(
        x_MN=tensors["memory.x"].T.astype(np.float64),
        c_MC=tensors["memory.c"].T.astype(int),
        weight_F=np.array([part[0] for part in (*of_numbers, *of_categories)]),
        status_N=[status for *_, status in of_numbers],
        column_F=[part[1] for part in (*of_numbers, *of_categories)],
        is_status_C=[is_status for _, _, is_status, _ in of_categories],
        marginal_C=np.split(tensors["memory.marginals"].astype(np.float64), ends),
        spread_NS=tensors["memory.spreads"].astype(np.float64),
        own_vote=manifest["memory"]["own_vote"],
        conditional=manifest["memory"]["conditional_rows"],
        known_M=known_rows(tensors),
    )
    levels = ("local", "wide", "conditional")
    return memory, {name: tensors[f"memory.levels.{name}"].astype(np.float64).tolist() for name in levels}


def known_rows(tensors: dict[str, np.ndarray]) -> np.ndarray | None:
    """Which kept rows are among those that feedback calls normal, where it calls any."""
    if "guide.normal.x" not in tensors:
        return None
    kept, normal = (
        list(zip(tensors[f"{of}.x"].T.tolist(), tensors[f"{of}.c"].T.tolist(), strict=True))
        for of in ("memory", "guide.normal")
    )
    return np.array([row in normal for row in kept])


def encoded(model: _core.Model, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    rows, x, c = model.encode(table)
    return np.frombuffer(x, "<f4").reshape(rows, -1).astype(np.float64), np.frombuffer(c, "<u2").reshape(rows, -1)


def joint_tolerance(memory: oracle.Memory, x_N: np.ndarray, c_C: np.ndarray, tau: float, expected: float) -> float:
    """How far rounding can move a joint, `log(sum_j w_j (mean_j - x_j)^2 / tau + 1e-6)`.

    Where a row stands on the mean of its neighbours the difference cancels: an error d of the means moves the sum S by
    2 d sqrt(S sum_j w_j) + d^2 sum_j w_j, and the log by that over the argument. d is MEAN_ERROR of the largest value,
    and what the weights add: the distance E of the nearest row is rounded, which its division by a narrow tau enlarges.
    """
    weight = memory.weight_F[: len(x_N)].sum()
    largest = max(np.abs(x_N).max(initial=1.0), np.abs(memory.x_MN).max(initial=1.0))
    nearest = oracle.feature_distances(memory, x_N, c_C).sum(1)[oracle.voters(memory, x_N, c_C)].min()
    argument, d = math.exp(expected), largest * (MEAN_ERROR + min(2.0, MEAN_ERROR * nearest / tau))
    moved = 2 * d * math.sqrt(max(argument - 1e-6, 0) * tau * weight) + d**2 * weight
    return max(TOLERANCE * max(1.0, abs(expected)), moved / tau / argument)


def assert_agrees(model: _core.Model, table: pa.Table) -> None:
    memory, levels = oracle_memory(model)
    x_BN, c_BC = encoded(model, table)
    found = json.loads(model.energies(table, threads=1))
    assert found["rows"] == len(x_BN)
    terms_BR = np.array(found["terms"], dtype=float).reshape(len(x_BN), -1)
    (features,) = found["features"]
    features_BF = np.array(features, dtype=float).reshape(len(x_BN), -1)
    assert terms_BR.shape[1] == 2 * len(levels["local"]) + len(levels["wide"]) + 4
    for x_N, c_C, terms_R, features_F in zip(x_BN, c_BC, terms_BR, features_BF, strict=True):
        densities = [oracle.density(memory, x_N, c_C, tau) for tau in (*levels["local"], *levels["wide"])]
        joints = [oracle.joint(memory, x_N, c_C, tau) for tau in levels["local"]]
        conditionals = oracle.conditional(memory, x_N, c_C, levels["conditional"])
        isolations = [oracle.isolation(memory, x_N, c_C, roots=roots) for roots in (False, True)]
        alone = [oracle.marginal(memory, x_N, c_C), oracle.extremity(memory, x_N, c_C), *isolations]
        expected = np.array([*densities, *alone, *conditionals])
        got = np.array([*terms_R[: len(densities)], *terms_R[-4:], *features_F])
        assert (np.abs(got - expected) <= TOLERANCE * np.maximum(1, np.abs(expected))).all(), (got, expected)
        for joint, wanted, tau in zip(terms_R[len(densities) : -4], joints, levels["local"], strict=True):
            assert abs(joint - wanted) <= joint_tolerance(memory, x_N, c_C, tau, wanted), (joint, wanted, tau)


@pytest.mark.parametrize("screen", [False, True])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_energies_are_the_oracles(screen: bool, drawn: tuple[list[Row], list[Row]]) -> None:
    rows, compared = drawn
    model = fit(table_of(rows), screen=screen)

    assert_agrees(model, table_of(compared))


@pytest.mark.parametrize("screen", [False, True])
def test_energies_of_a_table_of_every_kind_are_the_oracles(mixed: pa.Table, screen: bool) -> None:
    model = fit(mixed, screen=screen, memory=200)

    assert_agrees(model, mixed.slice(0, 25))


def test_energies_beside_rows_known_to_be_normal_are_the_oracles(mixed: pa.Table) -> None:
    said = [False] * 12 + [None] * (mixed.num_rows - 12)
    fitting = _core.Fit(memory=200, feedback="checked", threads=1)
    fitting.observe(mixed.append_column("checked", pa.array(said)))
    fitting.prepare()
    model = fitting.finish()

    known_M = oracle_memory(model)[0].known_M
    assert known_M is not None
    assert 0 < known_M.sum() < len(known_M)
    assert_agrees(model, mixed.slice(0, 25))


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_one_exact_copy_is_left_out_of_a_screened_rows_vote(copies: int) -> None:
    # 40 far rows and `copies` equal ones: what remains for one of the equal rows to stand beside is `copies - 1`.
    rows = [{"number": float(place), "category": "ab"[place % 2]} for place in range(40)]
    table = table_of([*rows, *[{"number": 55.5, "category": "c"}] * copies])
    model = fit(table, screen=True)
    memory, _ = oracle_memory(model)
    x_BN, c_BC = encoded(model, table.slice(40, 1))
    same_M = (memory.x_MN == x_BN[0]).all(1) & (memory.c_MC == c_BC[0]).all(1)
    vote_M = oracle.voters(memory, x_BN[0], c_BC[0])

    assert int(same_M.sum()) - int((same_M & vote_M).sum()) == min(int(same_M.sum()), 1)
    assert vote_M[~same_M].all()
    assert_agrees(model, table.slice(38))


@pytest.mark.parametrize("screen", [False, True])
def test_the_first_2048_kept_rows_vote_on_conditional_energies(screen: bool) -> None:
    draw = np.random.default_rng(5)
    a = draw.normal(size=8000)
    numbers = {"a": a, "b": a + draw.normal(size=8000), "time": draw.integers(0, 10**9, 8000).astype("datetime64[s]")}
    table = pa.table({**numbers, "c": draw.choice(["x", "y", "z"], 8000)})
    model = fit(table, screen=screen, memory=2500)

    memory, _ = oracle_memory(model)
    assert (len(memory.x_MN), memory.conditional) == (2500, 2048)
    assert_agrees(model, pa.concat_tables([table.slice(0, 6), table.slice(7990)]))


def test_a_fitted_model_leaves_no_copy_out() -> None:
    rows = [{"number": float(place), "category": "ab"[place % 2]} for place in range(40)]
    memory, _ = oracle_memory(fit(table_of(rows), screen=False))

    assert not memory.own_vote
    assert oracle.voters(memory, memory.x_MN[0], memory.c_MC[0]).all()

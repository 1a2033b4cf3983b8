"""p-values where the mix of rows has drifted: super-uniform with `drift` and not without; rates; what is said.

Of a row drawn from the table P(p <= level) <= level holds whatever the strata, if scores within a stratum come as they
came when the model was fitted (`rust/core/src/drift.rs`). A tenth of the rows of the fits are of shops of type B, whose
numbers are wider; six in ten of the fresh ones are.
"""

import functools
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.conftest import RunTabad
from tests.drifting import fitted, shops

import tabad

LEVELS = (0.01, 0.05, 0.1)
ROWS, MANY_ROWS, FRESH, DRAWS, MORE_DRAWS = 3000, 8000, 400, 40, 400
THEN, NOW = 0.1, 0.6


@functools.cache
def shares(draws: int, drift: bool) -> np.ndarray:
    """[draws, levels]: the share of fresh rows with a p-value up to each level."""
    found = np.empty((draws, len(LEVELS)))
    for seed in range(draws):
        draw = np.random.default_rng([2027, seed])
        model = fitted(draw, ROWS, THEN, seed=seed)
        fresh = shops(draw, FRESH, NOW)
        strata = json.loads(model.survey(fresh, drift=True, threads=1))["drift"]["rows"] if drift else None
        scored = pa.table(model.score(fresh, append=False, explain="none", threads=1, strata=strata))
        found[seed] = [(scored["tabad_p_value"].to_numpy() <= level).mean() for level in LEVELS]
    return found


@pytest.mark.parametrize("at", range(len(LEVELS)), ids=LEVELS)
def test_fresh_rows_of_another_mix_fall_below_a_level_no_more_often_than_it_says(at: int) -> None:
    found = shares(DRAWS, drift=True)[:, at]

    # Four standard errors of the mean, from the spread between draws: crossed by chance once in 30,000 runs.
    assert found.mean() <= LEVELS[at] + 4 * found.std(ddof=1) / DRAWS**0.5


@pytest.mark.parametrize("at", range(len(LEVELS)), ids=LEVELS)
def test_without_drift_they_fall_below_it_far_more_often(at: int) -> None:
    assert shares(DRAWS, drift=False)[:, at].mean() >= 2.5 * LEVELS[at]


@pytest.mark.skipif(os.environ.get("TABAD_SLOW") != "1", reason="slow (a minute): set TABAD_SLOW=1 for 400 draws")
@pytest.mark.parametrize("at", range(len(LEVELS)), ids=LEVELS)
def test_levels_hold_over_many_draws_of_another_mix(at: int) -> None:
    found = shares(MORE_DRAWS, drift=True)[:, at]

    assert found.mean() <= LEVELS[at] + 3 * found.std(ddof=1) / MORE_DRAWS**0.5


def false_shares(draws: int, rate: float, drift: bool) -> tuple[np.ndarray, np.ndarray]:
    """[draws]: the share of normal rows among those selected, and the share of the odd ones that are selected."""
    wrong, right = np.zeros(draws), np.zeros(draws)
    for seed in range(draws):
        draw = np.random.default_rng([2028, seed])
        model = tabad.Model(fitted(draw, MANY_ROWS, THEN, seed=seed))
        table = shops(draw, 1000, NOW, odd=80)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tabad.TabadWarning)  # that nothing is selected is one of the outcomes
            flags = model.score(table, fdr=rate, drift=drift, explain="none")["tabad_flag"].to_numpy()
        wrong[seed] = flags[:-80].sum() / max(flags.sum(), 1)
        right[seed] = flags[-80:].mean()
    return wrong, right


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_a_false_discovery_rate_is_kept_where_the_mix_has_drifted(rate: float) -> None:
    wrong, right = false_shares(DRAWS, rate, drift=True)

    # Four standard errors; the counted shares of strata in place of the true ones cost nothing that shows.
    assert wrong.mean() <= rate + 4 * wrong.std(ddof=1) / DRAWS**0.5
    assert right.mean() >= rate


def test_without_drift_the_rate_is_exceeded() -> None:
    wrong, _ = false_shares(DRAWS // 2, 0.1, drift=False)

    assert wrong.mean() >= 0.2


@pytest.mark.skipif(os.environ.get("TABAD_SLOW") != "1", reason="slow (a minute): set TABAD_SLOW=1 for 400 draws")
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_the_rate_holds_over_many_draws(rate: float) -> None:
    wrong, _ = false_shares(MORE_DRAWS, rate, drift=True)

    assert wrong.mean() <= rate + 3 * wrong.std(ddof=1) / MORE_DRAWS**0.5


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return tabad.Model(fitted(np.random.default_rng(1), ROWS, THEN))


@pytest.fixture(scope="module")
def drifted() -> pa.Table:
    return shops(np.random.default_rng(2), 500, NOW, odd=5)


def test_scores_stay_and_p_values_change(model: tabad.Model, drifted: pa.Table) -> None:
    plain, weighed = model.score(drifted, explain="none"), model.score(drifted, drift=True, level=0.05, explain="none")

    assert weighed["tabad_score"].equals(plain["tabad_score"])
    assert not weighed["tabad_p_value"].equals(plain["tabad_p_value"])
    assert weighed["tabad_flag"].to_pylist() == [p <= 0.05 for p in weighed["tabad_p_value"].to_pylist()]


@pytest.mark.filterwarnings("ignore::tabad.TabadWarning")
@pytest.mark.parametrize("options", [{"level": 0.05}, {"fdr": 0.3}, {"top": 7}, {}], ids=["level", "fdr", "top", "own"])
def test_doors_agree_and_a_stream_is_read_twice(
    model: tabad.Model, drifted: pa.Table, options: dict[str, float], tmp_path: Path
) -> None:
    pl, pd = pytest.importorskip("polars"), pytest.importorskip("pandas")
    path = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(drifted, path)
    expected = [
        model.score(drifted, drift=True, **options)[name].to_pylist() for name in ("tabad_p_value", "tabad_flag")
    ]

    doors = [
        model.score(path, drift=True, **options),
        model.score(drifted.to_reader(max_chunksize=77), drift=True, **options).read_all(),
        tabad.score(pl.from_arrow(drifted), model, drift=True, **options),
        tabad.score(pl.from_arrow(drifted).lazy(), model, drift=True, **options).collect(),
        tabad.score(drifted.to_pandas(types_mapper=pd.ArrowDtype), model, drift=True, **options),
    ]

    for found in doors:
        columns = [list(found[name]) for name in ("tabad_p_value", "tabad_flag")]
        plain = [[getattr(value, "as_py", lambda value=value: value)() for value in column] for column in columns]
        assert plain == expected


def test_a_level_that_nothing_reaches_is_said(model: tabad.Model, drifted: pa.Table) -> None:
    with pytest.warns(tabad.TabadWarning) as said:
        scored = model.score(drifted, drift=True, level=1e-6, explain="none")

    assert str(said[0].message).startswith(
        "nothing can be flagged at level 1e-06: the table has drifted so far that 600 "
    )
    assert not any(scored["tabad_flag"].to_pylist())


def test_rows_that_a_level_cannot_reach_are_said(model: tabad.Model, drifted: pa.Table) -> None:
    with pytest.warns(
        tabad.TabadWarning, match=r"^59% of the rows cannot be flagged at level 0.003: too few calibration"
    ):
        model.score(drifted, drift=True, level=0.003, explain="none")


def test_a_level_that_drift_raised_is_said(model: tabad.Model, drifted: pa.Table) -> None:
    with pytest.warns(
        tabad.TabadWarning, match=r"rows are flagged at p-values up to 0.01\d*, where the model's own level"
    ):
        model.score(drifted, drift=True, explain="none")


def test_without_drift_nothing_is_said(model: tabad.Model) -> None:
    same = shops(np.random.default_rng(3), 2000, THEN)

    scored = model.score(same, drift=True, explain="none")["tabad_p_value"].to_numpy()
    plain = model.score(same, explain="none")["tabad_p_value"].to_numpy()

    assert np.abs(scored - plain).max() < 0.05


def test_a_rate_that_nothing_reaches_is_said(model: tabad.Model, drifted: pa.Table) -> None:
    with pytest.warns(
        tabad.TabadWarning, match="too few of 500 rows are odd enough for a false discovery rate of 1e-06"
    ):
        model.score(drifted, drift=True, fdr=1e-6, explain="none")


def test_an_empty_table_has_not_drifted(model: tabad.Model, drifted: pa.Table) -> None:
    for options in ({}, {"level": 0.1}, {"fdr": 0.1}, {"top": 3}):
        assert model.score(drifted.slice(0, 0), drift=True, **options).num_rows == 0


def test_the_command_says_how_far_it_has_drifted(
    model: tabad.Model, drifted: pa.Table, run_tabad: RunTabad, tmp_path: Path
) -> None:
    pyarrow.parquet.write_table(drifted, tmp_path / "in.parquet")
    model.save(tmp_path / "m.tabad")
    arguments = ("score", tmp_path / "in.parquet", "-m", tmp_path / "m.tabad", "--drift", "--fdr", "0.3")

    said = run_tabad(*arguments, "-o", tmp_path / "out.parquet").stderr
    told = json.loads(run_tabad(*arguments, "--json").stdout)

    drift = told["drift"]
    line = f"  drift    distance {drift['distance']:.2f} between the mixes of {drift['strata']} strata · "
    assert line + f"600 calibration rows count as {drift['effective_rows']:,.0f}\n" in said
    assert 0.4 < drift["distance"] < 0.6
    assert 50 < drift["effective_rows"] < drift["calibration_rows"] == 600
    assert told["flagged"] == sum(pyarrow.parquet.read_table(tmp_path / "out.parquet")["tabad_flag"].to_pylist())


def test_a_summary_without_drift_has_none(
    model: tabad.Model, drifted: pa.Table, run_tabad: RunTabad, tmp_path: Path
) -> None:
    pyarrow.parquet.write_table(drifted, tmp_path / "in.parquet")
    model.save(tmp_path / "m.tabad")

    done = run_tabad("score", tmp_path / "in.parquet", "-m", tmp_path / "m.tabad", "--json")

    assert json.loads(done.stdout)["drift"] is None

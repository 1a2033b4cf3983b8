"""Scoring mechanisms, each by itself: what it finds, what it refuses, what it leaves in the model."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import RunTabad

import tabad
from tabad.config import MECHANISMS, Mechanism

MIXED: tuple[Mechanism, ...] = MECHANISMS


def rows(count: int, seed: int) -> pa.Table:
    """A line with noise, and a category that follows its end."""
    draw = np.random.default_rng(seed)
    a = draw.normal(size=count)
    b = a + 0.1 * draw.normal(size=count)
    return pa.table({"a": a, "b": b, "end": np.where(a > 0, "right", "left")})


ODD = pa.table({"a": [1.5, -1.5, 6.0], "b": [-1.5, 1.5, 6.0], "end": ["right", "left", "left"]})


@pytest.mark.parametrize("mechanism", MIXED)
def test_every_mechanism_finds_rows_off_the_line(mechanism: Mechanism) -> None:
    model = tabad.fit(rows(2000, 1), quality="fast", mechanism=mechanism)
    usual = model.score(rows(1000, 2), explain="none")["tabad_score"].to_numpy()
    odd = model.score(ODD, explain="none")["tabad_score"].to_numpy()

    assert model.manifest["mechanism"] == mechanism
    # Each of the three is odder than 95 % of usual rows; the gradient is blind where no kept row is near.
    assert (odd > np.quantile(usual, 0.95)).all(), odd


@pytest.mark.parametrize("mechanism", MIXED)
def test_mechanisms_score_alike_from_a_file_and_alone(mechanism: Mechanism) -> None:
    model = tabad.fit(rows(600, 1), quality="fast", mechanism=mechanism)
    again = tabad.Model.from_bytes(model.to_bytes())
    new = rows(300, 2)
    scored = model.score(new, explain="none")["tabad_score"]

    assert again.to_bytes() == model.to_bytes()
    assert again.score(new, explain="none")["tabad_score"].equals(scored)
    assert model.score(new.slice(17, 1), explain="none")["tabad_score"][0] == scored[17]


def test_the_default_model_is_the_combination_to_the_byte() -> None:
    table = rows(600, 1)
    combined = tabad.fit(table, quality="fast", mechanism="combined")

    assert combined.to_bytes() == tabad.fit(table, quality="fast").to_bytes()


def test_mechanisms_that_do_not_fit_a_table_or_model_are_refused() -> None:
    names = pa.table({"a": ["x", "y"] * 50, "b": ["u", "v", "w", "x"] * 25})
    with pytest.raises(tabad.UsageError, match="no column that is judged has a number"):
        tabad.fit(names, quality="fast", mechanism="score-function")
    with pytest.raises(tabad.UsageError, match="not one of combined, density"):
        tabad.fit(names, quality="fast", mechanism="magic")  # type: ignore[arg-type]
    with pytest.raises(tabad.UsageError, match="mechanism say"):
        tabad.score(names, tabad.fit(names, quality="fast"), mechanism="density")


@pytest.mark.parametrize("mechanism", ["density", "reconstruction", "conditional", "score-function"])
def test_a_network_alone_scores_by_every_mechanism_but_time(mechanism: Mechanism) -> None:
    pytest.importorskip("torch")
    model = tabad.fit(rows(1500, 1), memory=0, mechanism=mechanism)
    usual = model.score(rows(500, 2), explain="none")["tabad_score"].to_numpy()
    odd = model.score(ODD.slice(0, 2), explain="none")["tabad_score"].to_numpy()

    assert model.manifest["kept_rows"] == 0
    assert (odd > np.quantile(usual, 0.9)).all(), odd


def test_diffusion_time_needs_kept_rows() -> None:
    pytest.importorskip("torch")
    with pytest.raises(tabad.UsageError, match="told by kept rows"):
        tabad.fit(rows(100, 1), memory=0, mechanism="diffusion-time")


def test_mechanism_on_the_command_line(run_tabad: RunTabad, tmp_path: Path) -> None:
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pa.concat_tables([rows(500, 1), ODD.slice(0, 1)]), path)

    screened = run_tabad("score", path, "--mechanism", "density")
    wrong = run_tabad("score", path, "--mechanism", "magic")

    assert screened.returncode == 0
    assert "score    density alone" in screened.stderr
    assert wrong.returncode == 2
    assert "score-function" in wrong.stderr

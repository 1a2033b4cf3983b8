"""Few labels: known anomalies guide the score where they help, and rows known to be normal stop being odd."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import RunTabad

import tabad


def shops(rows: int, seed: int) -> dict[str, Any]:
    """Two groups of shops: `small` ones with small amounts, `big` ones with big amounts, and a colour."""
    draw = np.random.default_rng(seed)
    big = draw.random(rows) < 0.5
    return {
        "size": np.where(big, "big", "small"),
        "amount": np.where(big, draw.normal(900, 60, rows), draw.normal(100, 20, rows)),
        "hour": draw.integers(0, 24, rows).astype(float),
        "colour": draw.choice(["red", "green", "blue"], rows),
    }


def with_frauds(rows: int, frauds: int, seed: int) -> tuple[pa.Table, np.ndarray]:
    """The last `frauds` rows are red, small, at 3 o'clock, of ordinary amounts: common values, a rare sum."""
    table = shops(rows, seed)
    last = slice(rows - frauds, rows)
    for name, value in (("size", "small"), ("hour", 3.0), ("colour", "red")):
        table[name][last] = value
    table["amount"][last] = np.random.default_rng(seed + 1).normal(100, 20, frauds)
    fraud = np.zeros(rows, bool)
    fraud[last] = True
    return pa.table(table), fraud


def said(table: pa.Table, verdicts: list[Any]) -> pa.Table:
    return table.append_column("checked", pa.array(verdicts, pa.bool_()))


def scores(model: tabad.Model, table: pa.Table) -> np.ndarray:
    return model.score(table, explain="none")["tabad_score"].to_numpy()


def test_known_anomalies_raise_others_of_their_kind() -> None:
    table, fraud = with_frauds(3000, 60, seed=1)
    new, new_fraud = with_frauds(1000, 40, seed=2)
    # 30 of the 60 are known; the others are among the unlabelled rows.
    known = np.flatnonzero(fraud)[:30]
    verdicts = [True if row in known else None for row in range(3000)]

    guided = tabad.fit(said(table, verdicts), feedback="checked", quality="fast")
    plain = tabad.fit(table, quality="fast")

    assert guided.manifest["guide"] == {"anomalies": 30, "normals": 0, "helps": True}
    # The share of normal rows that score higher than the median fraud.
    above = [np.mean(s[~new_fraud] > np.median(s[new_fraud])) for s in (scores(plain, new), scores(guided, new))]
    assert above[0] > 0.2
    assert above[1] < 0.05


def test_labels_at_random_are_not_followed() -> None:
    table = pa.table(shops(2000, seed=4))
    picked = set(np.random.default_rng(0).choice(2000, 20, replace=False).tolist())

    model = tabad.fit(
        said(table, [True if r in picked else None for r in range(2000)]), feedback="checked", quality="fast"
    )

    assert model.manifest["guide"] == {"anomalies": 20, "normals": 0, "helps": False}


def test_a_flag_that_was_normal_is_no_longer_odd() -> None:
    table = shops(2000, seed=5)
    # A new kind of shop, as yet rare: 30 rows.
    table["size"][:30] = "huge"
    table["amount"][:30] = 5000.0
    rare = pa.table({name: values[:30] for name, values in table.items()})
    plain = tabad.fit(pa.table(table), quality="fast")
    model = tabad.fit(said(pa.table(table), [False] * 30 + [None] * 1970), feedback="checked", quality="fast")

    assert np.median(plain.score(rare)["tabad_p_value"].to_numpy()) < 0.03
    assert np.median(model.score(rare)["tabad_p_value"].to_numpy()) > 0.05


def test_labelled_rows_are_found_in_a_table_larger_than_the_sample() -> None:
    rows = 120_000
    table = pa.table(
        {"a": np.random.default_rng(1).normal(size=rows), "checked": [None] * (rows - 40) + [1] * 25 + [0] * 15}
    )

    guide = tabad.fit(table, feedback="checked", quality="fast").manifest["guide"]

    assert (guide["anomalies"], guide["normals"]) == (25, 15)


def test_guided_scores_are_the_same_after_a_file_and_in_any_chunks() -> None:
    table, fraud = with_frauds(1200, 40, seed=6)
    model = tabad.fit(said(table, [True if f else None for f in fraud]), feedback="checked", quality="fast")
    assert model.manifest["guide"]["helps"]

    again = tabad.Model.from_bytes(model.to_bytes())
    parts = pa.concat_tables(table.slice(start, 7) for start in range(0, 1200, 7))

    assert again.to_bytes() == model.to_bytes()
    assert (scores(again, parts) == scores(model, table)).all()


def test_too_few_calibration_rows_cross_fit_the_guide_too() -> None:
    table, fraud = with_frauds(300, 30, seed=7)

    model = tabad.fit(said(table, [True if f else None for f in fraud]), feedback="checked", quality="fast")

    assert model.manifest["calibration"] == "cross-fitted"
    assert model.manifest["guide"]["anomalies"] == 30
    # Known frauds are outliers to what is left: every one is among the oddest tenth.
    assert (model.score(table)["tabad_p_value"].to_numpy()[fraud] <= 0.1).mean() > 0.9


@pytest.mark.parametrize("words", [["anomaly", "normal"], ["fraud", "ok"], ["1", "0"], ["True", "no"]])
def test_words_of_a_text_column(words: list[str]) -> None:
    table = pa.table(shops(600, seed=8))
    column = pa.array([words[0]] * 6 + [words[1]] * 4 + [""] * 590)

    guide = tabad.fit(table.append_column("checked", column), feedback="checked", quality="fast").manifest["guide"]

    assert (guide["anomalies"], guide["normals"]) == (6, 4)


def test_command_line_says_whether_the_labels_helped(run_tabad: RunTabad, tmp_path: Path) -> None:
    import pyarrow.parquet

    table, fraud = with_frauds(1200, 40, seed=9)
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(said(table, [True if f else None for f in fraud]), path)

    fitted = run_tabad("fit", path, "-o", tmp_path / "m.tabad", "--feedback", "checked", "--quality", "fast")
    screened = run_tabad("score", path, "--feedback", "checked")
    shown = run_tabad("inspect", tmp_path / "m.tabad")

    assert fitted.returncode == screened.returncode == 0, fitted.stderr + screened.stderr
    line = "  feedback 40 known anomalies guide the score"
    assert line in fitted.stderr.splitlines()
    assert line in screened.stderr.splitlines()
    assert (
        "  feedback    40 known anomalies guide the score; they are in the file, readable" in shown.stdout.splitlines()
    )

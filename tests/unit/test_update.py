"""An update moves what is usual and the thresholds; columns, network and old rows stay."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.conftest import RunTabad, mixed_table

import tabad


def amounts(rows: int, middle: float, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table({"amount": draw.normal(middle, 1, rows), "kind": draw.choice(["a", "b"], rows)})


def median_p(model: tabad.Model, table: pa.Table) -> float:
    return float(np.median(model.score(table, explain="none")["tabad_p_value"].to_numpy()))


def test_what_was_new_is_usual_after_the_update_and_what_was_usual_stays_so() -> None:
    before = tabad.fit(amounts(2000, 0.0, seed=1), quality="fast")
    after = tabad.fit(amounts(2000, 8.0, seed=2), update=before)

    # 400 calibration rows: 1/401 is the smallest p-value.
    assert median_p(before, amounts(500, 8.0, seed=3)) == 1 / 401
    # p-values are uniform among new rows: a median of 0.5, within five standard errors of 500 rows.
    assert abs(median_p(after, amounts(500, 8.0, seed=3)) - 0.5) < 0.12
    assert median_p(after, amounts(500, 0.0, seed=4)) > 0.2
    assert median_p(after, amounts(500, 30.0, seed=5)) < 0.003


def test_sizes_say_what_was_read_and_calibrated() -> None:
    after = tabad.fit(amounts(1000, 0.0, seed=2), update=tabad.fit(amounts(3000, 0.0, seed=1), quality="fast"))

    facts = after.manifest
    # A fifth of the new rows calibrates, a tenth is for reference.
    assert (facts["rows"], facts["calibration_rows"], facts["reference_rows"]) == (4000, 200, 100)


def test_the_share_of_old_rows_in_the_memory_is_their_share_of_all_rows() -> None:
    before = tabad.fit(amounts(3000, 0.0, seed=1), quality="fast", memory=200)
    after = tabad.fit(amounts(9000, 100.0, seed=2), update=before, memory=400, seed=5)
    energies = after.score(amounts(400, 0.0, seed=3), explain="none")

    # A quarter of 400 kept rows is old: enough for old rows not to be the oddest.
    assert np.median(energies["tabad_score"].to_numpy()) < np.median(
        after.score(amounts(400, 50.0, seed=3), explain="none")["tabad_score"].to_numpy()
    )


def test_normal_rows_are_told_by_the_label() -> None:
    old = amounts(1500, 0.0, seed=1).append_column("fraud", pa.array([0] * 1500))
    draw = np.random.default_rng(0)
    fraud = draw.random(2000) < 0.3
    new = amounts(2000, 0.0, seed=2)
    amount = new["amount"].to_numpy() + 20.0 * fraud
    new = new.set_column(0, "amount", pa.array(amount)).append_column("fraud", pa.array(fraud.astype(int)))

    after = tabad.fit(new, update=tabad.fit(old, label="fraud", normal="0", quality="fast"))

    assert median_p(after, amounts(300, 20.0, seed=3)) < 0.005
    assert median_p(after, amounts(300, 0.0, seed=3)) > 0.3


def test_known_anomalies_still_guide() -> None:
    table = mixed_table(900, seed=2)
    said = table.append_column("said", pa.array([True] * 20 + [False] * 10 + [None] * 870))
    before = tabad.fit(said, feedback="said", quality="fast")

    after = tabad.fit(mixed_table(900, seed=3), update=before)

    assert after.manifest["guide"] == before.manifest["guide"]
    assert tabad.Model.from_bytes(after.to_bytes()).to_bytes() == after.to_bytes()


def test_command_line(run_tabad: RunTabad, tmp_path: Path) -> None:
    for name, seed in (("old", 1), ("new", 2)):
        pyarrow.parquet.write_table(amounts(1000, 0.0, seed), tmp_path / f"{name}.parquet")
    first = run_tabad("fit", "old.parquet", "-o", "m.tabad", "--quality", "fast", cwd=tmp_path)
    second = run_tabad("fit", "new.parquet", "--update", "m.tabad", "-o", "m.tabad", cwd=tmp_path)

    assert first.returncode == second.returncode == 0, second.stderr
    assert tabad.Model.load(tmp_path / "m.tabad").manifest["rows"] == 2000


def test_another_table_is_refused() -> None:
    before = tabad.fit(amounts(600, 0.0, seed=1), quality="fast")

    with pytest.raises(tabad.InputError, match="column `kind` of the model is not in the table"):
        tabad.fit(amounts(600, 0.0, seed=1).drop_columns(["kind"]), update=before)


def test_a_table_without_a_normal_row_is_refused_and_its_labels_named() -> None:
    table = amounts(600, 0.0, seed=1)
    before = tabad.fit(table.append_column("fraud", pa.repeat("no", 600)), label="fraud", normal="no", quality="fast")

    with pytest.raises(tabad.InputError, match="no row has `no` in label column `fraud`") as caught:
        tabad.fit(table.append_column("fraud", pa.array(["yes", "maybe"] * 300)), update=before)

    assert caught.value.hint == "its values are `maybe`, `yes`"
    with pytest.raises(tabad.InputError, match="the label column `fraud` is not in the table"):
        tabad.fit(table, update=before)


def test_options_of_a_network_are_refused_beside_an_update() -> None:
    before = tabad.fit(amounts(600, 0.0, seed=1), quality="fast")
    with pytest.raises(tabad.UsageError, match="quality says how a network is trained, and an update keeps"):
        tabad.fit(amounts(600, 0.0, seed=2), update=before, quality="best")
    with pytest.raises(tabad.UsageError, match="quality, device say how a network is trained"):
        tabad.fit(amounts(600, 0.0, seed=2), update=before, quality="fast", device="cpu")

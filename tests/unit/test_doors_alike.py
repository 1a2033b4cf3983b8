"""What callers of other libraries meet: names of theirs, their NaN, their signs, their classes of columns."""

import datetime as dt
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabad
import tabad.duckdb
from tabad.errors import TabadWarning, UsageError
from tabad.sklearn import TabadDetector


def normal_rows(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3))


def test_a_relation_is_answered_whatever_tables_there_are() -> None:
    con = duckdb.connect()
    con.register("tv", pa.table({"a": [float(row % 7) for row in range(100)]}))
    for name in ("tabad_scored", "tabad_input", "rows"):
        con.sql(f"CREATE TABLE {name} AS SELECT 42 AS stale")
    scored = tabad.score(con.sql("SELECT * FROM tv"))
    assert scored.columns == ["a", "tabad_score", "tabad_p_value", "tabad_flag", "tabad_reasons"]
    assert len(scored.fetchall()) == 100


def test_a_level_that_is_none_is_refused_in_sql_too(model: tabad.Model) -> None:
    with pytest.raises(UsageError, match="`level` is 5, which is not between 0 and 1"):
        tabad.duckdb.register(duckdb.connect(), model, level=5.0)


def test_the_detector_flags_what_the_model_flags() -> None:
    train, new = normal_rows(4_000, 0), np.vstack([normal_rows(4_000, 1), 6 + normal_rows(20, 2)])
    model = tabad.fit(pa.table({f"x{at}": train[:, at] for at in range(3)}), quality="fast")
    flags = model.score(pa.table({f"x{at}": new[:, at] for at in range(3)}))["tabad_flag"].to_numpy()
    assert 20 <= flags.sum() <= 40
    for detector in (TabadDetector(model=model).fit(train[:20]), TabadDetector(model=model).fit(new)):
        assert np.array_equal(detector.predict(new) == -1, flags)
        assert np.array_equal(detector.decision_function(new) <= 0, flags)
    level = 1 / 801  # 800 rows calibrate
    threshold = model.core.threshold()
    assert threshold is not None
    assert threshold == model.core.threshold(level)
    scored = model.score(pa.table({f"x{at}": new[:, at] for at in range(3)}))
    p, score = scored["tabad_p_value"].to_numpy(), scored["tabad_score"].to_numpy()
    assert np.array_equal(p <= level, score >= threshold)
    assert model.core.threshold(1.0) == -np.inf
    assert model.core.threshold(1e-6) is None


def test_the_detector_knows_its_columns() -> None:
    rows = normal_rows(300, 0)
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    table = pa.Table.from_pandas(frame)
    for data in (frame, table, table.to_batches()[0]):
        detector = TabadDetector().fit(data)
        assert (detector.n_features_in_, list(detector.feature_names_in_)) == (3, ["a", "b", "c"])
    assert TabadDetector().fit(table.to_reader()).n_features_in_ == 3
    plain = TabadDetector().fit(rows)
    assert not hasattr(plain, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 2 features, but TabadDetector is expecting 3 features"):
        plain.predict(rows[:, :2])


def test_nan_of_numpy_and_of_pandas_is_a_missing_value() -> None:
    rows = normal_rows(600, 0)
    rows[::5, 1] = np.nan
    frame = pd.DataFrame(rows, columns=["x0", "x1", "x2"])
    of_frame, of_array = TabadDetector().fit(frame), TabadDetector().fit(rows)
    assert np.array_equal(of_frame.score_samples(rows), of_array.score_samples(frame))


def test_what_a_csv_taught_late_is_said_by_every_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabad.tables.csv_lines.BLOCK", 1_000)
    path = tmp_path / "t.csv"
    path.write_text("a,k\n" + "".join(f"{row % 7},{row}\n" for row in range(998)) + 2 * "1,oops\n")
    said = "column `k` looks like int64 at first, but reads 'oops' in line 1,000"
    with pytest.warns(TabadWarning, match=said):
        tabad.fit(path, quality="fast")
    model = tabad.fit(pa.table({"a": [row % 7 for row in range(300)]}), quality="fast")
    with pytest.warns(TabadWarning, match=said):
        model.score(path)


def test_a_label_is_asked_for_as_it_is_told() -> None:
    from tabad.config import label_text

    said = [label_text(value) for value in ("1.0", 1, 1.0, 0.5, 1e16, True, np.float32(0.1), dt.datetime(2024, 1, 1))]
    assert said == ["1.0", "1", "1", "0.5", "1e16", "true", "0.1", "2024-01-01T00:00:00"]


def test_a_rule_about_whole_numbers_of_few_values_is_looked_at() -> None:
    low = [row % 4 for row in range(600)]
    table = pa.table(
        {"low": [*low, 4], "high": [*(value + 1 for value in low), 1], "x": [float(row % 17) for row in range(601)]}
    )
    scored = tabad.score(table, constraints="low <= high")
    assert scored["tabad_flag"].to_pylist() == [False] * 600 + [True]


@pytest.mark.parametrize("threads", [0, 1])
def test_control_c_in_the_first_pass_is_an_interruption(tmp_path: Path, threads: int) -> None:
    draw = np.random.default_rng(0)
    tabad.fit(pa.table({f"c{at}": draw.random(5_000) for at in range(4)}), quality="fast", output=tmp_path / "m.tabad")
    pq.write_table(pa.table({f"c{at}": draw.random(2_000_000) for at in range(4)}), tmp_path / "t.parquet")
    command = [sys.executable, "-m", "tabad", "score", str(tmp_path / "t.parquet"), "-m", str(tmp_path / "m.tabad"),
               "--top", "5", "--threads", str(threads)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    # A batch of 65,536 rows takes less than a second on one core, all of them ten and more.
    assert time.monotonic() - began < 4.0


def test_control_c_while_the_command_line_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import builtins

    from tabad.cli.run import run

    real = builtins.__import__

    def pressed(name: str, *rest: object, **more: object) -> object:
        if name == "typer":
            raise KeyboardInterrupt
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", pressed)
    assert run(["score", "t.csv"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"

"""`tabad inspect --redact` and `tabad score --key-file`, in processes: files, modes, words and exit codes."""

import json
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.conftest import RunTabad
from tests.redactable import LABELS, fitted, table, words

import tabad

COLUMNS = ["tabad_score", "tabad_p_value", "tabad_flag"]


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return fitted()


@pytest.fixture
def path(model: tabad.Model, tmp_path: Path) -> Path:
    path = tmp_path / "m.tabad"
    model.save(path)
    return path


def test_a_copy_is_made_with_a_new_key_and_scores_alike(run_tabad: RunTabad, model: tabad.Model, path: Path) -> None:
    folder = path.parent
    out, key, rows = folder / "r.tabad", folder / "m.key", folder / "rows.parquet"
    pq.write_table(table(2_000, 5, unseen=True), rows)

    made = run_tabad("inspect", path, "--redact", out, "--key-file", key)
    scored = run_tabad("score", rows, "-m", out, "--key-file", key, "-o", folder / "a.parquet")
    before = run_tabad("score", rows, "-m", path, "--scorer", "student", "-o", folder / "b.parquet")

    assert (made.returncode, scored.returncode, before.returncode) == (0, 0, 0), (made, scored, before)
    found, expected = (pq.read_table(folder / name).select(COLUMNS) for name in ("a.parquet", "b.parquet"))
    assert found.equals(expected)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key.read_text())) == 32
    content = out.read_bytes()
    assert not [word for word in words(model, table(3_000, 1)) if word.encode() in content]
    assert bytes.fromhex(key.read_text()) not in content
    assert key.read_text().strip().encode() not in content
    for part in ("200 kept rows", "2 label values", "pairs of values", "hashed", "left, for whoever has the file"):
        assert part in made.stdout
    for part in ("made a new key, readable by you alone", "--key-file"):
        assert part in made.stderr
    assert "warning" not in made.stderr


def test_a_key_that_is_there_is_used_and_stays(run_tabad: RunTabad, path: Path) -> None:
    key = path.parent / "own.key"
    key.write_text("00112233445566778899aabbccddeeff\n")
    key.chmod(0o644)

    made = run_tabad("inspect", path, "--redact", path.parent / "r.tabad", "--key-file", key, "--json")
    said = run_tabad("inspect", path, "--redact", path.parent / "s.tabad", "--key-file", key)

    answer = json.loads(made.stdout)
    assert (answer["key_made"], answer["model"]["redacted"], answer["model"]["kept_rows"]) == (False, True, 0)
    assert answer["held"]["label_values"] == len(LABELS)
    assert answer["warnings"] == [f"others can read {key}: chmod 600 {key}"]
    assert f"warning: others can read {key}" in said.stderr
    assert key.read_text() == "00112233445566778899aabbccddeeff\n"
    assert (path.parent / "r.tabad").read_bytes() == (path.parent / "s.tabad").read_bytes()


def test_what_goes_wrong_leaves_no_copy_and_no_key(run_tabad: RunTabad, path: Path, tmp_path: Path) -> None:
    fast, out, key = tmp_path / "fast.tabad", tmp_path / "r.tabad", tmp_path / "m.key"
    tabad.fit(table(600, 1), quality="fast", memory=32).save(fast)

    assert run_tabad("inspect", path, "--redact", out).returncode == 2
    assert run_tabad("inspect", path, "--key-file", key).returncode == 2
    without = run_tabad("inspect", fast, "--redact", out, "--key-file", key)
    assert (without.returncode, without.stderr.startswith("error: the model has no student")) == (2, True)
    assert run_tabad("inspect", path, "--redact", path, "--key-file", key).returncode == 2
    assert run_tabad("inspect", path, "--redact", tmp_path / "no" / "r.tabad", "--key-file", key).returncode == 6
    assert not out.exists()
    assert not key.exists()


def test_a_redacted_model_says_what_it_needs(run_tabad: RunTabad, path: Path, tmp_path: Path) -> None:
    out, key, rows = tmp_path / "r.tabad", tmp_path / "m.key", tmp_path / "rows.parquet"
    pq.write_table(table(600, 5), rows)
    assert run_tabad("inspect", path, "--redact", out, "--key-file", key).returncode == 0
    other = tmp_path / "other.key"
    other.write_text("ffeeddccbbaa99887766554433221100")

    locked = run_tabad("score", rows, "-m", out)
    wrong = run_tabad("score", rows, "-m", out, "--key-file", other, "--json")
    absent = run_tabad("score", rows, "-m", out, "--key-file", tmp_path / "absent.key")
    unneeded = run_tabad("score", rows, "-m", path, "--key-file", key)
    shown = run_tabad("inspect", out)

    assert [done.returncode for done in (locked, wrong, absent, unneeded, shown)] == [2, 2, 2, 2, 0]
    assert "no key was given" in locked.stderr
    assert "--key-file KEY" in locked.stderr
    assert json.loads(wrong.stdout)["error"]["name"] == "key-wrong"
    assert "there is no key file" in absent.stderr
    assert "is not redacted" in unneeded.stderr
    assert "redacted    values are hashed under a key that is not in the file" in shown.stdout
    assert "hashed      under a keyed hash" in shown.stdout
    assert run_tabad("inspect", path).stdout.count("readable") >= 5
    for command in (
        ("generate", "-m", out, "-n", "3"),
        ("impute", rows, "-m", out, "-o", tmp_path / "filled.parquet"),
        ("generate", "-m", out, "-n", "3", "--anomalies", "--from", rows),
    ):
        refused = run_tabad(*command)
        assert (refused.returncode, "the model is redacted" in refused.stderr) == (2, True), refused
    teacher = run_tabad("score", rows, "-m", out, "--key-file", key, "--scorer", "teacher")
    update = run_tabad("fit", rows, "--update", out, "-o", tmp_path / "u.tabad")
    assert "student alone" in teacher.stderr
    assert "update needs its teacher" in update.stderr

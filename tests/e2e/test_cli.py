"""The command line in a process of its own: exit codes, what goes where, what a person reads."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from tests.conftest import RunTabad

COLUMNS = ["tabad_score", "tabad_p_value", "tabad_flag", "tabad_reasons"]


@pytest.fixture
def table(mixed: pa.Table, tmp_path: Path) -> Path:
    path = tmp_path / "payments.parquet"
    pyarrow.parquet.write_table(mixed, path)
    return path


def test_screening_shows_a_summary_and_writes_nothing(run_tabad: RunTabad, table: Path) -> None:
    done = run_tabad("score", table)

    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0] == f"{table}   600 rows x 11 columns · no model given: the table is screened against itself"
    assert lines[-1] == "nothing was written: add -o scored.parquet · keep this model: --save-model payments.tabad"
    assert "row 8 " in done.stderr
    assert "amount 98765.43 (expected" in done.stderr
    assert os.listdir(table.parent) == ["payments.parquet"]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "arrow"])
def test_scored_table_has_the_rows_in_their_order(
    run_tabad: RunTabad, table: Path, model_path: Path, ending: str
) -> None:
    out = table.parent / f"scored.{ending}"

    done = run_tabad("score", table, "-m", model_path, "-o", out)

    assert done.returncode == 0, done.stderr
    assert f"wrote {out}" in done.stderr
    assert sorted(os.listdir(table.parent)) == ["payments.parquet", out.name]
    if ending == "parquet":
        scored = pyarrow.parquet.read_table(out)
        assert scored.drop(COLUMNS).equals(pyarrow.parquet.read_table(table))
        assert scored.column_names[-4:] == COLUMNS


def test_fit_then_score_then_inspect(run_tabad: RunTabad, table: Path) -> None:
    model = table.parent / "m.tabad"

    fitted = run_tabad("fit", table, "-o", model, "--quality", "fast", "--ignore", "note", "--kind", "visits=category")
    scored = run_tabad("score", table, "-m", model, "--json")
    shown = run_tabad("inspect", model)

    assert fitted.returncode == 0, fitted.stderr
    assert "rows of the table are in the model" in fitted.stderr
    assert json.loads(scored.stdout)["model"] == str(model)
    assert "1 id (row_id, not modelled)" in shown.stdout
    assert "1 ignored (note)" in shown.stdout
    kinds = {c["name"]: c["kind"] for c in json.loads(run_tabad("inspect", model, "--json").stdout)["model"]["columns"]}
    assert (kinds["visits"], kinds["note"], kinds["row_id"]) == ("category", "ignored", "id")


def test_standard_input_to_standard_output(run_tabad: RunTabad, mixed: pa.Table, table: Path, model_path: Path) -> None:
    done = run_tabad("score", "-", "-m", model_path, "-o", "-", stdin=table.read_bytes())

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith('"tabad_score","tabad_p_value","tabad_flag","tabad_reasons"')
    assert len(done.stdout.splitlines()) == mixed.num_rows + 1
    assert "standard input   600 rows" in done.stderr


def test_json_is_one_versioned_document_and_nothing_else(run_tabad: RunTabad, table: Path) -> None:
    done = run_tabad("score", table, "--top", "2", "--json")

    document = json.loads(done.stdout)
    assert done.stderr == ""
    assert document["tabad"] == 1
    assert (document["rows"], document["flagged"], document["top"]) == (600, 2, 2)
    assert document["oddest"][0]["row"] == 7
    assert set(document["oddest"][0]["reasons"][0]) == {"column", "part", "seen", "expected", "share"}


def test_too_many_flagged_is_exit_code_1_and_still_written(run_tabad: RunTabad, table: Path, model_path: Path) -> None:
    out = table.parent / "out.parquet"

    done = run_tabad("score", table, "-m", model_path, "--top", "60", "--max-flagged", "5%", "-o", out)

    assert done.returncode == 1
    assert "error: 60 of 600 rows are flagged (10.00%), more than the 5.00% allowed" in done.stderr
    assert pyarrow.parquet.read_metadata(out).num_rows == 600


def test_label_like_column_is_pointed_out_and_left_out_on_request(
    run_tabad: RunTabad, mixed: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(mixed.append_column("is_fraud", pa.array([i % 50 == 0 for i in range(600)])), path)

    pointed = run_tabad("score", path)
    left_out = run_tabad("score", path, "--label", "is_fraud")

    assert "note: column `is_fraud` looks like a label (its name says so)" in pointed.stderr
    assert "--label is_fraud leaves it out" in pointed.stderr
    assert "looks like a label" not in left_out.stderr
    assert "1 label (is_fraud)" in " ".join(left_out.stderr.split())


def test_false_discovery_rate_needs_a_model(run_tabad: RunTabad, table: Path) -> None:
    done = run_tabad("score", table, "--fdr", "0.1", "--json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["name"] == "fdr-without-calibration"


# What is wrong, the arguments, the exit code, the catalogue name, what the message names.
def _wrong(folder: Path, mixed: pa.Table, model: Path) -> dict[str, tuple[list[Any], int, str, str]]:
    def parquet(name: str, table: pa.Table) -> Path:
        pyarrow.parquet.write_table(table, folder / name)
        return folder / name

    def raw(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    good = parquet("good.parquet", mixed)
    bits = bytearray(model.read_bytes())
    bits[len(bits) // 2] ^= 0x10
    as_text = mixed.set_column(mixed.column_names.index("weight"), "weight", pa.array(["heavy"] * mixed.num_rows))
    taken = mixed.append_column("tabad_score", pa.array([0.0] * mixed.num_rows))
    csv = ["code,n", *["1,2"] * 300, "1"]
    m = ["-m", model]
    return {
        "missing file": (["score", folder / "gone.parquet"], 2, "table-not-found", "gone.parquet"),
        "missing model": (["score", good, "-m", folder / "gone.tabad"], 2, "model-not-found", "gone.tabad"),
        "unknown option": (["score", good, "--colour"], 2, "usage", "--colour"),
        "no table": (["score"], 2, "usage", "TABLE"),
        "unknown kind": (["score", good, "--kind", "weight=colour"], 2, "kind-unknown", "weight=colour"),
        "unknown ignored column": (["score", good, "--ignore", "wait"], 2, "column-unknown", "wait"),
        "two decisions": (["score", good, "--top", "3", "--level", "0.1"], 2, "options-conflict", "level and top"),
        "fit options with a model": (["score", good, *m, "--seed", "3"], 2, "options-conflict", "--seed"),
        "unknown output format": (["score", good, *m, "-o", folder / "x.docx"], 2, "format-unknown", "x.docx"),
        "empty file": (["score", raw("empty.csv", b"")], 3, "table-empty", "empty.csv"),
        "zero rows": (["score", parquet("none.parquet", mixed.slice(0, 0))], 3, "", ""),
        "one row": (["score", parquet("one.parquet", mixed.slice(0, 1))], 3, "", ""),
        "wrong type": (["score", parquet("type.parquet", as_text), *m], 3, "", "weight"),
        "missing column": (["score", parquet("less.parquet", mixed.drop(["weight", "born"])), *m], 3, "", "weight"),
        "tabad_score column": (
            ["score", parquet("taken.parquet", taken), *m, "-o", folder / "o.csv"], 3, "column-taken", "tabad_score"
        ),
        "truncated parquet": (["score", raw("cut.parquet", good.read_bytes()[:-50])], 3, "table-unreadable", "cut.par"),
        "ragged csv": (["score", raw("ragged.csv", "\n".join(csv).encode())], 3, "csv-ragged", "line 302"),
        "truncated model": (["score", good, "-m", raw("cut.tabad", model.read_bytes()[:-9])], 4, "", ""),
        "bit-flipped model": (["score", good, "-m", raw("bit.tabad", bytes(bits))], 4, "", ""),
        "a table as model": (["score", good, "-m", good], 4, "", ""),
        "no output folder": (["score", good, *m, "-o", folder / "gone" / "x.csv"], 6, "cannot-write", "gone"),
        "output is a folder": (["fit", good, "--quality", "fast", "-o", folder], 6, "cannot-write", str(folder)),
    }  # fmt: skip


WRONG = [
    "missing file", "missing model", "unknown option", "no table", "unknown kind", "unknown ignored column",
    "two decisions", "fit options with a model", "unknown output format", "empty file", "zero rows", "one row",
    "wrong type", "missing column", "tabad_score column", "truncated parquet", "ragged csv", "truncated model",
    "bit-flipped model", "a table as model", "no output folder", "output is a folder",
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_ends_well(
    case: str, run_tabad: RunTabad, mixed: pa.Table, model_path: Path, tmp_path: Path
) -> None:
    cases = _wrong(tmp_path, mixed, model_path)
    assert list(cases) == WRONG
    arguments, code, name, names = cases[case]
    before = sorted(os.listdir(tmp_path))

    words = run_tabad(*arguments)
    document = run_tabad(*arguments, "--json")

    assert (words.returncode, document.returncode) == (code, code), words.stderr
    assert words.stdout == ""
    assert words.stderr.startswith("error: ")
    assert "Traceback" not in words.stderr
    error = json.loads(document.stdout)["error"]
    assert error["message"] in words.stderr
    assert names in error["message"]
    assert name in ("", error["name"])
    assert sorted(os.listdir(tmp_path)) == before


def test_unseen_category_fits_and_is_odd(
    run_tabad: RunTabad, mixed: pa.Table, model_path: Path, tmp_path: Path
) -> None:
    one = mixed.slice(20, 1)
    other = one.set_column(one.column_names.index("country"), "country", pa.array(["ATLANTIS"]))
    pyarrow.parquet.write_table(pa.concat_tables([one, other]), tmp_path / "t.parquet")

    done = run_tabad("score", tmp_path / "t.parquet", "-m", model_path, "--json")

    oddest = json.loads(done.stdout)["oddest"]
    assert (done.returncode, [odd["row"] for odd in oddest]) == (0, [1, 0])


def test_what_rows_are_flagged_for_is_counted(
    run_tabad: RunTabad, mixed: pa.Table, model_path: Path, tmp_path: Path
) -> None:
    at = mixed.column_names.index("amount")
    amounts = [9_000_000 if row < 25 else amount for row, amount in enumerate(mixed["amount"].to_pylist())]
    wrong = mixed.set_column(at, "amount", pa.array(amounts, mixed["amount"].type))
    pyarrow.parquet.write_table(wrong, tmp_path / "t.parquet")
    command = ("score", tmp_path / "t.parquet", "-m", model_path, "--top", "30")

    done = run_tabad(*command, "--json", "-o", tmp_path / "scored.parquet")
    counts = json.loads(done.stdout)["first_reasons"]
    words = run_tabad(*command).stderr
    none = json.loads(run_tabad(*command, "--json", "--explain", "none").stdout)["first_reasons"]

    reasons = pyarrow.parquet.read_table(tmp_path / "scored.parquet")["tabad_reasons"].to_pylist()
    first = Counter(of[0]["column"] for of in reasons if of)
    assert first.total() == 30
    assert first["amount"] >= 25
    assert counts == [
        {"column": name, "rows": first[name]} for name in sorted(first, key=lambda name: (-first[name], name))
    ]
    assert f"  first reasons   amount {first['amount']} rows, {counts[1]['column']} {counts[1]['rows']}" in words
    assert none == []


def test_a_screening_says_how_many_rows_break_a_rule_that_was_given(run_tabad: RunTabad, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "".join(f"{i}.5,{i + i % 7}.5,{i - (i == 250)}.5\n" for i in range(600)))

    done = run_tabad("score", path, "--constraint", "a <= b", "--constraint", "a <= c")

    assert "  rules    a <= b (all rows) · a <= c (but 1 of 600 rows)" in done.stderr, done.stderr


def test_a_rule_about_an_id_says_how_to_have_it_judged(run_tabad: RunTabad, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "".join(f"{i},{i + i % 7},{i % 50}\n" for i in range(600)))
    command = ("score", path, "--constraint", "c <= a", "--json")

    (said,) = json.loads(run_tabad(*command).stdout)["warnings"]
    done = json.loads(run_tabad(*command, "--kind", "a=number").stdout)

    assert said == "`c <= a` was given and is not kept: `a` as an id only names the row; --kind a=number says otherwise"
    assert done["warnings"] == []


def test_one_column_is_screened(run_tabad: RunTabad, mixed: pa.Table, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(mixed.select(["amount"]), tmp_path / "t.parquet")

    done = run_tabad("score", tmp_path / "t.parquet", "--json")

    assert json.loads(done.stdout)["oddest"][0]["row"] == 7


@pytest.mark.parametrize(
    ("late", "kind", "said"),
    [
        (
            6_000,
            "utf8",
            "column `code` looks like numbers at first, but 6,000 of 606,000 cells are none: it is read as",
        ),
        (1, "int64", "cells that are no number or date: 1 of `code`; for the model they are missing"),
    ],
)
def test_csv_whose_types_change_late_is_read_as_text_and_said(
    run_tabad: RunTabad, tmp_path: Path, late: int, kind: str, said: str
) -> None:
    path = tmp_path / "late.csv"
    path.write_text("code,n\n" + "".join(f"{i % 900},{i % 7}\n" for i in range(600_000)) + late * "A7,2\n")

    done = run_tabad("fit", path, "-o", tmp_path / "m.tabad", "--quality", "fast", "--json")

    assert done.returncode == 0, done.stdout
    assert {c["name"]: c["type"] for c in json.loads(done.stdout)["model"]["columns"]}["code"] == kind
    assert any(said in note for note in json.loads(done.stdout)["warnings"]), done.stdout


def test_empty_table_and_a_model_give_an_empty_scored_table(
    run_tabad: RunTabad, mixed: pa.Table, model_path: Path, tmp_path: Path
) -> None:
    pyarrow.parquet.write_table(mixed.slice(0, 0), tmp_path / "t.parquet")

    done = run_tabad("score", tmp_path / "t.parquet", "-m", model_path, "-o", tmp_path / "out.parquet")

    assert done.returncode == 0, done.stderr
    assert "the table has no rows" in done.stderr
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column_names[-4:] == COLUMNS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_exit_code_6(run_tabad: RunTabad, table: Path, model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)

    done = run_tabad("score", table, "-m", model_path, "-o", tmp_path / "locked" / "x.csv")

    assert done.returncode == 6
    assert "Permission denied" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_exit_code_6(run_tabad: RunTabad, table: Path, model_path: Path) -> None:
    done = run_tabad("score", table, "-m", model_path, "-o", "/dev/full", "--output-format", "csv")

    assert done.returncode == 6
    assert "error: cannot write /dev/full: No space left on device" in done.stderr


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.csv.gz", "out.arrow", "out.jsonl"])
def test_disk_that_fills_up_is_exit_code_6_and_leaves_nothing(name: str, table: Path, model_path: Path) -> None:
    # A file may hold 4 blocks (of 512 or 1,024 bytes, by the shell) and no more, as on a disk with that much left.
    words = [sys.executable, "-m", "tabad", "score", str(table), "-m", str(model_path), "-o", name]
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 4; exec {shlex.join(words)}"], cwd=table.parent, capture_output=True, text=True
    )

    assert done.returncode == 6, done.stderr
    assert f"error: cannot write {name}: File too large" in done.stderr
    assert os.listdir(table.parent) == ["payments.parquet"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_leaves_nothing_behind(number: int, code: int, tmp_path: Path) -> None:
    rows = "".join(f"{i % 977},{i % 13},{(i * 7919) % 10007}\n" for i in range(400_000))
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows)
    process = subprocess.Popen(
        [sys.executable, "-m", "tabad", "score", "t.csv", "-o", "out.csv"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not any(name.startswith(".out.csv") for name in os.listdir(tmp_path)) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be interrupted"
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == code, stderr.decode()
    assert os.listdir(tmp_path) == ["t.csv"]


def test_reader_that_leaves_early_gets_no_complaint(table: Path, model_path: Path) -> None:
    command = f"'{sys.executable}' -m tabad score '{table}' -m '{model_path}' -o - | head -1"

    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_demo_runs_and_says_how_well_it_did(run_tabad: RunTabad, tmp_path: Path) -> None:
    done = run_tabad("demo", tmp_path / "d", "--rows", "2000")

    assert done.returncode == 0, done.stderr
    assert f"$ tabad fit {tmp_path / 'd' / 'payments-old.parquet'} --label is_fraud" in done.stdout
    assert f"$ tabad score {tmp_path / 'd' / 'payments-new.parquet'} -m" in done.stdout
    # 2,000 rows hold 20 planted ones; the last third of the rows holds these.
    assert "planted   8 of 667 rows" in done.stdout
    written = ["payments-new.parquet", "payments-old.parquet", "payments.tabad", "scored.parquet"]
    assert sorted(os.listdir(tmp_path / "d")) == written


def test_what_an_option_cannot_do_alone_is_said(run_tabad: RunTabad, model_path: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a\n" + "1\n2\n" * 20)
    for arguments, said in (
        (["score", table, "--output-format", "csv"], "--output-format needs -o"),
        (["generate", "-m", model_path, "--prefix", "x_"], "--prefix need --anomalies"),
        (["generate", "-m", model_path, "-o", "-", "--json"], "--json and -o - both write to standard output"),
    ):
        done = run_tabad(*arguments)
        assert done.returncode == 2
        assert said in done.stdout + done.stderr


def test_a_name_that_is_no_utf8_is_said(run_tabad: RunTabad, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/stra\xdfe.csv"
    with open(name, "wb") as file:
        file.write(b"a\n" + b"1\n2\n" * 20)
    done = run_tabad("score", os.fsdecode(name))
    assert done.returncode == 3
    assert r"stra\udcdfe.csv' is not UTF-8, and pyarrow opens no such file" in done.stderr

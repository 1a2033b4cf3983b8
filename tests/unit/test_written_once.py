"""What goes to standard output or through a link: once, whole, and to where the link points."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import RunTabad

import tabad
from tabad.tables import text


def retyped(path: Path, rows: int) -> Path:
    """A column that the model does not know, of whole numbers but in the last line."""
    lines = [f"{row % 7},{row % 5},{row}" for row in range(rows - 1)]
    path.write_text("\n".join(["a,b,note", *lines, "1,1,none"]) + "\n")
    return path


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    tabad.fit(pa.table({"a": [row % 7 for row in range(300)], "b": [row % 5 for row in range(300)]}),
              quality="fast", output=tmp_path / "m.tabad")  # fmt: skip
    return tmp_path / "m.tabad"


def test_a_type_that_is_learned_late_writes_no_row_twice(
    run_tabad: RunTabad, small_model: Path, tmp_path: Path
) -> None:
    rows = 500_000  # beyond the first block of four megabytes, which fixes the types
    table = retyped(tmp_path / "late.csv", rows)
    assert table.stat().st_size > text.BLOCK
    done = run_tabad("score", table, "-m", small_model, "-o", "-")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == rows + 1
    assert sum(line.startswith('"a"') for line in lines) == 1
    assert '"none"' in lines[-1]


def test_a_pipe_that_is_closed_early_is_no_refusal(run_tabad: RunTabad, small_model: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(200_000)), "b": list(range(200_000))}), table)
    command = [sys.executable, "-m", "tabad", "score", str(table), "-m", str(small_model), "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 6
        assert "Traceback" not in process.stderr.read()


def test_a_full_disk_behind_standard_output_is_said(small_model: Path) -> None:
    for arguments in (["inspect", str(small_model)], ["inspect", str(small_model), "--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([sys.executable, "-m", "tabad", *arguments], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)  # fmt: skip
        assert done.returncode == 6, done.stderr
        assert done.stderr == "error: cannot write standard output: No space left on device\n"


def test_a_link_stays_a_link(small_model: Path, tmp_path: Path) -> None:
    table, real, link = tmp_path / "t.parquet", tmp_path / "real.csv", tmp_path / "link.csv"
    pq.write_table(pa.table({"a": [1, 2, 3], "b": [1, 2, 3]}), table)
    real.write_text("old\n")
    link.symlink_to(real)
    tabad.score(table, small_model, output=link)
    assert link.is_symlink()
    assert len(real.read_text().splitlines()) == 4


def test_a_table_survives_a_model_that_is_to_be_written_over_it(run_tabad: RunTabad, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(100))}), table)
    before = table.read_bytes()
    for command in (["fit", table, "--quality", "fast", "-o", table], ["score", table, "--save-model", table]):
        done = run_tabad(*command)
        assert done.returncode == 2
        assert "is the table itself" in done.stderr
        assert table.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.parquet"]


def test_an_empty_line_of_one_column_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("word\n" + "".join(f"{'' if row % 10 == 3 else f'w{row % 4}'}\n" for row in range(100)))
    scored = tabad.score(path)
    assert scored.num_rows == 100
    assert scored["word"].null_count == 10


def test_bytes_and_uuids_can_be_written_as_text(tmp_path: Path) -> None:
    uuids = pa.array([bytes([row] * 16) for row in range(50)], pa.binary(16))
    table = pa.table({"a": [row / 2 for row in range(50)], "raw": pa.array([bytes([200, row]) for row in range(50)]),
                      "key": pa.ExtensionArray.from_storage(pa.uuid(), uuids)})  # fmt: skip
    tabad.score(table, ignore=["raw", "key"], output=tmp_path / "o.csv")
    assert (
        (tmp_path / "o.csv")
        .read_text()
        .splitlines()[2]
        .startswith('0.5,"yAE=","01010101-0101-0101-0101-010101010101",')
    )
    tabad.score(table, ignore=["raw", "key"], output=tmp_path / "o.jsonl")
    assert json.loads((tmp_path / "o.jsonl").read_text().splitlines()[1])["raw"] == "yAE="


def test_times_and_spans_are_read_from_the_json_lines_that_were_written(tmp_path: Path) -> None:
    import datetime as dt

    table = pa.table(
        {
            "at": pa.array([dt.time(row % 24, 1, 2, 345) for row in range(60)], pa.time64("us")),
            "ms": pa.array([dt.time(row % 24, 1, 2, 5_000) for row in range(60)], pa.time32("ms")),
            "took": pa.array([dt.timedelta(seconds=row, milliseconds=7) for row in range(60)], pa.duration("ms")),
            "day": pa.array([dt.date(2024, 1, 1 + row % 28) for row in range(60)]),
            "n": list(range(60)),
        }
    )
    model = tabad.fit(table, quality="fast")
    model.score(table, output=tmp_path / "t.jsonl", prefix="x_")
    assert tabad.score(tmp_path / "t.jsonl", model)["tabad_score"].equals(model.score(table)["tabad_score"])


def test_empty_lines_above_the_header_of_one_column_are_no_header(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("\n\nword\n" + "".join(f"w{row % 4}\n" for row in range(100)))
    assert tabad.score(path)["word"].to_pylist() == [f"w{row % 4}" for row in range(100)]


def test_what_is_false_is_not_what_is_missing(tmp_path: Path) -> None:
    flags = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([row % 2 for row in range(50)], pa.int8()))
    words = pa.array([b"\xc8" if row % 2 else b"" for row in range(50)]).dictionary_encode()
    table = pa.table({"a": [row / 2 for row in range(50)], "f": flags, "w": words})
    tabad.score(table, ignore=["f", "w"], output=tmp_path / "o.csv")
    first, second = (tmp_path / "o.csv").read_text().splitlines()[1:3]
    assert first.startswith('0,"false","",')
    assert second.startswith('0.5,"true","yA==",')

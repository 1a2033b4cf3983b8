"""Reading any table and writing it, whole or not at all."""

import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tabad
from tabad.errors import UsageError
from tabad.tables import Table, open_table, write
from tabad.tables.files import format_by_bytes


def read(data: object, **options: str) -> pa.Table:
    table = open_table(data, **options)
    return table.reread(lambda: table.open().read_all())


@pytest.mark.parametrize(
    "ending", ["parquet", "csv", "csv.gz", "tsv", "jsonl", "ndjson", "arrow", "feather", "csv.zst"]
)
def test_what_was_written_is_read_again(ending: str, tmp_path: Path) -> None:
    table = pa.table({"n": [1, None, 3], "text": ["NA", None, 'say "hi",\nzoë'], "x": [0.1, 1e300, None]})
    path = tmp_path / f"t.{ending}"

    assert write(open_table(table).open(), str(path)) == 3

    assert read(path).to_pydict() == table.to_pydict()
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "arrow"])
def test_standard_input_is_told_by_its_first_bytes(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    write(open_table(table).open(), str(tmp_path / f"t.{ending}"))
    content = (tmp_path / f"t.{ending}").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    assert read("-").to_pydict() == table.to_pydict()


def test_first_bytes_of_formats() -> None:
    heads = [b"PAR1....", b"ARROW1\0\0", b"\xff\xff\xff\xff\x10", b' {"a":1}', b"a,b\n1,2"]

    assert [format_by_bytes(head) for head in heads] == ["parquet", "arrow", "arrow", "jsonl", "csv"]


def test_folder_and_glob_are_read_in_order(tmp_path: Path) -> None:
    for number in (2, 1):
        pyarrow.parquet.write_table(pa.table({"a": [number]}), tmp_path / f"p{number}.parquet")

    assert read(tmp_path)["a"].to_pylist() == [1, 2]
    assert read(tmp_path / "p*.parquet")["a"].to_pylist() == [1, 2]
    assert open_table(tmp_path).rows == 2


def test_hive_folder_gives_its_partition_as_a_column(tmp_path: Path) -> None:
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
        pyarrow.parquet.write_table(pa.table({"a": [day * 10]}), tmp_path / f"day={day}" / "x.parquet")

    assert read(tmp_path).to_pydict() == {"a": [10, 20], "day": [1, 2]}


def test_csv_files_may_order_columns_differently_and_widen_later(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b,a\ny,2.5\n")

    assert read(tmp_path).to_pydict() == {"a": [1.0, 2.5], "b": ["x", "y"]}


def test_csv_number_that_turns_to_text_late_is_read_as_text_and_said(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("code,n\n" + "1,2\n" * 1_500_000 + "A7,2\n")
    table = open_table(path)

    found = table.reread(lambda: table.open().read_all())

    assert found["code"].to_pylist()[-2:] == ["1", "A7"]
    assert table.notes == [
        f"column `code` looks like int64 at first, but reads 'A7' in line 1,500,002 of {path}: it is read as text"
    ]


def test_csv_whole_numbers_that_turn_to_fractions_late_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("n,m\n" + "1,2\n" * 1_500_000 + "1.5,2\n")
    table = open_table(path)

    assert table.reread(lambda: table.open().read_all()).schema.field("n").type == pa.float64()
    assert table.notes == []


def test_csv_is_read_with_the_types_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("code,amount,when\n007,1.50,2026-01-01T10:00:00Z\n,2.00,\n")
    schema = pa.schema(
        [
            ("code", pa.string_view()),
            ("amount", pa.decimal64(9, 2)),
            ("when", pa.timestamp("us", "UTC")),
            ("gone", pa.int8()),
        ]
    )

    found = open_table(path).open(types=schema).read_all()

    assert found.schema.types == [pa.string(), pa.decimal128(9, 2), pa.timestamp("us", "UTC")]
    assert found["code"].to_pylist() == ["007", None]


BAD_FILES = {
    "zero bytes": ("t.csv", b"", "table-empty", "0 bytes"),
    "blank lines": ("t.csv", b"\n\n", "table-empty", "no header"),
    "ragged": ("t.csv", b"a,b\n1,2\n1\n", "csv-ragged", "line 3 of {path} has 1 field, but its header has 2"),
    "twice": ("t.csv", b"a,b,a\n1,2,3\n", "column-twice", "several columns named `a`"),
    "latin1": ("t.csv", "a,b\n1,é\n".encode("latin1"), "csv-encoding", "column `b` of {path} is not UTF-8"),
    "not parquet": ("t.parquet", b"a,b\n1,2\n", "table-unreadable", "{path} is not a readable parquet file"),
    "not arrow": ("t.arrow", b"a,b\n1,2\n" * 9, "table-unreadable", "{path} is not a readable arrow file"),
    "not json": ("t.jsonl", b'{"a": 1}\n{"a":\n', "json-invalid", "line 2 of {path} is not JSON"),
    "json list": ("t.jsonl", b"[1, 2]\n", "json-invalid", "line 1 of {path} is not a JSON object"),
    "json types": ("t.jsonl", b'{"a": 1}\n{"a": "x"}\n', "json-types", "column `a` of {path} holds numbers and text"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_named_with_the_place(case: str, tmp_path: Path) -> None:
    name, content, error, message = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(tabad.InputError) as caught:
        read(path)

    assert caught.value.name == error
    assert message.format(path=path) in str(caught.value)


def test_truncated_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"a": range(1000)}), path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(tabad.InputError, match="is not a readable parquet file"):
        read(path)


@pytest.mark.parametrize("name", ["gone.parquet", "gone*.parquet", "no/folder.csv"])
def test_missing_table_is_not_found(name: str, tmp_path: Path) -> None:
    with pytest.raises(tabad.TableNotFound):
        read(tmp_path / name)


def test_near_name_is_offered(tmp_path: Path) -> None:
    (tmp_path / "payments.parquet").touch()

    with pytest.raises(tabad.TableNotFound) as caught:
        read(tmp_path / "payment.parquet")

    assert caught.value.hint == f"did you mean {tmp_path / 'payments.parquet'}?"


def test_files_of_other_schemas_are_named_with_columns(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [1], "b": [1]}), tmp_path / "1.parquet")
    pyarrow.parquet.write_table(pa.table({"a": ["x"], "c": [1]}), tmp_path / "2.parquet")

    with pytest.raises(tabad.InputError) as caught:
        read(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path / '2.parquet'} has other columns than 1.parquet: "
        "`b` is missing, `c` is new, `a` is string and not int64"
    )


def test_folder_of_several_formats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n')

    with pytest.raises(tabad.InputError, match=r"several formats: csv \(a.csv\), jsonl \(b.jsonl\)"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("table", "output"),
    [
        ("days", "days/scored.parquet"), ("days", "days/1.parquet"), ("hive", "hive/d=2/p.parquet"),
        ("hive", "hive/all.csv"), ("days/*.parquet", "days/s.parquet"), ("**/[0-9].parquet", "new/deep/3.parquet"),
    ],
)  # fmt: skip
def test_output_that_would_be_read_the_next_time_is_refused(
    table: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _two_days(tmp_path, monkeypatch)

    with pytest.raises(UsageError, match=re.escape(f"{output} would be read as part of {table} the next time")):
        open_table(table, output=output)


@pytest.mark.parametrize(
    ("table", "output"),
    [
        ("days", "days/_scored.parquet"), ("days", "days/scored.txt.bak"), ("days", "scored.parquet"), ("days", "-"),
        ("days", "days/deeper/1.parquet"), ("hive", "d=2/p.parquet"), ("days/*.parquet", "days/deeper/1.parquet"),
        ("days/*.parquet", "days/.1.parquet"), ("days/1.parquet", "days/1.parquet"),
        ("**/[0-9].parquet", "new/10.parquet"),
    ],
)  # fmt: skip
def test_output_beside_the_files_that_are_read_is_fine(
    table: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _two_days(tmp_path, monkeypatch)

    assert open_table(table, output=output).paths == open_table(table).paths


def _two_days(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for path in ("days/1.parquet", "days/2.parquet", "hive/d=1/p.parquet"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pa.table({"a": [1]}), folder / path)


class _Failing(Table):
    def __init__(self, error: BaseException) -> None:
        super().__init__("a failing table")
        self.error = error

    def _reader(self, _columns: object, _types: object) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        def batches() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"a": [1]})
            raise self.error

        return pa.schema([("a", pa.int64())]), batches()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom"), tabad.InputError("bad page")])
def test_failed_writing_leaves_the_old_file_and_nothing_else(error: BaseException, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")

    with pytest.raises((KeyboardInterrupt, tabad.InputError)):
        write(_Failing(error).open(), str(out))

    assert out.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


@pytest.mark.parametrize(
    ("destination", "message"),
    [("gone/out.csv", "the folder .*gone does not exist"), ("folder.csv", "Is a directory")],
)
def test_what_cannot_be_written_says_why(destination: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(tabad.WriteError, match=message):
        write(open_table(pa.table({"a": [1]})).open(), str(tmp_path / destination))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_a_write_error() -> None:
    with pytest.raises(tabad.WriteError, match="No space left on device"):
        write(open_table(pa.table({"a": [1]})).open(), "/dev/full", "csv")

    assert Path("/dev/full").is_char_device()


def test_unknown_ending_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(tabad.UsageError, match="names no format"):
        write(open_table(pa.table({"a": [1]})).open(), str(tmp_path / "out.xlsx"))


def test_new_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()

    write(open_table(pa.table({"a": [1]})).open(), str(tmp_path / "out.csv"))

    assert (tmp_path / "out.csv").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_stream_is_read_once() -> None:
    table = open_table(pa.table({"a": [1]}).to_reader())
    table.open().read_all()

    with pytest.raises(tabad.UsageError, match="already read"):
        table.open()


def test_spooled_stream_is_read_again() -> None:
    table = open_table(pa.table({"a": [1, 2]}).to_reader()).spool()

    assert table.open().read_all() == table.open().read_all()


def test_an_interrupt_that_arrives_as_a_text_is_an_interrupt() -> None:
    def action() -> None:
        raise RuntimeError("Cannot get next batch from a stream: Traceback ...\nKeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        open_table(pa.table({"a": [1]})).reread(action)


def test_an_interrupt_while_the_file_is_made_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(handle: int) -> None:
        close(handle)
        raise KeyboardInterrupt

    close = os.close
    rows = pa.table({"a": [1, 2]})
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(rows.to_reader(), str(tmp_path / "out.csv"))
    assert list(tmp_path.iterdir()) == []
    # Like every other new file: mode 0666 less the mask.
    write(rows.to_reader(), str(tmp_path / "out.csv"))
    (tmp_path / "other").touch()
    assert (tmp_path / "out.csv").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_stream_that_has_no_room_names_the_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = pa.table({"a": np.random.default_rng(0).normal(size=100_000)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(tabad.errors.WriteError, match=rf"cannot write {tmp_path}/tabad-\w+\.arrow: File too large"):
            open_table(rows.to_reader()).spool()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@given(
    rows=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")), st.floats(allow_nan=False)),
        min_size=1,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_csv_gives_back_text_and_floats(rows: list[tuple[str, float]], tmp_path: Path) -> None:
    path = str(tmp_path / "t.csv")
    table = pa.table({"x": [x for _, x in rows], "t": [text for text, _ in rows], "end": ["."] * len(rows)})
    write(open_table(table).open(), path)

    found = open_table(path).open(types=table.schema).read_all()

    assert found["x"].to_pylist() == table["x"].to_pylist()
    assert found["t"].to_pylist() == [text or None for text in table["t"].to_pylist()]


def test_whole_numbers_that_pandas_wrote_with_a_point_are_scored(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    whole = pa.table({"items": draw.integers(0, 90, 400), "few": draw.integers(1, 4, 400), "x": draw.normal(size=400)})
    model = tabad.fit(whole, quality="fast")
    path = tmp_path / "t.csv"
    path.write_text("items,few,x\n" + "\n".join(f"{n}.0,{n % 3 + 1}.0,0.5" for n in range(40)) + "\n,2.0,0.1\n")
    plain = pa.table(
        {
            "items": pa.array([*range(40), None]),
            "few": [*(n % 3 + 1 for n in range(40)), 2],
            "x": [0.5] * 40 + [0.1],
        }
    )
    expected = model.score(plain)["tabad_score"].to_pylist()
    assert model.score(str(path))["tabad_score"].to_pylist() == expected


def test_digits_that_a_number_would_not_give_back_are_text(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    long = 10**19
    lines = [f"{n:05d},+49{n},{long + n},{n},0.{n},{n % 2}" for n in range(95, 130)]
    path.write_text("\n".join(["zip,phone,parcel,amount,share,flag", *lines]) + "\n")
    rows = open_table(str(path)).open().read_all()
    assert [str(kind) for kind in rows.schema.types] == ["string", "string", "string", "int64", "double", "int64"]
    assert rows.slice(0, 1).to_pylist()[0] == {
        "zip": "00095", "phone": "+4995", "parcel": str(long + 95), "amount": 95, "share": 0.95, "flag": 1,
    }  # fmt: skip
    # What a model says of its columns counts more: it was fitted on numbers.
    numbers = pa.schema([("zip", pa.int64())])
    assert open_table(str(path)).open(types=numbers).read_all()["zip"].to_pylist()[:2] == [95, 96]
    # Commas in numbers, and a code beyond the first thousand rows is a number as before.
    path.write_text("\n".join(["code;amount", *(f"{n};1,5" for n in range(1, 1_005)), "007;2,5"]) + "\n")
    late = open_table(str(path)).open().read_all()
    assert [str(kind) for kind in late.schema.types] == ["int64", "double"]


def test_integers_beyond_64_bits_in_pandas_are_refused_by_name() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(30), "big": [2**70 + n for n in range(30)]})
    with pytest.raises(tabad.errors.InputError, match="column `big` of the pandas DataFrame mixes values"):
        tabad.score(frame)

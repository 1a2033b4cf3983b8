"""Files that are not what their names say, cut short, or in another encoding: what is said, and what is unpacked."""

import bz2
import gc
import gzip
import io
import os
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import tabad
from tabad.errors import InputError, UsageError
from tabad.tables import open_table

ROWS = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})
TEXT = b"a,b\n1,x\n2,y\n3,z\n"


def _parquet() -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(ROWS, sink)
    return sink.getvalue()


def _packed(codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(TEXT)
    return bytes(sink.getvalue())


def _refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        open_table(path).open().read_all()
    return caught.value


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (_parquet(), "a parquet file", "--format parquet"),
        (gzip.compress(TEXT, mtime=0), "compressed (gz)", "let its name end in .gz"),
        (bz2.compress(TEXT), "compressed (bz2)", "let its name end in .bz2"),
        (_packed("zstd"), "compressed (zst)", "let its name end in .zst"),
        (_packed("lz4"), "compressed (lz4)", "let its name end in .lz4"),
        (b"PK\x03\x04rest", "a spreadsheet or a zip archive", "export the sheet as CSV"),
        (TEXT.decode().encode("utf-16"), "text in UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (TEXT.decode().encode("utf-16-le"), "not text: it holds bytes of 0", "tabad reads UTF-8"),
    ],
    ids=["parquet", "gz", "bz2", "zst", "lz4", "zip", "utf-16", "utf-16-le"],
)
@pytest.mark.parametrize(("ending", "said"), [("csv", "CSV"), ("jsonl", "JSON lines")])
def test_what_is_no_text_is_called_by_its_name(
    content: bytes, what: str, hint: str, ending: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)

    error = _refusal(path)

    assert (str(error), error.name) == (f"{path} is {what}, not {said}", "table-unreadable")
    assert hint in (error.hint or "")


def test_a_model_in_place_of_a_table_is_said(tmp_path: Path) -> None:
    model = tmp_path / "m.tabad"
    tabad.fit(pa.table({"x": [float(row % 7) for row in range(60)]}), quality="fast", output=str(model))

    with pytest.raises(InputError) as caught:
        tabad.score(str(model))

    assert str(caught.value) == f"{model} is a model, not CSV"
    assert caught.value.hint == f"name the table, and the model by -m: tabad score TABLE -m {model}"


def test_a_header_that_begins_like_a_magic_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("BZhash,PK\n1,2\n")

    assert open_table(tmp_path / "t.csv").open().read_all().to_pydict() == {"BZhash": [1], "PK": [2]}


@pytest.mark.parametrize("codec", ["gzip", "bz2", "zstd", "lz4"])
def test_standard_input_is_unpacked(codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_packed(codec))))

    table = open_table("-")

    assert table.open().read_all().to_pydict() == ROWS.to_pydict()
    del table
    gc.collect()
    assert os.listdir(tmp_path) == []


def test_a_compressed_file_that_is_cut_short_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a,b\n" + "".join(f"{row * 7919 % 1_000},{row}\n" for row in range(2_000))
    packed = gzip.compress(text.encode())
    short = packed[: len(packed) // 2]
    lines = gzip.compress(b"".join(b'{"a": %d}\n' % (row * 7919 % 1_000) for row in range(2_000)))
    for name, content in (("t.csv.gz", short), ("t.jsonl.gz", lines[: len(lines) // 2])):
        (tmp_path / name).write_bytes(content)
        error = _refusal(tmp_path / name)
        assert str(error) == f"cannot read {tmp_path / name}: Truncated compressed stream"
        assert error.hint == "write or copy it again: a copy cut short looks like this"

    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed[:15])))
    with pytest.raises(InputError, match="cannot read standard input: Truncated compressed stream"):
        open_table("-").open()
    gc.collect()
    assert os.listdir(folder) == []


def test_a_header_in_another_encoding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"stra\xdfe,n\na,1\n")

    error = _refusal(path)

    assert (str(error), error.name) == (f"the header of {path} is not UTF-8 text", "csv-encoding")
    # A name may hold the sign for what is lost.
    path.write_bytes("stra\ufffde,n\na,1\n".encode())
    assert open_table(path).open().read_all().column_names == ["stra\ufffde", "n"]


def test_a_sum_without_spaces_is_said_how_to_write() -> None:
    table = pa.table({"net": range(40), "tax": range(40), "total": range(0, 80, 2)})
    with pytest.raises(UsageError) as caught:
        tabad.score(table, constraints=["total=net+tax"])

    assert caught.value.hint == (
        "columns are `net`, `tax`, `total`; + and * want a space on each side: total = net + tax"
    )


def test_json_lines_of_another_encoding_are_refused_in_what_is_written(tmp_path: Path) -> None:
    """A column that is left out is not looked at, until it is written."""
    rows = b"".join(b'{"s":"Stra%se","m":%d.5}\n' % (b"\xdf" if row == 50 else b"ss", row % 7) for row in range(100))
    (tmp_path / "t.jsonl").write_bytes(rows)

    with pytest.raises(InputError) as caught:
        tabad.score(str(tmp_path / "t.jsonl"), ignore=["s"], output=str(tmp_path / "out.jsonl"))

    assert str(caught.value) == "column `s` holds text that is not UTF-8, and JSON lines have no other"
    assert caught.value.name == "text-encoding"
    assert os.listdir(tmp_path) == ["t.jsonl"]

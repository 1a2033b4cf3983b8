"""Dictionary columns: batches with dictionaries of their own are written, and come back value for value."""

from pathlib import Path

import pyarrow as pa
import pytest

from tabad import tables
from tabad.tables.dictionaries import Dictionaries

KIND = pa.dictionary(pa.int8(), pa.string())


def batch(values: list[str | None], dictionary: list[str]) -> pa.RecordBatch:
    indices = pa.array([None if value is None else dictionary.index(value) for value in values], pa.int8())
    return pa.RecordBatch.from_arrays([pa.DictionaryArray.from_arrays(indices, pa.array(dictionary))], ["a"])


BATCHES = [
    batch(["x", None, "y"], ["x", "y"]),
    batch(["y", "z", "x"], ["z", "y", "x"]),
    batch(["w", "w"], ["w"]),
    batch(["x", "y"], ["x", "y"]),
]
VALUES = ["x", None, "y", "y", "z", "x", "w", "w", "x", "y"]


def test_every_dictionary_begins_with_the_one_before() -> None:
    grown = Dictionaries()
    out = [grown.extend(one).column(0) for one in BATCHES]
    assert [column.dictionary.to_pylist() for column in out[:3]] == [["x", "y"], ["x", "y", "z"], ["x", "y", "z", "w"]]
    assert [value for column in out for value in column.to_pylist()] == VALUES
    assert {column.type for column in out} == {KIND}


@pytest.mark.parametrize("name", ["out.arrow", "out.parquet", "out.jsonl"])
def test_batches_with_dictionaries_of_their_own_are_written(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    assert tables.write(pa.RecordBatchReader.from_batches(BATCHES[0].schema, BATCHES), path) == 10
    back = tables.open_table(path).open().read_all()
    assert back["a"].to_pylist() == VALUES


def test_a_table_without_dictionaries_passes_untouched() -> None:
    plain = pa.record_batch({"a": [1, 2]})
    assert Dictionaries().extend(plain) is plain

"""Tables from elsewhere: keys past the end of a dictionary, dictionaries that change, cells that are no key."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from tests.conftest import RunTabad

import tabad
from tabad import _core


def numbered(rows: int = 600) -> pa.Table:
    return pa.table({"a": [float(row % 17) for row in range(rows)], "k": [row % 3 + 1 for row in range(rows)]})


def strange(values: list[object], rows: int = 600) -> pa.Array:
    """A dictionary with keys that it does not have."""
    keys = [(0, 9, -2, 1)[row % 4] for row in range(rows)]
    return pa.DictionaryArray.from_arrays(pa.array(keys, pa.int8()), pa.array(values), safe=False)


@pytest.mark.parametrize("values", [[1, 2, 3], [1.5, 2.5], ["x", "y"], [True, False]], ids=str)
def test_a_key_that_a_dictionary_does_not_have_is_a_null(values: list[object]) -> None:
    table = numbered().set_column(1, "k", pa.array([values[row % 2] for row in range(600)]))
    model = tabad.fit(table, quality="fast")
    nulls = pa.array([values[(0, 9, 9, 1)[row % 4]] if row % 4 in (0, 3) else None for row in range(600)])
    bad = model.score(table.set_column(1, "k", strange(values)))
    assert bad["tabad_score"].equals(model.score(table.set_column(1, "k", nulls))["tabad_score"])
    tabad.fit(table.set_column(1, "k", strange(values)), quality="fast")


def test_a_file_of_such_keys_leaves_nothing_half_written(run_tabad: RunTabad, tmp_path: Path) -> None:
    tabad.fit(numbered(), quality="fast", output=tmp_path / "m.tabad")
    table = numbered().set_column(1, "k", strange([1, 2, 3]))
    with pa.OSFile(str(tmp_path / "bad.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    done = run_tabad("score", tmp_path / "bad.arrow", "-m", tmp_path / "m.tabad")
    assert done.returncode == 0, done.stderr
    # The column itself cannot be written as text.
    done = run_tabad("score", tmp_path / "bad.arrow", "-m", tmp_path / "m.tabad", "-o", tmp_path / "o.csv")
    assert (done.returncode, done.stderr) == (
        3, "error: column `k` has a key that its dictionary does not have: Index 9 out of bounds\n"
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.arrow", "m.tabad"]


def test_dictionaries_that_change_between_batches_can_be_screened() -> None:
    kind = pa.dictionary(pa.int8(), pa.string())

    def batches() -> pa.RecordBatchReader:
        parts = [
            pa.RecordBatch.from_arrays(
                [pa.array([float(row % 7) for row in range(200)]), pa.DictionaryArray.from_arrays(
                    pa.array([row % 2 for row in range(200)], pa.int8()), pa.array(words))], names=["a", "w"])
            for words in (["x", "y"], ["z", "x"])
        ]  # fmt: skip
        return pa.RecordBatchReader.from_batches(pa.schema([("a", pa.float64()), ("w", kind)]), parts)

    scored = tabad.score(batches()).read_all()
    assert scored["w"].to_pylist() == ["x", "y"] * 100 + ["z", "x"] * 100
    model = tabad.fit(batches(), quality="fast")
    assert model.score(batches(), top=3).read_all().num_rows == 400


def test_three_and_a_half_is_not_customer_three() -> None:
    table = pa.table(
        {"customer_id": [row % 150 for row in range(6_000)], "a": [float(row % 17) for row in range(6_000)]}
    )
    model = tabad.fit(table, quality="fast", kinds={"customer_id": "key"})
    ids = table["customer_id"].to_numpy()

    def scores(column: pa.Array) -> pa.ChunkedArray:
        return model.score(table.set_column(0, "customer_id", column))["tabad_score"]

    whole = scores(pa.array(ids.astype(float)))
    assert whole.equals(model.score(table)["tabad_score"])
    unseen = scores(pa.array(ids + 10_000))
    assert scores(pa.array(ids + 0.5)).equals(unseen)
    assert not unseen.equals(whole)


def test_a_value_seen_is_shown_digit_by_digit() -> None:
    odd = "98765432109876543210.12"
    values = [Decimal(f"{row % 50}.25") for row in range(599)] + [Decimal(odd)]
    table = pa.table({"a": pa.array(values, pa.decimal128(38, 2)), "b": [float(row % 7) for row in range(600)]})
    seen = tabad.score(table, explain="all")["tabad_reasons"][-1].as_py()
    assert seen[0]["seen"] == odd
    # DuckDB's infinite date, days beyond what microseconds count.
    days = pa.array([*range(18_000, 18_599), 2**31 - 1], pa.int32()).cast(pa.date32())
    seen = tabad.score(pa.table({"d": days, "b": table["b"]}), explain="all")["tabad_reasons"][-1].as_py()
    assert seen[0]["seen"] == "294247-01-10"


def test_a_kind_is_no_obstacle_in_a_month_without_values() -> None:
    for kind, column in (("number", pa.nulls(100, pa.float64())), ("key", pa.nulls(100, pa.string())),
                         ("datetime", pa.nulls(100, pa.timestamp("us")))):  # fmt: skip
        model = tabad.fit(
            pa.table({"fee": column, "a": [row / 7 for row in range(100)]}), quality="fast", kinds={"fee": kind}
        )
        assert [one["kind"] for one in model.manifest["columns"]] == ["category", "number"]
        empty = pa.table({"fee": pa.nulls(100), "a": [row / 7 for row in range(100)]})
        assert tabad.fit(empty, quality="fast", kinds={"fee": kind}).manifest["columns"][0]["kind"] == "category"
    ids = pa.table({"id": pa.nulls(100, pa.string()), "a": [row / 7 for row in range(100)]})
    assert tabad.fit(ids, quality="fast", kinds={"id": "id"}).manifest["columns"][0]["kind"] == "id"


def test_labels_are_told_by_one_text() -> None:
    texts = _core.label_texts(pa.table({"y": [1.0, 0.5, None, float("nan"), 1e20]}))
    assert texts.to_pylist() == ["1", "0.5", None, "NaN", "1e20"]
    assert _core.label_texts(pa.table({"y": [True, None]})).to_pylist() == ["true", None]

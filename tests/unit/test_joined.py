"""A parquet table is written with further columns by copying its own chunks: nothing of them changes."""

import datetime
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabad import _core
from tabad.errors import InputError, WriteError
from tabad.tables import open_table, write_joined

ROWS = 70_000
"""More than one batch of a reading."""


def rows_of(count: int = ROWS) -> pa.Table:
    return pa.table(
        {
            "amount": pa.array([None if row % 7 == 0 else row / 3 for row in range(count)]),
            "shop": pa.array([f"s{row % 5}" for row in range(count)]).dictionary_encode(),
            "day": pa.array([datetime.date(2024, 1, 1 + row % 28) for row in range(count)]),
            "tags": pa.array([[row % 3] * (row % 4) for row in range(count)]),
        }
    ).replace_schema_metadata({"made by": "the test"})


def added(rows: int, *, batch: int = 65_536) -> Callable[[pa.Schema], pa.RecordBatchReader]:
    columns = pa.table(
        {"score": pa.array([float(row) for row in range(rows)]), "odd": pa.array([[]] * rows, pa.list_(pa.int8()))}
    )
    return lambda _: columns.to_reader(max_chunksize=batch)


def chunks(path: Path, columns: int) -> list[dict[str, Any]]:
    """What the footer says of the first column chunks, without their places in the file."""
    meta = pq.ParquetFile(path).metadata
    found = []
    for group in range(meta.num_row_groups):
        for column in range(columns):
            facts = meta.row_group(group).column(column).to_dict()
            kept = {key: value for key, value in facts.items() if not key.endswith("_offset")}
            found.append({**kept, "encodings": sorted(facts["encodings"])})
    return found


def test_added_floats_of_few_values_are_written_by_a_dictionary(tmp_path: Path) -> None:
    pq.write_table(rows_of(), tmp_path / "t.parquet")
    columns = pa.table({name: pa.array([row % 8 / 8 for row in range(ROWS)]) for name in ("score", "p")})
    out = tmp_path / "out.parquet"

    assert write_joined(open_table(tmp_path / "t.parquet"), lambda _: columns.to_reader(), str(out), repeated=["p"])

    group = pq.ParquetFile(out).metadata.row_group(0)
    has = {group.column(at).path_in_schema: group.column(at).has_dictionary_page for at in range(group.num_columns)}
    assert (has["score"], has["p"]) == (False, True)


@pytest.mark.parametrize("group", [30_000, 65_536, ROWS])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip", "use_dictionary": False}, {"data_page_version": "2.0"}]
)
def test_the_tables_own_columns_are_copied_chunk_by_chunk(tmp_path: Path, group: int, options: dict[str, Any]) -> None:
    table, source, out = rows_of(), tmp_path / "t.parquet", tmp_path / "out.parquet"
    pq.write_table(table, source, row_group_size=group, **options)

    assert write_joined(open_table(source), added(ROWS), str(out)) == ROWS

    joined = pq.read_table(out)
    assert joined.select(table.column_names).equals(pq.read_table(source))
    assert joined["score"].to_pylist() == list(range(ROWS))
    assert joined.column_names == [*table.column_names, "score", "odd"]
    assert joined.schema.metadata[b"made by"] == b"the test"
    assert chunks(out, 4) == chunks(source, 4)
    assert pq.ParquetFile(out).metadata.created_by == pq.ParquetFile(source).metadata.created_by


def test_page_indexes_and_the_order_of_rows_stay(tmp_path: Path) -> None:
    table, source, out = rows_of(5_000).drop(["tags"]), tmp_path / "t.parquet", tmp_path / "out.parquet"
    order = [pq.SortingColumn(2)]
    pq.write_table(table, source, row_group_size=2_000, write_page_index=True, sorting_columns=order)

    assert write_joined(open_table(source), added(5_000), str(out)) == 5_000

    meta = pq.ParquetFile(out).metadata
    assert [meta.row_group(group).column(0).has_column_index for group in range(3)] == [True] * 3
    assert meta.row_group(0).column(1).has_offset_index
    assert meta.row_group(2).sorting_columns == tuple(order)
    assert pq.read_table(out, filters=[("score", ">=", 4_998.0)])["amount"].to_pylist() == [
        4998 / 3 if 4998 % 7 else None,
        4999 / 3,
    ]


def test_tables_of_other_writers(tmp_path: Path) -> None:
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    made = rows_of(3_000).drop(["shop"])
    duckdb.sql(f"copy (from made) to '{tmp_path}/duckdb.parquet' (row_group_size 2048)")
    polars.from_arrow(made).write_parquet(tmp_path / "polars.parquet", row_group_size=1_000)

    for writer in ("duckdb", "polars"):
        source, out = tmp_path / f"{writer}.parquet", tmp_path / f"{writer}.out.parquet"
        assert write_joined(open_table(source), added(3_000), str(out)) == 3_000
        assert pq.read_table(out).select([0, 1, 2]).equals(pq.read_table(source))
        assert chunks(out, 3) == chunks(source, 3)
        expected = [row for row in range(2_701, 3_000) if row % 7]
        found = duckdb.sql(f"select count(*), sum(score) from '{out}' where amount > 900").fetchall()
        assert found == [(len(expected), sum(expected))]
        assert duckdb.sql(f"select count(*) from '{out}' where day = date '2024-01-05'").fetchall() == [(107,)]
        assert polars.read_parquet(out)["score"].sum() == 2_999 * 1_500


def test_several_files_become_one_and_empty_row_groups_go(tmp_path: Path) -> None:
    table = rows_of(90)
    folder = tmp_path / "parts"
    folder.mkdir()
    with pq.ParquetWriter(folder / "a.parquet", table.schema) as writer:
        for part in (table.slice(0, 20), table.slice(0, 0), table.slice(20, 30)):
            writer.write_table(part)
    pq.write_table(table.slice(50), folder / "b.parquet")

    assert write_joined(open_table(folder), added(90, batch=7), str(tmp_path / "out.parquet")) == 90

    meta = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert [meta.row_group(group).num_rows for group in range(meta.num_row_groups)] == [20, 30, 40]
    assert pq.read_table(tmp_path / "out.parquet").select(table.column_names).equals(table)


def test_files_are_open_only_while_they_are_copied(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(40):
        pq.write_table(rows_of(10).slice(part % 5, 2), folder / f"{part:02}.parquet")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = len(list(Path("/proc/self/fd").iterdir())) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, before[1]))
    try:
        assert write_joined(open_table(folder), added(80), str(tmp_path / "out.parquet")) == 80
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 40


def test_a_file_that_is_another_one_by_now_is_not_copied(tmp_path: Path) -> None:
    pq.write_table(rows_of(10), tmp_path / "t.parquet")
    (tmp_path / "out.parquet").touch()
    pq.write_table(pa.table({"score": [1.0] * 10}), tmp_path / "ten.parquet", write_page_index=True)
    splice = _core.Splice.plan([str(tmp_path / "t.parquet")], (tmp_path / "t.parquet").read_bytes())
    assert splice is not None
    splice.start(str(tmp_path / "out.parquet"))
    pq.write_table(rows_of(11), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet changed while it was read") as changed:
        splice.add((tmp_path / "ten.parquet").read_bytes())
    assert (changed.value.name, changed.value.hint) == ("table-changed", "run it again when nothing writes to it")


def test_a_table_that_is_gone_is_no_failure_to_write(tmp_path: Path) -> None:
    pq.write_table(rows_of(10), tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet")

    def gone(schema: pa.Schema) -> pa.RecordBatchReader:
        def batches() -> Iterator[pa.RecordBatch]:
            os.unlink(tmp_path / "t.parquet")
            yield from reader

        reader = added(10)(schema)
        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    with pytest.raises(InputError, match=r"^cannot read .*t\.parquet: No such file or directory$") as raised:
        write_joined(table, gone, str(tmp_path / "out.parquet"))
    assert raised.value.name == "table-unreadable"
    assert list(tmp_path.iterdir()) == []


def test_files_of_two_writers_are_written_anew(tmp_path: Path) -> None:
    table, paths = pa.table({"amount": [1.5, 2.5]}), [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        pq.write_table(table, path, store_schema=False)
    assert _core.Splice.plan(list(map(str, paths)), paths[0].read_bytes()) is not None
    # The same footer by another writer: as many letters, so that nothing moves.
    content = paths[1].read_bytes()
    assert content.count(b"parquet-cpp-arrow") == 1
    paths[1].write_bytes(content.replace(b"parquet-cpp-arrow", b"parquet-mr-arrows"))
    assert pq.ParquetFile(paths[1]).metadata.created_by.startswith("parquet-mr")
    assert _core.Splice.plan(list(map(str, paths)), paths[0].read_bytes()) is None


def test_a_table_without_rows(tmp_path: Path) -> None:
    pq.write_table(rows_of(0), tmp_path / "t.parquet")
    assert write_joined(open_table(tmp_path / "t.parquet"), added(0), str(tmp_path / "out.parquet")) == 0
    assert pq.read_table(tmp_path / "out.parquet").num_columns == 6


def test_what_cannot_be_copied_is_left_to_others(tmp_path: Path) -> None:
    table, out = pa.table({"at": pa.array([1, 2], pa.timestamp("ns"))}), str(tmp_path / "out.parquet")
    folder = tmp_path / "parts"
    folder.mkdir()
    pq.write_table(table, folder / "a.parquet")
    pq.write_table(table, folder / "b.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("at\n1\n")

    assert write_joined(open_table(folder), added(4), out) is None
    assert write_joined(open_table(tmp_path / "t.csv"), added(1), out) is None
    assert write_joined(open_table(table), added(2), out) is None
    assert write_joined(open_table(tmp_path / "t.parquet"), added(2), "-") is None
    assert write_joined(open_table(tmp_path / "t.parquet"), added(2), str(tmp_path / "out.csv")) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "t.csv", "t.parquet"]


@pytest.mark.parametrize("rows", [1_999, 2_001])
def test_other_rows_than_the_table_has_are_an_error_and_leave_nothing(tmp_path: Path, rows: int) -> None:
    pq.write_table(rows_of(2_000), tmp_path / "t.parquet", row_group_size=1_000)
    with pytest.raises(InputError, match="changed while it was read"):
        write_joined(open_table(tmp_path / "t.parquet"), added(rows), str(tmp_path / "out.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_a_failure_of_the_disk_names_the_place_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(rows_of(10), tmp_path / "t.parquet")
    plan = _core.Splice.plan([str(tmp_path / "t.parquet")], (tmp_path / "t.parquet").read_bytes())
    assert plan is not None
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        plan.start(str(tmp_path / "missing" / "out.parquet"))

    class Full:
        rows = plan.rows

        def start(self, _path: str) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_core, "Splice", type("Splice", (), {"plan": staticmethod(lambda *_: Full())}))
    with pytest.raises(WriteError, match=r"cannot write .*out\.parquet: No space left on device"):
        write_joined(open_table(tmp_path / "t.parquet"), added(10), str(tmp_path / "out.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_row_groups_come_once_each_and_with_their_rows(tmp_path: Path) -> None:
    pq.write_table(rows_of(10), tmp_path / "t.parquet", row_group_size=6)
    (tmp_path / "out.parquet").touch()
    pq.write_table(pa.table({"score": [1.0] * 6}), tmp_path / "six.parquet")
    six = (tmp_path / "six.parquet").read_bytes()
    splice = _core.Splice.plan([str(tmp_path / "t.parquet")], (tmp_path / "t.parquet").read_bytes())
    assert splice is not None
    assert splice.rows() == [6, 4]
    with pytest.raises(OSError, match="the file is not begun"):
        splice.add(six)
    splice.start(str(tmp_path / "out.parquet"))
    with pytest.raises(OSError, match="exhausted columns"):
        splice.add(six)  # the template has no column more
    with pytest.raises(OSError, match="row groups are missing"):
        splice.finish()
    with pytest.raises(ValueError, match="finished"):
        splice.rows()

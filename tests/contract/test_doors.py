"""One suite for every front door: the same rows and model give the same four columns, to the bit.

A new door adds one entry to DOORS and no new test.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.ipc
import pyarrow.parquet
import pytest
from tests.students import taught

import tabad

KEY = bytes(range(200, 232))
COLUMNS = ["tabad_score", "tabad_p_value", "tabad_flag", "tabad_reasons"]
LEVEL = 0.02
Door = Callable[[pa.Table, Path, Path], pa.Table]


def _opened(model: Path) -> tabad.Model | Path:
    """What a door is given: the path, or the model where it needs the key that lies beside it."""
    key = model.with_suffix(".key")
    return tabad.Model.load(model, key=key) if key.exists() else model


def _cli(ending: str, write: Callable[[pa.Table, Path], Any]) -> Door:
    def door(table: pa.Table, model: Path, folder: Path) -> pa.Table:
        source, out, key = folder / f"in.{ending}", folder / "out.parquet", model.with_suffix(".key")
        write(table, source)
        options = ["--level", str(LEVEL), *(["--key-file", key] if key.exists() else [])]
        subprocess.run(
            [sys.executable, "-m", "tabad", "score", source, "-m", model, "-o", out, *options],
            check=True,
            capture_output=True,
        )
        return pyarrow.parquet.read_table(out)

    return door


def _write_arrow(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=97)


def _write_jsonl(table: pa.Table, path: Path) -> None:
    from tabad import tables

    tables.write(table.to_reader(), str(path))


def _api_path(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    path = folder / "in.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=111)
    return tabad.score(path, _opened(model), level=LEVEL)


def _api_pyarrow(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    return tabad.score(table, _opened(model), level=LEVEL)


def _api_stream(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    reader = tabad.score(table.to_reader(max_chunksize=7), _opened(model), level=LEVEL)
    assert isinstance(reader, pa.RecordBatchReader)
    return reader.read_all()


def _api_dataset(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    return tabad.score(pyarrow.dataset.dataset(table), _opened(model), level=LEVEL).read_all()


def _polars(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    pl = pytest.importorskip("polars")
    import tabad.polars  # noqa: F401  (registers df.tabad)

    scored = pl.from_arrow(table).tabad.score(_opened(model), level=LEVEL)
    assert isinstance(scored, pl.DataFrame)
    return scored.to_arrow()


def _polars_lazy(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    pl = pytest.importorskip("polars")
    import tabad.polars  # noqa: F401  (registers df.tabad)

    scored = pl.from_arrow(table).lazy().tabad.score(_opened(model), level=LEVEL)
    assert isinstance(scored, pl.LazyFrame)
    return scored.collect().to_arrow()


def _pandas(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    pd = pytest.importorskip("pandas")
    import tabad.pandas  # noqa: F401  (registers df.tabad)

    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    frame.index = pd.Index(range(5_000, 5_000 + len(frame)), name="kept")
    scored = frame.tabad.score(_opened(model), level=LEVEL)
    assert scored.index.equals(frame.index)
    assert list(scored.columns) == [*frame.columns, *COLUMNS]
    reasons = scored["tabad_reasons"].tolist()
    flat = scored[COLUMNS[:3]].reset_index(drop=True)
    return pa.Table.from_pandas(flat).append_column(
        "tabad_reasons", pa.array([r if r is None else list(r) for r in reasons])
    )


def _duckdb_relation(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as con:
        scored = tabad.score(con.from_arrow(table), _opened(model), level=LEVEL)
        assert isinstance(scored, duckdb.DuckDBPyRelation)
        return scored.to_arrow_table()


def _duckdb_sql(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    duckdb = pytest.importorskip("duckdb")
    import tabad.duckdb

    with duckdb.connect() as con:
        key = model.with_suffix(".key")
        tabad.duckdb.register(con, model, level=LEVEL, key=key if key.exists() else None)
        con.register("rows", table)
        asked = ", ".join(f"tabad_{field}(t) AS tabad_{field}" for field in tabad.duckdb.FIELDS)
        return con.sql(f"SELECT {asked} FROM (SELECT 1 AS extra, * FROM rows) t").to_arrow_table()


def _sklearn(table: pa.Table, model: Path, folder: Path) -> pa.Table:
    pytest.importorskip("sklearn")
    from tabad.sklearn import TabadDetector

    scores = -TabadDetector(model=_opened(model)).fit(table).score_samples(table)
    return pa.table({"tabad_score": scores})


DOORS: dict[str, Door] = {
    "cli parquet": _cli("parquet", pyarrow.parquet.write_table),
    "cli csv": _cli("csv", pyarrow.csv.write_csv),
    "cli arrow": _cli("arrow", _write_arrow),
    "cli jsonl": _cli("jsonl", _write_jsonl),
    "api path": _api_path,
    "api pyarrow": _api_pyarrow,
    "api stream": _api_stream,
    "api dataset": _api_dataset,
    "polars": _polars,
    "polars lazy": _polars_lazy,
    "pandas": _pandas,
    "duckdb relation": _duckdb_relation,
    "duckdb sql": _duckdb_sql,
    "sklearn": _sklearn,
}


@pytest.fixture(scope="module", params=["teacher", "student", "redacted"])
def model(request: pytest.FixtureRequest, mixed: pa.Table) -> tabad.Model:
    """A fast model, one whose student scores, and a redacted copy of that one."""
    if request.param == "teacher":
        return tabad.fit(mixed, quality="fast", memory=256)
    pytest.importorskip("torch")
    student = taught(mixed).with_scorer("student")
    return student if request.param == "student" else student.redacted(KEY)


@pytest.fixture(scope="module")
def model_path(model: tabad.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "mixed.tabad"
    model.save(path)
    if model.manifest["redacted"]:
        path.with_suffix(".key").write_bytes(KEY)
    return path


@pytest.fixture(scope="module")
def expected(mixed: pa.Table, model: tabad.Model) -> pa.Table:
    return model.score(mixed, level=LEVEL)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_gives_the_same_bits(
    door: str, mixed: pa.Table, model_path: Path, expected: pa.Table, tmp_path: Path
) -> None:
    found = DOORS[door](mixed, model_path, tmp_path)

    for name in COLUMNS:
        if name in found.column_names:
            assert _values(found, name) == _values(expected, name), name


def test_some_rows_are_flagged_and_have_reasons(expected: pa.Table) -> None:
    rows = expected.select(COLUMNS).to_pylist()
    flagged = [row for row in rows if row["tabad_flag"]]

    assert 0 < len(flagged) < len(rows) / 10
    assert all(row["tabad_reasons"] for row in flagged)
    assert all(row["tabad_reasons"] is None for row in rows if not row["tabad_flag"])


def test_column_order_and_further_columns_change_nothing(
    mixed: pa.Table, model: tabad.Model, expected: pa.Table
) -> None:
    shuffled = mixed.select(mixed.column_names[::-1]).append_column("further", pa.nulls(mixed.num_rows))

    found = model.score(shuffled, level=LEVEL)

    assert found.column_names == [*shuffled.column_names, *COLUMNS]
    assert _values(found, "tabad_score") == _values(expected, "tabad_score")


def test_row_order_changes_nothing(mixed: pa.Table, model: tabad.Model, expected: pa.Table) -> None:
    order = list(range(mixed.num_rows))[::-1]

    found = model.score(mixed.take(order), level=LEVEL)

    assert _values(found, "tabad_score") == _values(expected, "tabad_score")[::-1]


def test_threads_change_nothing(mixed: pa.Table, model: tabad.Model, expected: pa.Table) -> None:
    assert _values(model.score(mixed, level=LEVEL, threads=1), "tabad_score") == _values(expected, "tabad_score")


def test_a_model_of_no_rows_table_gives_an_empty_scored_table(mixed: pa.Table, model: tabad.Model) -> None:
    found = model.score(mixed.slice(0, 0))

    assert found.num_rows == 0
    assert found.column_names == [*mixed.column_names, *COLUMNS]


def _values(table: pa.Table, name: str) -> list[Any]:
    values = table[name].to_pylist()
    if name == "tabad_reasons":
        return [None if reasons is None else [dict(reason) for reason in reasons] for reasons in values]
    if name == "tabad_flag":
        return [bool(value) for value in values]
    return [value.hex() for value in values]

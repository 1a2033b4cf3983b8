"""What comes back is the caller's own kind of table, its own columns untouched."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tabad
from tabad.schema import spot_labels
from tabad.tables import open_table


@pytest.mark.parametrize("engine", ["polars", "pandas"])
@pytest.mark.parametrize("first", ["engine", "tabad"])
def test_accessor_is_there_whatever_was_imported_first(engine: str, first: str) -> None:
    pytest.importorskip(engine)
    imports = [f"import {engine}", "import tabad"] if first == "engine" else ["import tabad", f"import tabad.{engine}"]
    code = "; ".join([*imports, f"import {engine} as e", "assert hasattr(e.DataFrame, 'tabad')"])

    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_polars_text_with_nulls_is_fitted_and_screened() -> None:
    pl = pytest.importorskip("polars")
    texts = ["$1,200.50", "$900.00", None, "$1.00"] * 100
    frame = pl.DataFrame({"x": np.arange(400.0), "s": texts, "rare": (["a"] * 30 + [None, "b"]) * 12 + ["a"] * 16})
    arrow = frame.to_arrow().cast(pa.schema({"x": pa.float64(), "s": pa.string(), "rare": pa.string()}))

    with pytest.warns(tabad.TabadWarning, match="`s` is text such as '\\$1,200.50'.*"):
        expected = tabad.score(arrow, quality="fast")["tabad_score"].to_pylist()
    for rows in (frame, frame.lazy()):
        with pytest.warns(tabad.TabadWarning, match="`s` is text such as"):
            scored = tabad.score(rows, quality="fast").lazy().collect()
        assert scored["tabad_score"].to_list() == expected
        table = open_table(rows)
        table.open().read_all()
        assert spot_labels(table.head) == {"rare": "two values, one in 3.1% of the rows"}
    with pytest.warns(tabad.TabadWarning):
        assert tabad.fit(frame, quality="fast").score(frame).height == 400


def test_polars_columns_keep_their_types(mixed: pa.Table, model: tabad.Model) -> None:
    pl = pytest.importorskip("polars")
    frame = pl.from_arrow(mixed).with_columns(pl.col("channel").cast(pl.Enum(["web", "store", "app"])))

    scored = model.score(frame)

    assert scored.drop(pl.selectors.starts_with("tabad_")).equals(frame)
    assert scored.schema["channel"] == pl.Enum(["web", "store", "app"])


def test_lazy_frame_reads_only_what_is_asked(mixed: pa.Table, model: tabad.Model) -> None:
    pl = pytest.importorskip("polars")
    lazy = model.score(pl.from_arrow(mixed).lazy(), level=0.05)

    few = lazy.filter(pl.col("tabad_flag")).select("row_id", "tabad_score").collect()
    whole = model.score(pl.from_arrow(mixed), level=0.05)

    assert few.equals(whole.filter(pl.col("tabad_flag")).select("row_id", "tabad_score"))
    assert lazy.head(3).collect().equals(whole.head(3))


def test_lazy_frame_takes_the_top(mixed: pa.Table, model: tabad.Model) -> None:
    pl = pytest.importorskip("polars")

    assert model.score(pl.from_arrow(mixed).lazy(), top=4).collect()["tabad_flag"].sum() == 4


def test_pandas_keeps_index_and_types(mixed: pa.Table, model: tabad.Model) -> None:
    pd = pytest.importorskip("pandas")
    frame = mixed.to_pandas(types_mapper=pd.ArrowDtype).set_index("row_id")
    with_id = frame.assign(row_id=frame.index.to_numpy())

    scored = model.score(with_id)

    pd.testing.assert_frame_equal(scored[with_id.columns], with_id)
    assert scored["tabad_score"].dtype == "float64"
    assert scored["tabad_flag"].dtype == "bool"


def test_pandas_column_of_mixed_types_is_named() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"good": range(30), "bad": ["x", 1.5, None] * 10})

    with pytest.raises(tabad.InputError, match="`bad` of the pandas DataFrame mix") as caught:
        tabad.score(frame)

    assert 'df["bad"].astype("string")' in (caught.value.hint or "")


def test_duckdb_enum_comes_back_as_enum(mixed: pa.Table, model: tabad.Model) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as con:
        con.register("rows", mixed)
        relation = con.sql("SELECT * REPLACE (channel::ENUM('web', 'store', 'app') AS channel) FROM rows")

        scored = model.score(relation)

        assert [str(kind) for kind in scored.types[: len(relation.types)]] == [str(kind) for kind in relation.types]


def test_sql_scores_a_cte_with_nulls_and_misses_a_column_in_the_binder(mixed: pa.Table, model_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    import tabad.duckdb

    with duckdb.connect() as con:
        tabad.duckdb.register(con, model_path, name="m2")
        con.register("rows", mixed)
        nulls = con.sql("WITH v AS (SELECT * REPLACE (NULL::DOUBLE AS weight) FROM rows) SELECT m2_score(v) s FROM v")
        assert nulls.aggregate("count(s)").fetchall() == [(mixed.num_rows,)]

        with pytest.raises(duckdb.BinderException, match="weight"):
            con.sql("SELECT m2_score(v) FROM (SELECT * EXCLUDE (weight) FROM rows) v")


def test_stream_is_scored_batch_by_batch(mixed: pa.Table, model: tabad.Model) -> None:
    read = 0

    def batches() -> object:
        nonlocal read
        for batch in mixed.to_batches(max_chunksize=50):
            read += 1
            yield batch

    reader = model.score(pa.RecordBatchReader.from_batches(mixed.schema, batches()))
    reader.read_next_batch()

    assert read < 12


def test_stream_without_a_model_is_spooled_and_screened(mixed: pa.Table) -> None:
    reader = tabad.score(mixed.to_reader(max_chunksize=50), top=3)

    assert isinstance(reader, pa.RecordBatchReader)
    assert sum(reader.read_all()["tabad_flag"].to_pylist()) == 3


def test_detector_signs() -> None:
    np = pytest.importorskip("numpy")
    pytest.importorskip("sklearn")
    from tabad.sklearn import TabadDetector

    rows = np.random.default_rng(0).normal(size=(300, 3))
    detector = TabadDetector(contamination=0.1).fit(rows)

    assert (detector.predict(rows) == -1).sum() == 30
    assert detector.score_samples(np.array([[0.0, 0, 0]]))[0] > detector.score_samples(np.array([[9.0, 9, 9]]))[0]
    assert (detector.decision_function(rows) > 0).sum() == 270

"""A cursor of DuckDB, its way to use threads, and a second connection take a model of their own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tabad

duckdb = pytest.importorskip("duckdb")
SUM = "SELECT sum(tabad_score(t)) FROM t"


def _model(seed: int) -> tabad.Model:
    draw = np.random.default_rng(seed)
    return tabad.fit(pa.table({"a": draw.normal(size=300), "b": draw.normal(size=300)}), quality="fast", seed=seed)


def test_each_has_its_own_model(tmp_path: Path) -> None:
    import tabad.duckdb

    rows = pa.table({"a": [0.0, 4.0], "b": [1.0, -3.0]})
    models = [_model(seed) for seed in range(3)]
    expected = [float(np.sum(one.score(rows)["tabad_score"].to_numpy())) for one in models]
    first = duckdb.connect(str(tmp_path / "t.db"))
    first.execute("CREATE TABLE t AS FROM rows")
    connections = [first, first.cursor(), duckdb.connect(str(tmp_path / "t.db"))]
    for connection, model in zip(connections, models, strict=True):
        tabad.duckdb.register(connection, model)
    found = [connection.sql(SUM).fetchall()[0][0] for connection in connections]
    assert found == pytest.approx(expected, rel=1e-12)
    tabad.duckdb.register(connections[1], models[0])  # again: it replaces its own alone
    again = [connection.sql(SUM).fetchall()[0][0] for connection in connections]
    assert again == pytest.approx([expected[0], expected[0], expected[2]], rel=1e-12)

    def by_cursor(model: tabad.Model) -> float:
        cursor = first.cursor()
        tabad.duckdb.register(cursor, model)
        return float(cursor.sql(SUM).fetchall()[0][0])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(by_cursor, models)) == pytest.approx(expected, rel=1e-12)

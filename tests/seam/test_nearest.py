"""Rust = oracle for nearest records: any table, any k, some columns, a table against itself."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import mixed_table
from tests.oracle import nearest as oracle

from tabad import _core
from tabad.errors import UsageError

# Sums of some tens of float32 squares of up to 60 standard deviations.
TOLERANCE = 1e-5


def fit(table: pa.Table) -> _core.Model:
    fitting = _core.Fit(memory=32, screen=True, threads=1)
    fitting.observe(table)
    fitting.prepare()
    return fitting.finish()


def flat(model: _core.Model, block: tuple[int, Any, Any], columns: list[str] | None = None) -> Any:
    """The block as the oracle sees it, of some columns."""
    rows = block[0]
    x, c = np.frombuffer(block[1], np.float32), np.frombuffer(block[2], np.uint16)
    x, c = x.reshape(rows, -1).astype(np.float64), c.reshape(rows, -1).astype(np.int64)
    numbers, categories = [], []
    for column in json.loads(model.manifest())["columns"]:
        if columns is not None and column["name"] not in columns:
            continue
        parts = max(1, sum(feature["part"] != "status" for feature in column["features"]))
        for feature in column["features"]:
            weight = 1.0 if feature["part"] == "status" else 1 / math.sqrt(parts)
            if "number" in feature:
                numbers.append((feature["number"], weight))
            else:
                categories.append((feature["category"], weight, feature["size"]))
    return oracle.one_hot(
        x[:, [n for n, _ in numbers]],
        c[:, [k for k, _, _ in categories]],
        np.array([w for _, w in numbers]),
        np.array([w for _, w, _ in categories]),
        [size for _, _, size in categories],
    )


def check(model: _core.Model, rows: Any, reference: Any, k: int, **options: Any) -> None:
    columns = options.get("columns")
    distances, places = model.nearest(rows, reference, k=k, **options)
    found = np.frombuffer(distances, np.float32).reshape(rows[0], k)
    named = np.frombuffer(places, np.uint32).astype(np.int64).reshape(rows[0], k)
    own = bool(options.get("exclude_self"))
    left, right = flat(model, rows, columns), flat(model, reference, columns)
    expected, _ = oracle.nearest(left, right, k, exclude_self=own)

    there = min(k, reference[0] - own)
    assert np.isinf(found[:, there:]).all()
    assert (named[:, there:] == 2**32 - 1).all()
    found, named, expected = found[:, :there], named[:, :there], expected[:, :there]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)
    # The rows named are at the distances given, each once, in order; of rows at one distance the earlier comes first.
    gaps = ((left[:, None, :] - right[named]) ** 2).sum(axis=2)
    np.testing.assert_allclose(gaps, found, rtol=TOLERANCE, atol=TOLERANCE)
    assert all(len(set(line)) == there for line in named.tolist())
    later = named[:, 1:] > named[:, :-1]
    assert (later | (found[:, 1:] > found[:, :-1])).all()
    if own:
        assert (named != np.arange(rows[0])[:, None]).all()


@pytest.mark.parametrize("k", [1, 3, 17])
@pytest.mark.parametrize("columns", [None, ["amount"], ["country", "channel"], ["time", "note", "weight"]])
def test_a_mixed_table(k: int, columns: list[str] | None) -> None:
    model = fit(mixed_table(600, seed=1))
    rows, reference = model.encode(mixed_table(61, seed=2)), model.encode(mixed_table(533, seed=3))

    check(model, rows, reference, k, columns=columns)


def test_a_table_against_itself() -> None:
    table = mixed_table(200, seed=1)
    model = fit(table)
    block = model.encode(pa.concat_tables([table, table.slice(0, 30)]))

    check(model, block, block, 2, exclude_self=True)
    distances, places = model.nearest(block, block, exclude_self=True)
    assert np.frombuffer(distances, np.float32)[:30].tolist() == [0.0] * 30
    assert np.frombuffer(places, np.uint32)[:30].tolist() == list(range(200, 230))


VALUES = st.sampled_from([0.0, 1.0, 2.5]) | st.floats(-1e3, 1e3) | st.none()
ROWS = st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["a", "b", None])), min_size=1, max_size=70)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, reference=ROWS, k=st.integers(1, 5), threads=st.integers(1, 2))
def test_any_table(rows: list[Any], reference: list[Any], k: int, threads: int) -> None:
    def table(rows: list[Any]) -> pa.Table:
        first, second, third = zip(*rows, strict=True)
        columns = {"x": pa.array(first, pa.float64()), "y": pa.array(second, pa.float64()), "z": pa.array(third)}
        return pa.table({**columns, "z": columns["z"].cast(pa.string())})

    model = fit(table([(0.5, 3.0, "a"), (None, 1.0, "b"), (7.0, -2.0, None)] * 10))

    check(model, model.encode(table(rows)), model.encode(table(reference)), k, threads=threads)


def test_threads_change_nothing() -> None:
    model = fit(mixed_table(300, seed=1))
    block = model.encode(mixed_table(300, seed=2))

    one, two = (model.nearest(block, block, k=4, threads=threads) for threads in (1, 2))

    assert [bytes(part) for part in one] == [bytes(part) for part in two]


def test_no_rows_and_no_reference_rows() -> None:
    model = fit(mixed_table(100, seed=1))
    some, none = model.encode(mixed_table(9, seed=2)), model.encode(mixed_table(9, seed=2).slice(0, 0))

    assert [bytes(part) for part in model.nearest(none, some)] == [b"", b""]
    assert np.isinf(np.frombuffer(model.nearest(some, none)[0], np.float32)).all()


def test_a_block_of_another_shape_and_an_unknown_column_are_refused() -> None:
    model = fit(mixed_table(100, seed=1))
    block = model.encode(mixed_table(9, seed=2))

    with pytest.raises(UsageError, match="a block of 10 rows needs"):
        model.nearest((10, block[1], block[2]), block)
    with pytest.raises(UsageError, match="the table has no column `nope`"):
        model.nearest(block, block, columns=["nope"])

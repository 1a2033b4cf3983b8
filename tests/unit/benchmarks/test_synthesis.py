"""The parts of the synthesis case that are ours: SMOTE as TabDDPM's authors use it, types of peers' rows, intervals."""

import numpy as np
import pyarrow as pa
import pytest
from benchmarks import synthesis_peers
from benchmarks.cases.synthesis import interval


def test_smote_rows_lie_between_neighbours_of_their_own_class_with_the_majoritys_code() -> None:
    draw = np.random.default_rng(0)
    y = np.repeat([True, False], 40)
    x = np.c_[draw.random(80) + 10.0 * y, np.where(y, 3.0, 1.0)].astype(np.float32)
    made, label = synthesis_peers.smote(x, y, (False, True), 0)
    assert label.tolist() == y.tolist()
    assert made[:, 1].tolist() == x[:, 1].tolist()
    for value in (True, False):
        own = x[y == value, 0]
        assert own.min() <= made[y == value, 0].min() <= made[y == value, 0].max() <= own.max()
    assert (made[:, 0] != x[:, 0]).mean() > 0.95


def test_rows_of_a_peer_come_in_the_types_of_the_table() -> None:
    like = pa.table(
        {
            "n": pa.array([1, 2], pa.int16()),
            "x": pa.array([0.5, 1.5], pa.float32()),
            "c": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    made = synthesis_peers._typed(pa.table({"c": ["b", "a"], "x": [1.0, 2.0], "n": [1.6, 2.2]}), like)
    assert made.schema == like.schema
    assert made.to_pylist() == [{"n": 2, "x": 1.0, "c": "b"}, {"n": 2, "x": 2.0, "c": "a"}]


def test_the_interval_is_students() -> None:
    # Mean 0.2, s 0.1 over three runs: t(2) = 4.303, so 0.2 +- 0.248.
    assert interval(np.array([0.1, 0.2, 0.3])) == "+0.200 (-0.048 to +0.448)"
    assert interval(np.array([0.1])) == "+0.100"


@pytest.mark.parametrize(("kind", "number"), [(pa.int8(), True), (pa.float64(), True), (pa.string(), False)])
def test_what_counts_as_a_number_for_a_peer(kind: pa.DataType, number: bool) -> None:
    assert synthesis_peers._is_number(kind) is number

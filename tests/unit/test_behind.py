"""Batches are written in order, one behind what is read, and nothing that goes wrong is lost."""

import threading

import pyarrow as pa
import pytest

from tabad.tables.behind import Behind


def _batch(value: int) -> pa.RecordBatch:
    return pa.record_batch({"a": [value]})


def _full_at_one(batch: pa.RecordBatch) -> None:
    if batch["a"][0].as_py() == 1:
        raise OSError(28, "No space left on device")


def test_batches_are_written_in_order_and_the_first_by_the_caller() -> None:
    seen: list[tuple[int, bool]] = []
    behind = Behind(lambda batch: seen.append((batch["a"][0].as_py(), threading.current_thread() is caller)))
    caller = threading.current_thread()
    for value in range(5):
        behind.write(_batch(value))
    behind.finish()

    assert seen == [(0, True), (1, False), (2, False), (3, False), (4, False)]


def test_the_next_batch_is_taken_while_one_is_written_and_no_more() -> None:
    may_end = threading.Event()
    seen: list[int] = []

    def write(batch: pa.RecordBatch) -> None:
        seen.append(batch["a"][0].as_py())
        if seen[-1] == 1:
            assert may_end.wait(10)

    behind = Behind(write)
    behind.write(_batch(0))
    behind.write(_batch(1))  # returns although it is not written yet
    threading.Timer(0.05, may_end.set).start()
    behind.write(_batch(2))  # waits for 1
    assert may_end.is_set()
    behind.finish()

    assert seen == [0, 1, 2]


def test_an_error_is_raised_by_the_next_call_and_once() -> None:
    behind = Behind(_full_at_one)
    behind.write(_batch(0))
    behind.write(_batch(1))
    with pytest.raises(OSError, match="No space"):
        behind.write(_batch(2))
    behind.abandon()


def test_an_error_of_the_last_batch_is_not_lost() -> None:
    behind = Behind(_full_at_one)
    behind.write(_batch(0))
    behind.write(_batch(1))
    with pytest.raises(OSError, match="No space"):
        behind.finish()
    behind.abandon()


def test_abandoning_waits_for_the_batch_that_is_being_written() -> None:
    ended: list[int] = []
    may_end = threading.Event()

    def write(batch: pa.RecordBatch) -> None:
        if batch["a"][0].as_py() == 1:
            assert may_end.wait(10)
        ended.append(batch["a"][0].as_py())

    behind = Behind(write)
    behind.write(_batch(0))
    behind.write(_batch(1))
    threading.Timer(0.05, may_end.set).start()
    behind.abandon()

    assert ended == [0, 1]

"""A block is the same however many rows are encoded at once: tasks open pieces of 8,192 rows, or more beside a large
dictionary, and each codec works on 256 of them at a time."""

import datetime
import random

import pyarrow as pa
import pytest

import tabad

ROWS = 20_000


def rows_of(names: int) -> pa.Table:
    draw = random.Random(names)
    start = datetime.datetime(2024, 1, 1)
    moments = [start + datetime.timedelta(minutes=draw.randrange(500_000)) for _ in range(ROWS)]
    amounts = [draw.lognormvariate(3, 2) for _ in range(ROWS)]
    for row in range(0, ROWS, 97):
        amounts[row] = draw.choice((float("nan"), float("inf"), 1e300))
        moments[row] = None
    return pa.table(
        {
            "amount": amounts,
            "items": pa.array([draw.randrange(2_000) for _ in range(ROWS)], pa.int32()),
            "city": [draw.choice(("Ulm", "Köln", "a town whose name is long", None)) for _ in range(ROWS)],
            "name": pa.array([f"n{draw.randrange(names)}" for _ in range(ROWS)]).dictionary_encode(),
            "open": [draw.random() < 0.3 for _ in range(ROWS)],
            "at": moments,
        }
    )


@pytest.mark.parametrize("names", [40, 9_000])
def test_rows_are_encoded_alike_in_many_pieces_and_few_at_a_time(names: int) -> None:
    table = rows_of(names).combine_chunks()
    core = tabad.fit(table.slice(0, 3_000), quality="fast", memory=64, kinds={"name": "category"}).core

    rows, x, c = core.encode(table)

    assert rows == ROWS
    parts = [core.encode(table.slice(start, 333)) for start in range(0, ROWS, 333)]
    assert bytes(x) == b"".join(bytes(part[1]) for part in parts)
    assert bytes(c) == b"".join(bytes(part[2]) for part in parts)

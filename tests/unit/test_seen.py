"""What a reason shows of the cell: the weekday, shape, length or count that is odd stands beside it."""

import datetime as dt

import numpy as np
import pyarrow as pa

import tabad
from tabad.cli.render import reasons_text

MONDAY = dt.date(2024, 1, 1)
ROWS = 2_000


def _reason(model: tabad.Model, row: pa.Table, column: str) -> dict[str, str]:
    reasons = model.score(row, explain="all")["tabad_reasons"].to_pylist()[0]
    return next(reason for reason in reasons if reason["column"] == column)


def test_an_odd_weekday_is_named() -> None:
    draw = np.random.default_rng(0)
    days = [MONDAY + dt.timedelta(days=int(7 * week + day)) for week, day in draw.integers([0, 0], [50, 5], (ROWS, 2))]
    model = tabad.fit(pa.table({"day": days, "x": draw.normal(size=ROWS)}), quality="fast")

    reason = _reason(model, pa.table({"day": [dt.date(2024, 6, 2)], "x": [0.0]}), "day")

    assert reason["seen"] == "2024-06-02 (Sun)"
    assert set(reason["expected"].replace(" or ", ", ").split(", ")) <= {"Mon", "Tue", "Wed", "Thu", "Fri"}


def test_an_odd_shape_and_length_are_named() -> None:
    draw = np.random.default_rng(0)
    parts = [f"{'BX'[int(kind)]}-{number:07d}" for kind, number in draw.integers([0, 0], [2, 10**7], (ROWS, 2))]
    # 300 of another shape, so that it has a code.
    parts = [part.replace("-", "/") if row % 7 == 0 else part for row, part in enumerate(parts)]
    sizes = [len(part) + (row % 7 == 0) for row, part in enumerate(parts)]
    model = tabad.fit(pa.table({"part": parts, "size": sizes}), quality="fast", kinds={"part": "text"})

    odd = [_reason(model, pa.table({"part": [cell], "size": [9]}), "part") for cell in ("B/0000001", "B-" + "7" * 60)]

    assert odd[0] | {"share": 0} == {"column": "part", "seen": "B/0000001 (A/9+)", "expected": "shape A-9+", "share": 0}
    assert odd[1]["seen"] == "B-" + "7" * 57 + "… (62 characters)"
    assert odd[1]["expected"] == "9 characters"


def test_a_long_cell_is_cut_before_what_is_odd_of_it() -> None:
    def shown(seen: str) -> str:
        return reasons_text([{"column": "c", "seen": seen, "expected": "", "share": 1.0}])

    assert shown("short (1 in 90 rows)") == "c short (1 in 90 rows)"
    assert shown("x" * 60 + " (1 in 90 rows)") == f"c {'x' * 24}… (1 in 90 rows)"
    assert shown("x" * 60) == f"c {'x' * 39}…"
    assert len(shown("x" * 60 + " (1 in 90 rows)")) == len(shown("x" * 60)) == 42
    assert shown("cell (with " + "a longer remark in it " * 3 + ")")[-1] == "…"

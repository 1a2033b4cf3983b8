"""The case of dirty tables: what is counted right, in a table of two misspelt cells and one wrong one."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.cases import cells


def test_a_dirty_table_is_judged_cell_by_cell(tmp_path) -> None:
    draw = np.random.default_rng(0)
    right = ["Birmingham", "Montgomery", "Montgomery", *draw.choice(["Birmingham", "Montgomery"], 397)]
    seen = ["Birminghxm", "Montgmery", "Birmingham", *right[3:]]
    numbers = pa.array(draw.integers(0, 9, 400).astype(str))
    wrong = pa.table({"town": [row < 3 for row in range(400)], "n": [False] * 400})
    for name, towns in (("clean", right), ("dirty", seen)):
        pq.write_table(pa.table({"town": towns, "n": numbers}), tmp_path / f"{name}.parquet")
    pq.write_table(wrong, tmp_path / "errors.parquet")

    row = cells._judge(tmp_path, "fast")

    assert row is not None
    assert (row["wrong_rows"], row["flagged"], row["flagged_wrong"], row["named_wrong"]) == (3, 2, 2, 2)
    assert (row["first_right"], row["repaired"]) == (1.0, 1.0)
    # The two are the rarest values, and of a shape that all towns have.
    assert row["ap"] >= 2 / 3
    assert row["ap_value"] >= 2 / 3 > row["ap_shape"]


def test_tables_of_few_rows_are_left_out(tmp_path) -> None:
    for name in ("clean", "dirty", "errors"):
        pq.write_table(pa.table({"a": [True] * 99}), tmp_path / f"{name}.parquet")

    assert cells._judge(tmp_path, "fast") is None


def test_the_value_that_is_expected_is_the_first_one() -> None:
    said = [cells._says(text, "a, b") for text in ("a, b", "a, b (zip 1)", "a, b or c", "a", "a, bc", "c or a, b")]

    assert said == [True, True, True, False, False, False]

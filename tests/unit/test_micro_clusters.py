"""Five to fifty near copies of one odd row are found, though they stand beside each other."""

import numpy as np
import pyarrow as pa
import pytest

import tabad

ROWS = 3_000


def with_copies(copies: int, seed: int) -> tuple[pa.Table, np.ndarray]:
    """Correlated numbers and a category, near copies of one row that breaks the correlation, and which they are."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(ROWS, 3)) @ draw.normal(size=(3, 6)) + 0.5 * draw.normal(size=(ROWS, 6))
    shop = draw.choice(list("abcdefgh"), ROWS, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
    odd = 1.5 * draw.normal(size=6) * x.std(0)
    x = np.concatenate([x, odd + 0.01 * draw.normal(size=(copies, 6))])
    shop = np.concatenate([shop, np.repeat(draw.choice(list("fgh")), copies)])
    order = draw.permutation(len(x))
    columns = {f"x{j}": x[order, j] for j in range(6)}
    return pa.table({**columns, "shop": shop[order]}), order >= ROWS


def rank_share(copies: int, seed: int) -> float:
    """The median share of rows that are odder than a copy."""
    table, planted = with_copies(copies, seed)
    score = tabad.score(table, quality="fast", explain="none")["tabad_score"].to_numpy()
    order = np.empty(len(score))
    order[np.argsort(-score)] = np.arange(len(score))
    return float(np.median(order[planted])) / len(score)


# Means over six tables, seen: 0.05 for one row alone, 0.04, 0.05, 0.14. In densities alone: 0.21, 0.43, 0.61.
@pytest.mark.parametrize(("copies", "most"), [(5, 0.08), (20, 0.1), (50, 0.2)])
def test_near_copies_do_not_hide_each_other(copies: int, most: float) -> None:
    assert np.mean([rank_share(copies, seed) for seed in range(6)]) < most


def test_a_form_that_is_often_left_empty_does_not_stand_out() -> None:
    table, planted = with_copies(60, 1)
    columns = {name: table[name].to_numpy(zero_copy_only=False).copy() for name in table.column_names}
    for name, values in columns.items():
        values[planted] = "a" if name == "shop" else 0.0
    scored = tabad.score(pa.table(columns), quality="fast", explain="none")
    assert scored["tabad_flag"].to_numpy(zero_copy_only=False)[planted].sum() == 0

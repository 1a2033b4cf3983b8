"""The attack with shadows, on scores whose answer is known."""

import numpy as np
import pytest
from benchmarks import membership


def drawn(shadows: int, rows: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with a level of its own for each row, higher by `gap` where the generator had it; and who was a member."""
    draw = np.random.default_rng(seed)
    member_SB = draw.random((shadows, rows)) < 0.5
    return draw.normal(0, 3, rows) + draw.normal(size=(shadows, rows)) + gap * member_SB, member_SB


def test_shadows_see_through_what_differs_from_row_to_row() -> None:
    score_SB, member_SB = drawn(16, 4000, gap=1.0, seed=0)

    alone = membership._figures(score_SB, member_SB)
    shadowed = membership._figures(membership.ratios(score_SB, member_SB), member_SB)

    # Of two normal distributions a gap of 1 apart P(a > b) is Phi(1 / sqrt 2 / spread): with a spread of sqrt 10 0.589,
    # with one of 1 0.760, of which the estimated levels of rows cost a little.
    assert alone["auc"] == pytest.approx(0.589, abs=0.01)
    assert shadowed["auc"] == pytest.approx(0.745, abs=0.015)
    assert shadowed["interval"][0] > alone["interval"][1]


def test_where_nothing_leaks_shadows_find_nothing() -> None:
    score_SB, member_SB = drawn(8, 4000, gap=0.0, seed=1)

    found = membership._figures(membership.ratios(score_SB, member_SB), member_SB)

    assert found["auc"] == pytest.approx(0.5, abs=0.01)
    assert found["interval"][0] < 0.1 < found["interval"][1] + 0.01

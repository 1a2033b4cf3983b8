"""Pieces of the loop: SMOTE-NC, what is kept, folds, precision, intervals, features. Exact values on small arrays."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score

import tabad
from tabad.synthesis.augment import interval
from tabad.synthesis.features import Features, squared_distances
from tabad.synthesis.keep import Judged, keep
from tabad.synthesis.learner import average_precision, precisions
from tabad.synthesis.loop import Plan
from tabad.synthesis.parts import splits
from tabad.synthesis.smote import smote_nc


class Kinds:
    categorical = (False, False, True)


def rows(*values: tuple[float, float, float]) -> np.ndarray:
    return np.array(values, np.float32)


def test_smote_rows_lie_between_rare_rows_with_a_code_of_the_neighbours() -> None:
    rare = np.array([[x, 2 * x, x > 4, 7] for x in np.arange(10.0)], np.float32)
    made = smote_nc(rare, (False, False, True, True), 500, seed=0)
    np.testing.assert_allclose(made[:, 1], 2 * made[:, 0], rtol=1e-6)  # on the line that the rows lie on
    assert 0 <= made[:, 0].min() < 1 < 8 < made[:, 0].max() <= 9
    assert set(made[:, 3]) == {7.0}
    # Codes are the majority of five neighbours: far from the change there is one possibility.
    assert set(made[made[:, 0] < 2, 2]) == {0.0}
    assert set(made[made[:, 0] > 7, 2]) == {1.0}


def test_smote_keeps_an_absent_number_absent_and_works_from_two_rows() -> None:
    made = smote_nc(np.array([[np.nan, 1.0], [np.nan, 3.0]], np.float32), (False, False), 20, seed=0)
    assert np.isnan(made[:, 0]).all()
    assert 1 <= made[:, 1].min() <= made[:, 1].max() <= 3


def test_distances_bound_numbers_and_count_differences() -> None:
    a = rows((0, 0, 1))
    b = rows((0, 0, 1), (1, 0, 2), (9, 0, 1), (np.nan, 0, 1))
    assert squared_distances(a, b, Kinds()).tolist() == [[0.0, 2.0, 9.0, 1.0]]


def test_copies_odd_rows_and_what_says_nothing_are_left_out() -> None:
    rare = Judged(rows((0, 0, 1), (1, 0, 1), (2, 0, 1)), np.array([1.0, 2.0, 3.0]), np.ones(3))
    others = Judged(rows((5, 5, 1), (6, 6, 1)), np.zeros(2), np.array([0.1, 0.2]))
    made = Judged(
        rows((0.5, 0, 1), (1.05, 0, 1), (5, 5, 1), (0.4, 0, 1), (0.6, 0, 1)),
        np.array([2.0, 2.0, 2.0, 4.0, 2.0]),
        np.array([0.9, 0.9, 0.9, 0.9, 0.1]),
    )
    # Kept; a tenth of the distance between neighbours from a rare row; a real row; odder than any; below the others.
    assert keep(made, rare, others, Kinds(), 10, 0).tolist() == [0]  # type: ignore[arg-type]


def test_of_too_many_rows_the_less_certain_are_kept_more_often() -> None:
    rare = Judged(rows((0, 0, 1), (1, 0, 1)), np.ones(2), np.ones(2))
    others = Judged(rows((5, 5, 1)), np.zeros(1), np.zeros(1))
    x = np.stack([np.linspace(0.2, 0.8, 200), np.zeros(200), np.ones(200)], axis=1).astype(np.float32)
    made = Judged(x, np.zeros(200), np.repeat([0.99, 0.3], 100))
    kept = keep(made, rare, others, Kinds(), 100, 0)  # type: ignore[arg-type]
    assert len(set(kept.tolist())) == 100
    assert (kept >= 100).sum() > 75  # weights 0.06 and 0.75: the first hundred are taken where others run out


def test_folds_are_stratified_and_cover_every_row_once() -> None:
    y = np.arange(103) < 20
    parts = list(splits(y, 3, seed=1))
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(103))
    assert sorted(int(y[held].sum()) for _, held in parts) == [6, 7, 7]
    assert all(set(train.tolist()).isdisjoint(held.tolist()) for train, held in parts)


def test_average_precision_is_scikit_learns_with_ties() -> None:
    draw = np.random.default_rng(0)
    y, score = draw.random(500) < 0.1, draw.integers(0, 20, 500) / 7.0
    assert average_precision(y, score) == pytest.approx(average_precision_score(y, score), abs=1e-12)


def test_balanced_precision_is_that_of_equally_common_classes() -> None:
    # Two rare rows of six, scored 1st and 4th: precision 1/1 and 2/4; a wrong row counts 2/4, so 1 and 2/(2 + 2 * 0.5).
    y, score = np.array([1, 0, 0, 1, 0, 0], bool), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.1])
    assert precisions(y, score).tolist() == [1.0, 0.5]
    assert precisions(y, score, balanced=True).tolist() == pytest.approx([1.0, 2 / 3])
    # Of one score there is one step: half of what is above is rare, where both are equally common.
    assert precisions(y, np.zeros(6), balanced=True).tolist() == [0.5, 0.5]


def test_the_interval_is_wider_than_that_of_independent_folds() -> None:
    gains = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    mean, low, high = interval(gains, 5)
    assert mean == pytest.approx(0.2)
    # s = 0.0707, t(4) = 2.776, variance s^2 (1/5 + 1/4): half a width of 0.1317.
    assert (high - mean, mean - low) == (pytest.approx(0.13167, abs=1e-4), pytest.approx(0.13167, abs=1e-4))


@pytest.mark.parametrize(("rare", "others", "added"), [(20, 400, 40), (20, 8_000, 400), (50, 90_000, 1_000)])
def test_rows_added_a_round(rare: int, others: int, added: int) -> None:
    assert Plan("y", "1").added(np.r_[np.ones(rare, bool), np.zeros(others, bool)]) == added


def test_absent_numbers_are_nan_and_categories_are_codes() -> None:
    table = pa.table(
        {
            "x": pa.array([None if row % 10 == 0 else float(row) for row in range(40)]),
            "c": pa.array(["a" if row % 2 else "b" for row in range(40)]),
        }
    )
    features = Features.of(tabad.fit(table, quality="fast", memory=32).core)
    made = features(table)
    assert features.categorical == (False, True)
    assert np.flatnonzero(np.isnan(made[:, 0])).tolist() == [0, 10, 20, 30]
    assert (np.diff(made[1:10, 0]) > 0).all()
    assert len(set(made[::2, 1])) == len(set(made[1::2, 1])) == 1
    assert made[0, 1] != made[1, 1]

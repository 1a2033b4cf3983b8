"""Each figure of a comparison: equal samples, known distances, and tables that are told apart."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

import tabad
from tabad.errors import InputError
from tabad.synthesis import compare, learner
from tabad.synthesis.compare import c2st, manifold, pair_trend, shape


class Kinds:
    categorical = (False, False, True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "_ROUNDS", 10)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_number_is_compared_by_kolmogorov_and_smirnov_and_absent_is_a_value() -> None:
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=400).astype(np.float32), (draw.normal(size=300) + 0.5).astype(np.float32)
    assert shape(a, b, False) == pytest.approx(1 - stats.ks_2samp(a, b).statistic, abs=1e-9)
    assert shape(column(1, 2, np.nan, np.nan), column(1, 2, 1, 2), False) == 0.5


def test_a_category_is_compared_by_total_variation() -> None:
    assert shape(column(2, 2, 3, 3), column(2, 2, 2, 4), True) == 0.5


def test_pairs_of_numbers_are_compared_by_rank_correlation() -> None:
    up = np.stack([np.arange(50), np.arange(50) ** 3], axis=1).astype(np.float32)
    down = up * np.array([1, -1], np.float32)
    assert pair_trend(up, up, (False, False)) == 1
    assert pair_trend(up, down, (False, False)) == pytest.approx(0)
    constant = np.stack([np.arange(50), np.ones(50)], axis=1).astype(np.float32)
    assert pair_trend(up, constant, (False, False)) == pytest.approx(0.5)  # correlations 1 and 0


def test_pairs_with_a_category_are_compared_by_counts() -> None:
    together = np.array([[0, 2], [1, 3]] * 50, np.float32)
    apart = np.array([[0, 3], [1, 2]] * 50, np.float32)
    assert pair_trend(together, together, (True, True)) == pair_trend(together, together, (False, True)) == 1
    assert pair_trend(together, apart, (True, True)) == pair_trend(together, apart, (False, True)) == 0


def test_the_classifier_tells_shifted_rows_and_not_equal_ones() -> None:
    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=(400, 3)).astype(np.float32) for _ in range(2))
    # Mean of 5 AUROCs of 160 rows each: standard deviation 0.02.
    assert c2st(a, b, (False,) * 3, 0) == pytest.approx(0.5, abs=0.07)
    assert c2st(a, b + 3, (False,) * 3, 0) > 0.95


def test_equal_rows_of_both_tables_are_held_out_together() -> None:
    draw = np.random.default_rng(0)
    a = draw.normal(size=(400, 3)).astype(np.float32)
    assert c2st(a, a[::-1], (False,) * 3, 0) == 0.5  # every pair has one score
    # Half of the rows are copies, the rest strangers of the same kind: by chance as above, not 0.3.
    assert c2st(a, np.concatenate([a[:200], draw.normal(size=(200, 3))]), (False,) * 3, 0) > 0.43
    x = np.array([[1], [2], [2], [0.0], [2], [2], [-0.0], [5]], np.float32)
    unit, kind = compare._pairs(x, np.arange(8) >= 4)
    assert unit.tolist() == [0, 1, 2, 3, 1, 2, 3, 4]
    assert kind.tolist() == [0, 2, 2, 2, 1]


def test_rows_of_few_kinds_are_told_by_how_often_each_is_there() -> None:
    draw = np.random.default_rng(0)
    a, b = (draw.integers(0, 3, (2_000, 2)).astype(np.float32) for _ in range(2))
    b[:1_000] = 0  # 5/9 and not 1/9 of the rows: AUROC 0.5 + (5/9 - 1/9) / 2
    assert c2st(a, b, (True, True), 0) == pytest.approx(0.5 + 2 / 9, abs=0.03)


def test_a_number_that_no_row_of_a_fold_has_says_nothing() -> None:
    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=(400, 2)).astype(np.float32) for _ in range(2))
    a[:, 1] = b[:, 1] = np.nan
    a[7, 1] = 1  # absent in the other four folds
    assert c2st(a, b, (False,) * 2, 0) == pytest.approx(0.5, abs=0.07)


def test_auroc_is_scikit_learns_with_ties() -> None:
    draw = np.random.default_rng(0)
    y, score = draw.random(300) < 0.3, draw.integers(0, 9, 300) / 1.0
    assert compare._auroc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)


def test_precision_falls_with_rows_beside_the_manifold_and_recall_with_missing_parts() -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=(300, 3)), draw.normal(size=(300, 3))
    left[:, 2], right[:, 2] = 1, 2
    both = np.concatenate([left, right]).astype(np.float32)
    one = np.concatenate([left, draw.normal(size=(300, 3)) * [1, 1, 0] + [0, 0, 1]]).astype(np.float32)
    precision, recall = manifold(both, one, Kinds(), 0)
    assert precision > 0.9
    assert 0.4 < recall < 0.75  # the right half is one category away: reached only from sparse rows of the left
    far = both + np.array([30, 0, 0], np.float32)
    assert manifold(both, far, Kinds(), 0) == (0, 0)


def test_a_table_is_like_itself_and_unlike_a_shuffled_one() -> None:
    draw = np.random.default_rng(1)
    oslo = draw.random(800) < 0.5
    amount = np.where(oslo, 80.0, 20.0) + draw.normal(0, 5, 800)
    real = pa.table({"city": np.where(oslo, "Oslo", "Rome").tolist(), "amount": amount, "class": (oslo * 1).tolist()})
    same = tabad.compare(real.slice(0, 400), real.slice(400), label="class")
    assert same.rows == (400, 400)
    assert set(same.generated.shapes) == {"city", "amount", "class"}
    assert same.generated.shape > 0.9
    assert set(same.generated.manifold) == {"0", "1"}
    shuffled = real.set_column(1, "amount", pa.array(draw.permutation(amount)))
    found = tabad.compare(real, shuffled)
    assert found.generated.shapes["amount"] == 1
    assert found.generated.trends["city", "amount"] == pytest.approx(0.5, abs=0.05)  # half of the pairs still fit
    assert found.generated.c2st > 0.7 > found.halves.c2st
    assert found.generated.manifold["all"][0] < 0.8 < found.halves.manifold["all"][0]


def test_a_column_that_one_table_lacks_is_named_with_the_way_out() -> None:
    real = pa.table({"x": np.arange(200.0), "y z": np.arange(200.0)})

    with pytest.raises(InputError, match="has no column `y z`, which the pyarrow table has") as refused:
        tabad.compare(real, real.drop(["y z"]))
    assert refused.value.hint == "compare without: --ignore 'y z'"
    assert tabad.compare(real, real.drop(["y z"]), ignore=["y z"]).rows == (200, 200)

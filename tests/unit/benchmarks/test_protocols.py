"""The detection protocols: what trains, what is tested, and that nothing leaks."""

import numpy as np
import pytest
from benchmarks.protocols import cap, split, thin


def labels(normal: int, odd: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat([False, True], [normal, odd]))


def test_clean_trains_on_half_of_the_normal_rows_and_tests_all_others() -> None:
    anomaly = labels(900, 100)

    rows = split(anomaly, "clean", seed=0)

    assert len(rows.train) == 450
    assert not anomaly[rows.train].any()
    assert anomaly[rows.test].sum() == 100
    assert sorted([*rows.train, *rows.test]) == list(range(1000))


def test_contaminated_trains_and_tests_on_the_same_rows() -> None:
    rows = split(labels(90, 10), "contaminated", seed=1)

    assert rows.train is rows.test
    assert sorted(rows.test) == list(range(100))


@pytest.mark.parametrize("setting", ["clean", "contaminated"])
def test_large_tables_are_cut_to_the_limit_with_their_anomaly_rate(setting) -> None:
    anomaly = labels(9_700, 300)

    rows = split(anomaly, setting, seed=0, limit=1000)
    used = np.unique(np.concatenate([rows.train, rows.test]))

    assert len(used) == 1000
    assert anomaly[used].sum() == 30


def test_a_cut_keeps_at_least_one_anomaly() -> None:
    anomaly = labels(9_999, 1)

    assert anomaly[cap(np.arange(10_000), anomaly, 100, np.random.default_rng(0))].sum() == 1


def test_tables_that_are_mostly_anomalies_are_thinned_to_five_percent() -> None:
    anomaly = labels(950, 600)

    kept = thin(anomaly, np.random.default_rng(0))

    assert anomaly[kept].sum() == 50
    assert (~anomaly[kept]).sum() == 950


def test_tables_at_or_below_a_quarter_are_not_thinned() -> None:
    assert len(thin(labels(75, 25), np.random.default_rng(0))) == 100


def test_a_seed_gives_the_same_rows_and_another_seed_gives_others() -> None:
    anomaly = labels(200, 20)
    first, again, other = (split(anomaly, "clean", seed) for seed in (3, 3, 4))

    assert first.train.tolist() == again.train.tolist()
    assert first.train.tolist() != other.train.tolist()

"""What is said about scores, against values worked out by hand."""

import numpy as np
import pytest
from benchmarks.metrics import auroc, average_precision, mean_ranks, paired_bootstrap, win_tie_loss
from benchmarks.summary import Table, clearly_below, complete_methods


def test_auroc_counts_ties_half() -> None:
    anomaly = np.array([False, False, True, True])

    assert auroc(anomaly, np.array([1.0, 2.0, 2.0, 3.0])) == pytest.approx(3.5 / 4)


def test_average_precision_of_a_known_order() -> None:
    anomaly = np.array([True, False, True, False])

    assert average_precision(anomaly, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx((1 + 2 / 3) / 2)


def test_the_interval_of_a_constant_difference_is_that_difference() -> None:
    found = paired_bootstrap([0.6, 0.7, 0.8], [0.5, 0.6, 0.7])

    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_a_family_is_drawn_as_a_whole() -> None:
    gaps = [0.1] * 5 + [-0.1]
    alone = paired_bootstrap(gaps, [0.0] * 6)
    grouped = paired_bootstrap(gaps, [0.0] * 6, families=["a"] * 5 + ["b"])

    assert grouped.mean == alone.mean
    assert grouped.low == pytest.approx(-0.1)
    assert grouped.high == pytest.approx(0.1)
    assert alone.low > grouped.low


def test_win_tie_loss_ties_within_half_a_point() -> None:
    assert win_tie_loss([0.9, 0.5, 0.5], [0.8, 0.503, 0.6]) == (1, 1, 1)


def test_mean_ranks_share_ties() -> None:
    ranks = mean_ranks({"a": [0.9, 0.5], "b": [0.8, 0.5], "c": [0.1, 0.1]})

    assert ranks == {"a": 1.25, "b": 1.75, "c": 3.0}


def result(method: str, seed: int, value: float, name: str = "t") -> dict:
    return {"setting": "clean", "set": name, "family": name, "method": method, "seed": seed, "auroc": value, "ap": 0.5}


def test_a_set_is_clearly_below_only_when_the_whole_interval_is() -> None:
    level = [result("kNN", s, 0.9) for s in range(5)]
    low = [result("tabad", s, 0.8 + 0.001 * s) for s in range(5)]
    unsure = [result("tabad", s, 0.6 + 0.12 * s) for s in range(5)]

    assert clearly_below(Table.of([*level, *low], ("tabad", "kNN")), "tabad", "kNN") == ["t"]
    assert clearly_below(Table.of([*level, *unsure], ("tabad", "kNN")), "tabad", "kNN") == []


def test_a_method_without_a_result_on_every_set_is_not_compared() -> None:
    results = [result("a", 0, 0.5), result("b", 0, 0.5), result("a", 0, 0.5, "u")]

    assert complete_methods(results, ("a", "b")) == ("a",)

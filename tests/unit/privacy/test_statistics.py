"""Exact values of the tests and intervals, worked out by hand."""

import math

import numpy as np
import pytest

from tabad.privacy.statistics import auc, hypergeometric_tail, rank_tail, risk, top_tail, true_positive_rate, wilson

MEMBER = np.arange(20) < 10


def test_wilson_is_the_published_interval() -> None:
    half = wilson(5, 10)
    none = wilson(0, 10)

    assert (half.value, round(half.low, 4), round(half.high, 4)) == (0.5, 0.2366, 0.7634)
    assert (none.value, none.low, round(none.high, 4)) == (0.0, 0.0, 0.2775)


def test_wilson_knows_nothing_without_trials() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_the_risk_is_what_main_finds_of_what_control_leaves() -> None:
    leak = risk(60, 100, 20, 100)

    assert leak.value == pytest.approx(0.5)
    assert 0.35 < leak.low < 0.5 < leak.high < 0.65


def test_no_risk_where_control_finds_as_much_or_all() -> None:
    assert risk(20, 100, 30, 100).value == 0.0
    assert (risk(10, 10, 10, 10).value, risk(10, 10, 10, 10).high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("hits", "members", "others", "drawn", "expected"),
    [
        (10, 10, 10, 10, 1 / math.comb(20, 10)),
        (0, 10, 10, 5, 1.0),
        (2, 4, 6, 3, (math.comb(4, 2) * 6 + 4) / math.comb(10, 3)),
        (3, 5, 0, 3, 1.0),
    ],
)
def test_hypergeometric_tail(hits: int, members: int, others: int, drawn: int, expected: float) -> None:
    assert hypergeometric_tail(hits, members, others, drawn) == pytest.approx(expected)


def test_ranks_of_members_on_top() -> None:
    scores = np.arange(20, 0, -1).astype(float)

    # The rank sum exceeds its mean by 50, its variance is 10 * 10 * 21 / 12.
    assert rank_tail(scores, MEMBER) == pytest.approx(0.5 * math.erfc(49.5 / math.sqrt(2 * 175)))
    assert rank_tail(-scores, MEMBER) > 0.999
    assert rank_tail(np.ones(20), MEMBER) == 1.0


def test_area_under_the_curve() -> None:
    scores = np.array([3.0, 4.0, 1.0, 2.0])
    member = np.array([True, True, False, False])

    assert auc(scores, member).value == 1.0
    assert auc(-scores, member).value == 0.0
    assert auc(np.array([1.0, 2.0, 1.0, 2.0]), member).value == 0.5


def test_true_positives_at_the_rate_that_others_are_allowed() -> None:
    scores = np.concatenate([np.full(5, 8.5), np.full(5, 1.5), np.arange(10)])

    found = true_positive_rate(scores, MEMBER, 0.1, np.random.default_rng(0))

    assert found.value == 0.5  # of the others only 9 is above 8
    assert found.low <= found.value <= found.high


def test_members_among_the_top() -> None:
    scores = np.concatenate([np.arange(10) + 100.0, np.arange(10)])

    assert top_tail(scores, MEMBER, 0.25) == pytest.approx(math.comb(10, 5) / math.comb(20, 5))
    assert top_tail(np.ones(20), MEMBER, 0.1) == 1.0


def test_p_values_are_uniform_or_larger_where_nothing_leaks() -> None:
    draw = np.random.default_rng(0)
    member = np.arange(200) < 80
    # Rounded, so that there are ties.
    tails = [
        (rank_tail(scores, member), top_tail(scores, member, 0.1))
        for scores in np.round(draw.normal(size=(1_000, 200)), 1)
    ]

    # 50 of 1,000 are expected; 75 is more than three standard deviations (6.9) above.
    assert (np.array(tails) <= 0.05).sum(axis=0).max() <= 75

"""Each attack on tables small enough to say what it must find."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tabad.config import AuditOptions
from tabad.privacy.attacks import guessed, inference, linkability
from tabad.privacy.copies import distance_ratio, exact_copies, near_copies
from tabad.privacy.distances import closest_records
from tabad.privacy.membership import closeness, membership
from tabad.privacy.records import Records, Space, encode, row_codes, value_codes
from tabad.privacy.singling import AT_LEAST, AT_MOST, EQUAL, Term, fits, multivariate, singled_out, singling_out
from tabad.privacy.singling import univariate as predicates_of_one_column


def space_of(train: pa.Table, holdout: pa.Table, synthetic: pa.Table, **kinds: str) -> tuple[Space, list[Records]]:
    """The space and the records of the synthetic, the training and the held-out table."""
    tables = {"train": train, "holdout": holdout, "synthetic": synthetic}
    every = {name: np.arange(table.num_rows) for name, table in tables.items()}
    space, records = encode(tables, every, every, AuditOptions(kinds=kinds))
    return space, [records[name] for name in ("synthetic", "train", "holdout")]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def value(figures: list[Any], name: str) -> float:
    return next(figure.value for figure in figures if figure.name == name)


def pairs(first: Any, second: Any) -> pa.Table:
    return pa.table({"a": pa.array(first, pa.float64()), "b": pa.array(second, pa.float64())})


N = 40
LINKED = pairs(range(1, N + 1), range(1, N + 1))
APART = pairs(range(1, N + 1), [(row + 10) % N + 1 for row in range(N)])
NUMBERS = {"a": "number", "b": "number"}


def test_copies_of_rows_that_stand_once_count() -> None:
    train, synthetic, holdout = np.array([1, 2, 2, 3]), np.array([1, 1, 2, 9]), np.array([4, 5, 6, 7])

    tail, figures = exact_copies(synthetic, train, holdout)

    assert value(figures, "copies of training rows") == 0.5
    assert value(figures, "copies of training rows, holdout") == 0.0
    assert value(figures, "copies of training rows, training rows") == 0.5
    assert value(figures, "identical to a training row") == 0.75
    # Two hits of four synthetic rows, one pair of two (half of four) training rows, none of four held-out rows.
    assert tail == pytest.approx((6 * 6 + 4) / 120)


def test_rows_are_equal_when_their_values_are() -> None:
    one = pa.table({"a": ["x", None, "x"], "b": [1.0, 2.0, float("nan")]})
    two = pa.table({"a": [None, "x"], "b": [2.0, 1.5]})

    codes = row_codes(value_codes({"one": one, "two": two}, ["a", "b"]))

    assert codes["one"][1] == codes["two"][0]
    assert len(set(codes["one"]) | set(codes["two"])) == 4


def test_the_distance_ratio_of_a_copy_is_0_and_of_a_repeated_row_1() -> None:
    train = pairs([0, 10, 20, 20, *range(100, 130)], [0] * 34)
    space, (made, real, _) = space_of(train, train, pairs([10, 20, 4, 7] * 5, [0] * 20), **NUMBERS)

    ratios = distance_ratio(space, made.take(slice(4)), real)

    assert ratios[:2].tolist() == [0.0, 1.0]
    assert ratios[2:] == pytest.approx([4 / 6, 3 / 7], rel=1e-3)


def test_near_copies_are_found_among_fresh_rows() -> None:
    draw = rng()
    train, holdout, fresh = (draw.normal(size=(200, 2)) for _ in range(3))
    fresh[:20] = train[:20] + 1e-4
    space, records = space_of(*(pairs(*rows.T) for rows in (train, holdout, fresh)))

    tail, figures = near_copies(space, *records)

    assert tail < 1e-4
    assert value(figures, "near copies") >= 0.05
    assert value(figures, "near copies, holdout") <= 0.01


def test_distances_tell_the_side_on_which_synthetic_rows_lie() -> None:
    low, high = pairs(range(30), [0] * 30), pairs(range(100, 130), [0] * 30)
    space, (made, train, holdout) = space_of(low, high, pairs(range(20), [0] * 20), **NUMBERS)

    figures = closest_records(space, made, train, holdout)

    assert value(figures, "nearer to training than to held-out rows") == 1.0
    assert value(figures, "distance, 50 % point, training over holdout") == 0.0


def test_linkability_where_halves_belong_together_only_in_training_rows() -> None:
    space, (made, train, holdout) = space_of(LINKED, APART, LINKED, **NUMBERS)

    tail, figures = linkability(space, made, train, holdout, rng())

    assert (value(figures, "success, main"), value(figures, "success, control")) == (1.0, 0.0)
    assert value(figures, "risk") == 1.0
    assert tail < 1e-20


def test_inference_where_the_other_column_follows_only_in_training_rows() -> None:
    space, (made, train, holdout) = space_of(LINKED, APART, LINKED, **NUMBERS)

    tail, figures = inference(space, made, train, holdout, rng())

    assert (value(figures, "success, main"), value(figures, "success, control")) == (1.0, 0.0)
    assert {figure.name for figure in figures} >= {"risk of `a`", "risk of `b`", "success, naive"}
    assert tail < 1e-20


@pytest.mark.parametrize(("truth", "guess", "right"), [(100.0, 105.0, True), (100.0, 106.0, False), (0.0, 0.1, False)])
def test_a_number_is_guessed_within_a_twentieth(truth: float, guess: float, right: bool) -> None:
    space, (made, train, _) = space_of(
        pairs([truth] * N, range(N)), pairs([truth] * N, range(N)), pairs([guess] * N, range(N)), **NUMBERS
    )

    assert guessed(space, made, train, 0).tolist() == [right] * N


def test_null_is_guessed_as_null() -> None:
    train = pairs([None, *range(1, N)], range(N))
    space, (made, real, _) = space_of(train, train, pairs([None] * N, range(N)), **NUMBERS)

    assert guessed(space, made, real, 0).tolist() == [True] + [False] * (N - 1)


def test_predicates_of_one_column() -> None:
    table = pa.table({"a": pa.array([1.0, 2.0, 2.0, 5.0] * 1 + [2.0] * 36), "c": ["x"] + ["y"] * 39})
    space, (made, _, _) = space_of(table, table, table, a="number", c="category")

    found = {term for (term,) in predicates_of_one_column(space, made, rng())}

    x = made.codes_BP[0, 1]
    one, five = made.codes_BP[0, 0], made.codes_BP[3, 0]
    assert found == {
        Term(0, EQUAL, one), Term(0, EQUAL, five), Term(0, AT_MOST, 1.0), Term(0, AT_LEAST, 5.0), Term(1, EQUAL, x),
    }  # fmt: skip


def test_predicates_of_several_columns_single_out_one_synthetic_row() -> None:
    draw = rng()
    table = pairs(draw.normal(size=60), draw.normal(size=60))
    space, (made, _, _) = space_of(table, table, table)

    found = multivariate(space, made, rng())

    assert found
    assert all(fits(predicate, made).sum() == 1 for predicate in found)
    assert all(len(predicate) == 2 for predicate in found)


def test_a_predicate_singles_out_when_it_fits_exactly_one() -> None:
    inside = np.array([True, True, False])

    found = singled_out([np.array([0]), np.array([0, 1]), np.array([1, 2]), np.array([], np.int64)], inside)

    assert found.tolist() == [True, False, True, False]


@pytest.mark.parametrize("several", [False, True])
def test_singling_out_where_the_synthetic_table_is_the_training_table(several: bool) -> None:
    draw = rng()
    train, holdout = (pairs(draw.normal(size=150), draw.normal(size=150)) for _ in range(2))
    space, records = space_of(train, holdout, train)

    tail, figures = singling_out(space, *records, rng(), several=several)

    assert tail < 0.001
    assert value(figures, "success, main") > 0.9
    assert value(figures, "success, control") < 0.5


def test_nothing_to_single_out_is_no_leak() -> None:
    table = pa.table({"c": ["x", "y"] * 30})
    space, records = space_of(table, table, table)

    assert singling_out(space, *records, rng(), several=False) == (1.0, [])


def test_closeness_to_synthetic_rows() -> None:
    table = pa.table({"a": pa.array([float(row) for row in range(40)])})
    space, (made, train, _) = space_of(table, table, table.slice(0, 20), a="number")
    unit = float(train.x_BN[1, 0] - train.x_BN[0, 0])

    scores = closeness(space, made, train)

    assert scores["nearest"][:20].tolist() == [0.0] * 20
    assert scores["nearest"][25] == pytest.approx(-6 * unit, rel=1e-5)
    assert scores["count within reach"][35] == 0
    assert scores["kernel density ratio"][5] > scores["kernel density ratio"][22] > scores["kernel density ratio"][35]


def test_membership_of_rows_learned_by_heart_and_of_fresh_rows() -> None:
    draw = rng()
    train, holdout, fresh = (draw.normal(size=(300, 3)) for _ in range(3))
    learned = train + 0.01 * draw.normal(size=train.shape)
    as_table = lambda rows: pa.table({f"c{n}": rows[:, n] for n in range(3)})  # noqa: E731
    by_heart = space_of(as_table(train), as_table(holdout), as_table(learned))
    by_chance = space_of(as_table(train), as_table(holdout), as_table(fresh))

    found, figures = membership(by_heart[0], *by_heart[1], rng())
    nothing, _ = membership(by_chance[0], *by_chance[1], rng())

    assert found < 1e-20
    assert value(figures, "AUC, nearest over real neighbours") > 0.95
    assert value(figures, "TPR at 1% FPR, nearest over real neighbours") > 0.9
    assert nothing > 0.05

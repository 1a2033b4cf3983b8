"""Estimates against distributions that are known in closed form, and rows against the distribution."""

import numpy as np
import pyarrow as pa
import pytest

from tabad.private.bounds import Column
from tabad.private.graph import Marginal, estimate
from tabad.private.grids import Grid
from tabad.private.release import Release
from tabad.private.tree import cells, junction_tree

SIZES = [3, 4, 2, 5]


def joint() -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(120)).reshape(SIZES) * 1000


def marginal(columns: tuple[int, ...]) -> Marginal:
    away = tuple(column for column in range(4) if column not in columns)
    return Marginal(columns, joint().sum(axis=away), 1.0)


def test_a_chain_becomes_its_most_even_distribution() -> None:
    # Given pairs (0, 1) and (1, 2), entropy is largest where 0 and 2 are independent given 1.
    left, right = marginal((0, 1)).values, marginal((1, 2)).values
    model = estimate(SIZES, [marginal((0, 1)), marginal((1, 2)), marginal((3,))], iterations=3000, noise=0.0)

    assert model.marginal((0, 1)) == pytest.approx(left, abs=0.05)
    assert model.marginal((1, 2)) == pytest.approx(right, abs=0.05)
    assert model.marginal((3,)) == pytest.approx(marginal((3,)).values, abs=0.05)
    assert model.total == pytest.approx(1000.0)


def test_a_loop_is_fitted_in_all_its_pairs() -> None:
    pairs = [(0, 1), (1, 3), (2, 3), (0, 2)]
    model = estimate(SIZES, [marginal(pair) for pair in pairs], iterations=3000, noise=0.0)

    for pair in pairs:
        assert model.marginal(pair) == pytest.approx(marginal(pair).values, abs=0.5)


def test_counts_that_contradict_each_other_are_fitted_as_well_as_any_distribution_can() -> None:
    """Beside the least squares over all joint counts >= 0, whose rows are as many: a twin that needs every cell."""
    nnls = pytest.importorskip("scipy.optimize", reason="scipy is not installed").nnls
    draw = np.random.default_rng(7)
    groups, sigmas = [(0, 1), (1, 3), (2, 3), (0, 2), (3,), (0, 3)], [5.0, 20.0, 3.0, 9.0, 2.0, 30.0]
    given = [
        Marginal(group, marginal(group).values + draw.normal(0.0, sigma, marginal(group).values.shape), sigma)
        for group, sigma in zip(groups, sigmas, strict=True)
    ]
    model = estimate(SIZES, given, noise=0.0)

    cells = np.eye(120).reshape(120, *SIZES)
    rows, wanted = [np.full((1, 120), 1e3)], [np.array([1e3 * model.total])]
    for one in given:
        away = tuple(column + 1 for column in range(4) if column not in one.columns)
        rows.append(cells.sum(axis=away).reshape(120, -1).T / one.sigma)
        wanted.append(one.values.ravel() / one.sigma)
    best = 0.5 * nnls(np.concatenate(rows), np.concatenate(wanted))[1] ** 2
    assert best > 5.0  # they do contradict each other
    assert best - 1e-3 <= model.loss <= 1.01 * best


def test_a_fit_ends_where_it_is_as_close_as_noise_lets_it_be() -> None:
    given = [Marginal(one.columns, np.rint(one.values), 2.0) for one in map(marginal, [(0, 1), (1, 3), (2, 3)])]
    cells = sum(one.values.size for one in given)

    assert 0.0 < estimate(SIZES, given).loss <= 0.6 * 0.5 * cells
    # The counts are exact but for rounding (an error of 1/12 a cell at most, in the mean): the descent can go on.
    assert estimate(SIZES, given, noise=0.0).loss < 0.5 * cells / 12 / 4


def test_the_more_exact_of_two_counts_weighs_more() -> None:
    exact, rough = np.array([300.0, 700.0]), np.array([500.0, 500.0])
    model = estimate([2], [Marginal((0,), exact, 1.0), Marginal((0,), rough, 3.0)], noise=0.0)

    # Weights 1 and 1/9.
    assert model.marginal((0,)) == pytest.approx(exact * 0.9 + rough * 0.1, rel=1e-3)


def test_trees_hold_every_group_and_every_column() -> None:
    groups = [(0, 1), (1, 3), (2, 3), (0, 2)]
    tree = junction_tree(SIZES, groups)

    assert all(any(set(group) <= set(clique) for clique in tree.cliques) for group in groups)
    # Running intersection: what a clique shares with any earlier one, its parent has.
    for place, clique in enumerate(tree.cliques[1:], start=1):
        earlier = {column for other in tree.cliques[:place] for column in other}
        assert set(clique) & earlier == set(tree.separator(place))
    assert cells(SIZES, []) == 3 + 4 + 2 + 5
    assert len(junction_tree(SIZES, []).cliques) == 4


def test_rows_follow_the_distribution() -> None:
    model = estimate([3, 4], [Marginal((0, 1), joint().sum(axis=(2, 3)), 1.0)], iterations=3000, noise=0.0)
    columns = [
        Column("a", pa.string(), "category", False, ("x", "y", "z")),
        Column("b", pa.int64(), "number", False, None, 5, 8, 1),
    ]
    ones = [np.ones(size) for size in (3, 4)]
    grids = [Grid(np.arange(len(one)), one.astype(np.int64), one, np.arange(len(one)), 1.0) for one in ones]
    rows = Release(columns, grids, model.steps(), model.total).rows(200_000, np.random.default_rng(0))

    found = np.zeros((3, 4))
    np.add.at(found, (np.searchsorted(["x", "y", "z"], rows.column(0).to_pylist()), rows.column(1).to_numpy() - 5), 1)
    # Shares of 200,000 rows are within 0.006 of their probability (five standard errors).
    assert found / 200_000 == pytest.approx(model.marginal((0, 1)) / model.total, abs=0.006)

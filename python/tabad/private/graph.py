"""From noisy marginals to a distribution that rows can be drawn from. Nothing here sees the table.

A graphical model whose marginals fit best in least squares, weighed by their noise: Private-PGM (McKenna, Sheldon and
Miklau 2019), by accelerated mirror descent (Auslender and Teboulle 2006; Tseng 2008, algorithm 1), sums by message
passing over a junction tree, in logs. Axes of a clique's array are its columns, ascending.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from tabad.private.tree import Tree, junction_tree

__all__ = ["Marginal", "Model", "Step", "estimate", "total_of"]

Floats = npt.NDArray[np.float64]

ITERATIONS = 800
NOISE = 0.6
"""Of the misfit that noise causes: a closer fit learns the noise (the discrepancy principle, Morozov 1966)."""
_FASTER, _SLOWER = 0.9, 2.0
"""The bound on how fast slopes change: let down a little after each step, doubled where it does not hold."""
_ENOUGH = 2e-3
"""Relative gain of 50 steps below which the descent ends."""
_LEAST_NOISE = 0.1
"""A bin begins with so many standard deviations of its count's noise, at least."""
_ROUNDING, _LEAST_RATE = 1e-9, 1e-12
"""What the bound may be missed by, relative to the misfit, and the step from which on it is no longer asked for."""


@dataclass(frozen=True)
class Marginal:
    """Noisy counts of some columns together, one axis per column, columns ascending."""

    columns: tuple[int, ...]
    values: Floats
    sigma: float


@dataclass(frozen=True)
class Step:
    """Columns drawn together, given columns drawn before: `table[parents, columns]`, whose rows sum to 1."""

    parents: tuple[int, ...]
    columns: tuple[int, ...]
    table: Floats


@dataclass(frozen=True)
class Model:
    """An estimated distribution: expected rows per cell of every clique."""

    tree: Tree
    counts: list[Floats]
    total: float
    loss: float

    def marginal(self, columns: tuple[int, ...]) -> Floats:
        """Expected rows per cell of columns that lie within one clique."""
        place = next(at for at, clique in enumerate(self.tree.cliques) if set(columns) <= set(clique))
        return _sum(self.counts[place], self.tree.cliques[place], columns)

    def steps(self) -> list[Step]:
        """The chain of tables, clique by clique from the root on."""
        found = []
        for place, clique in enumerate(self.tree.cliques):
            parents = self.tree.separator(place)
            own = tuple(column for column in clique if column not in parents)
            axes = [clique.index(column) for column in (*parents, *own)]
            joint = np.transpose(self.counts[place], axes)
            flat = joint.reshape(prod(joint.shape[: len(parents)]), -1)
            sums = flat.sum(axis=1, keepdims=True)
            even = np.full(flat.shape[1], 1.0 / flat.shape[1])
            found.append(Step(parents, own, np.where(sums > 0, flat / np.where(sums > 0, sums, 1.0), even)))
        return found


def total_of(marginals: list[Marginal]) -> float:
    """The number of rows by the sums of the marginals, weighed by their noise; at least 1."""
    weights = np.array([1.0 / (one.sigma**2 * one.values.size) for one in marginals])
    sums = np.array([one.values.sum() for one in marginals])
    return max(1.0, float((weights * sums).sum() / weights.sum()))


def estimate(sizes: list[int], marginals: list[Marginal], iterations: int = ITERATIONS, noise: float = NOISE) -> Model:
    """The distribution of rows (bins per column: `sizes`) that fits the marginals best, or well enough: the descent
    ends where the misfit is `noise` times what the noise alone is expected to cause.

    What is returned is a mean of distributions on the way: of cliques that agree where they overlap, as each of them.
    """
    tree = junction_tree(sizes, [one.columns for one in marginals])
    total = total_of(marginals)
    home = [next(at for at, c in enumerate(tree.cliques) if set(one.columns) <= set(c)) for one in marginals]
    potentials = _independent(sizes, tree, marginals, home)
    ahead, log_sum = _counts(tree, potentials, total)
    counts, share, bound = ahead, 1.0, 1.0 / max(one.sigma for one in marginals) ** 2
    loss = before = _misfit(_errors(tree, counts, marginals, home))
    enough = noise * 0.5 * sum(one.values.size for one in marginals)
    for step in range(1, iterations + 1):
        middle = _between(counts, ahead, share)
        errors = _errors(tree, middle, marginals, home)
        level, slopes = _misfit(errors), _slopes(tree, middle, errors, marginals, home)
        while True:
            rate = 1.0 / (share * bound)
            moved = [theta - rate * slope for theta, slope in zip(potentials, slopes, strict=True)]
            there, log_there = _counts(tree, moved, total)
            # Relative entropy of the rows after the step to those before: by the sums, and where it led.
            apart = total * (log_sum - log_there) - rate * _dot(slopes, there)
            new = _between(counts, there, share)
            found = _misfit(_errors(tree, new, marginals, home))
            most = level + _dot(slopes, new) - _dot(slopes, middle) + bound * share**2 * apart
            if found <= most + _ROUNDING * abs(level) or rate < _LEAST_RATE:
                break
            bound *= _SLOWER
        potentials, ahead, log_sum, counts, loss = moved, there, log_there, new, found
        bound *= _FASTER
        share = (np.sqrt(share**4 + 4.0 * share**2) - share**2) / 2.0
        if loss <= enough:
            break
        if step % 50 == 0:
            if abs(before - loss) <= _ENOUGH * loss:
                break
            before = loss
    return Model(tree, counts, total, loss)


def _independent(sizes: list[int], tree: Tree, marginals: list[Marginal], home: list[int]) -> list[Floats]:
    """Potentials of columns that know nothing of each other, each as its own counts have it: where the descent begins,
    so that what it leaves out is dependence."""
    potentials = [np.zeros([sizes[column] for column in clique]) for clique in tree.cliques]
    alone = {one.columns: (one, place) for one, place in zip(marginals, home, strict=True) if len(one.columns) == 1}
    for columns, (one, place) in alone.items():
        logs = np.log(np.maximum(one.values, _LEAST_NOISE * one.sigma))
        potentials[place] = potentials[place] + _spread(logs, columns, tree.cliques[place])
    return potentials


def _between(counts: list[Floats], ahead: list[Floats], share: float) -> list[Floats]:
    return [(1.0 - share) * here + share * there for here, there in zip(counts, ahead, strict=True)]


def _dot(left: list[Floats], right: list[Floats]) -> float:
    return sum(float(np.vdot(one, other)) for one, other in zip(left, right, strict=True))


def _errors(tree: Tree, counts: list[Floats], marginals: list[Marginal], home: list[int]) -> list[Floats]:
    """What is expected less what was counted, in standard deviations of the noise."""
    return [
        (_sum(counts[place], tree.cliques[place], one.columns) - one.values) / one.sigma
        for one, place in zip(marginals, home, strict=True)
    ]


def _misfit(errors: list[Floats]) -> float:
    """Half the squared errors."""
    return sum(0.5 * float((error * error).sum()) for error in errors)


def _slopes(
    tree: Tree, counts: list[Floats], errors: list[Floats], marginals: list[Marginal], home: list[int]
) -> list[Floats]:
    """How fast the misfit grows by the cells of every clique."""
    slopes = [np.zeros_like(one) for one in counts]
    for one, error, place in zip(marginals, errors, home, strict=True):
        slopes[place] += _spread(error / one.sigma, one.columns, tree.cliques[place])
    return slopes


def _counts(tree: Tree, potentials: list[Floats], total: float) -> tuple[list[Floats], float]:
    """Expected rows per cell of every clique, messages to the root and back (sum-product, in logs); the log of the sum
    that makes probabilities of the potentials."""
    inward = list(potentials)
    messages: dict[int, Floats] = {}
    for place in range(len(tree.cliques) - 1, 0, -1):
        shared, parent = tree.separator(place), tree.parents[place]
        messages[place] = _log_sum(inward[place], tree.cliques[place], shared)
        inward[parent] = inward[parent] + _spread(messages[place], shared, tree.cliques[parent])
    found: list[Floats] = []
    log_sum = 0.0
    for place, clique in enumerate(tree.cliques):
        logs = inward[place]
        if place:
            shared, parent = tree.separator(place), tree.parents[place]
            held = np.log(np.maximum(_sum(found[parent], tree.cliques[parent], shared), 1e-280))
            logs = logs + _spread(held - messages[place], shared, clique)
        else:
            log_sum = float(_log_sum(logs, clique, ()))
            logs = logs + (np.log(total) - log_sum)
        found.append(np.exp(logs))
    return found, log_sum


def _sum(values: Floats, clique: tuple[int, ...], columns: tuple[int, ...]) -> Floats:
    away = tuple(axis for axis, column in enumerate(clique) if column not in columns)
    return np.asarray(values.sum(axis=away) if away else values)


def _log_sum(values: Floats, clique: tuple[int, ...], columns: tuple[int, ...]) -> Floats:
    away = tuple(axis for axis, column in enumerate(clique) if column not in columns)
    if not away:
        return values
    top = values.max(axis=away, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=away)) + top.squeeze(away))


def _spread(values: Floats, columns: tuple[int, ...], clique: tuple[int, ...]) -> Floats:
    """With an axis of 1 for every column of the clique that is not among `columns`, to be broadcast."""
    shape = iter(np.shape(values))
    return np.asarray(values).reshape([next(shape) if column in columns else 1 for column in clique])

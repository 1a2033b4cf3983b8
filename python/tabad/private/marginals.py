"""Which columns to count together, and the counts: the marginal mechanism.

Three steps of the select-measure-generate pattern (McKenna et al. 2021, 2022), all with Gaussian noise, so that they
compose exactly: (1) bins of every column (`grids`) and, with a label, every column beside the label, which needs no
choice; (2) one noisy score per pair: how far its counts are from what step 1 expects (L1, moved by at most 1 by a
row); (3) counts of the pairs that are worth their noise, a spanning tree of them first, each together with the label.
"""

from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
import numpy.typing as npt

from tabad.private.budget import Budget
from tabad.private.graph import Marginal, Model, estimate, total_of
from tabad.private.noise import LATTICE, Noise
from tabad.private.tree import cells

__all__ = ["Plan", "marginals"]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HALF_NORMAL = float(np.sqrt(2.0 / np.pi))
"""E|Z| of a standard normal."""


@dataclass(frozen=True)
class Plan:
    """Shares of the budget, and bounds on size."""

    grids: float = 0.2
    label: float = 0.15
    scores: float = 0.1
    bins: int = 16
    cells: int = 400_000
    """Cells of the junction tree, at most."""
    extra: int = 8
    """Pairs beyond the tree, at most."""
    worth: float = 1.0
    """A pair beyond the tree is counted where it is further off than the noise of its count, so many times."""


def marginals(
    bins: list[Codes],
    sizes: list[int],
    first: list[Marginal],
    label: int | None,
    budget: Budget,
    noise: Noise,
    *,
    plan: Plan,
    sensitivity: float,
) -> Model:
    """The estimated distribution of rows given as a bin per column. `first`: counts of single columns, made before."""
    total = budget.total
    others = [column for column in range(len(sizes)) if column != label]
    measured = list(first)
    if label is not None and others:
        each = plan.label * total / len(others)
        measured += [
            _count(bins, sizes, (column, label), budget, noise, "columns with the label", each, sensitivity)
            for column in others
        ]
    if len(others) < 2:
        return estimate(sizes, measured)
    rough = _rough(sizes, first, measured[len(first) :], label)
    pairs = list(combinations(others, 2))
    gain = _scores(bins, sizes, pairs, label, rough, budget, noise, plan.scores * total, sensitivity)
    chosen = _choose(pairs, gain, sizes, label, measured, budget.left, plan, sensitivity)
    for pair, share in chosen:
        measured.append(_count(bins, sizes, _with(pair, label), budget, noise, "pairs of columns", share, sensitivity))
    return estimate(sizes, measured)


def _with(pair: tuple[int, int], label: int | None) -> tuple[int, ...]:
    return pair if label is None else (*pair, label)


def _count(
    bins: list[Codes], sizes: list[int], columns: tuple[int, ...], budget: Budget, noise: Noise, purpose: str,
    share: float, sensitivity: float,
) -> Marginal:  # fmt: skip
    columns = tuple(sorted(columns))
    sigma = budget.sigma(purpose, sensitivity, share)
    return Marginal(columns, noise.counts(_histogram(bins, sizes, columns), sigma), sigma)


def _histogram(bins: list[Codes], sizes: list[int], columns: tuple[int, ...]) -> Codes:
    shape = [sizes[column] for column in columns]
    place = np.ravel_multi_index([bins[column] for column in columns], shape)
    return np.bincount(place, minlength=prod(shape)).astype(np.int64).reshape(shape)


def _scores(
    bins: list[Codes], sizes: list[int], pairs: list[tuple[int, int]], label: int | None, rough: list[Floats],
    budget: Budget, noise: Noise, share: float, sensitivity: float,
) -> Floats:  # fmt: skip
    """How many rows each pair is off, beyond chance: noisy L1 distances to the rough estimate [pairs]."""
    distance, chance = np.zeros(len(pairs)), np.zeros(len(pairs))
    for place, pair in enumerate(pairs):
        expected = _expected(rough, pair)
        seen = _histogram(bins, sizes, _with(pair, label))
        distance[place] = np.abs(seen - expected).sum()
        chance[place] = _HALF_NORMAL * np.sqrt(expected).sum()
    # A row moves each distance by at most 1, and rounding to the lattice by one step more.
    moved = np.sqrt(len(pairs)) * (sensitivity + 1.0 / LATTICE)
    sigma = budget.sigma("choice of pairs", float(moved), share)
    return noise.reals(distance, sigma) - chance


def _rough(sizes: list[int], first: list[Marginal], beside: list[Marginal], label: int | None) -> list[Floats]:
    """Per column its counts, with the label an array [bins, labels], as noise leaves them but >= 0 and of one total."""
    total = total_of([*first, *beside])
    single = [np.maximum(one.values, 1e-3) for one in first]
    if label is None:
        return [one * total / one.sum() for one in single]
    found = {}
    for one in beside:
        column = next(c for c in one.columns if c != label)
        values = one.values if one.columns[1] == label else one.values.T
        found[column] = np.maximum(values, 1e-3)
    labels = np.mean([one.sum(axis=0) / one.sum() for one in found.values()], axis=0) * total
    return [
        found[column] * (labels / found[column].sum(axis=0)) if column in found else np.diag(labels)
        for column in range(len(sizes))
    ]


def _expected(rough: list[Floats], pair: tuple[int, int]) -> Floats:
    """Counts of the pair (and the label) if the two were independent (given the label)."""
    left, right = rough[pair[0]], rough[pair[1]]
    if left.ndim == 1:
        return np.asarray(np.outer(left, right) / left.sum())
    return np.asarray(left[:, None, :] * right[None, :, :] / left.sum(axis=0))


def _choose(
    pairs: list[tuple[int, int]], gain: Floats, sizes: list[int], label: int | None, measured: list[Marginal],
    left: float, plan: Plan, sensitivity: float,
) -> list[tuple[tuple[int, int], float]]:  # fmt: skip
    """Pairs to count and the share of each: a spanning tree by gain, then what else is worth its noise."""
    size = np.array([np.prod([sizes[c] for c in _with(pair, label)]) for pair in pairs], np.float64)
    columns = sorted({column for pair in pairs for column in pair})
    group = {column: column for column in columns}
    cliques = [one.columns for one in measured]
    chosen: list[int] = []
    # As if the tree's pairs and half of the others shared what is left.
    sigma = sensitivity * np.sqrt((len(columns) - 1 + 0.5 * plan.extra) / left)
    worth = gain - plan.worth * _HALF_NORMAL * sigma * size

    def fits(place: int) -> bool:
        wanted = [*cliques, *(tuple(sorted(_with(pairs[c], label))) for c in [*chosen, place])]
        return cells(sizes, wanted) <= plan.cells

    for place in np.argsort(-gain):
        a, b = pairs[place]
        if group[a] != group[b] and gain[place] > 0 and fits(int(place)):
            chosen.append(int(place))
            merged, gone = group[a], group[b]
            group = {column: merged if where == gone else where for column, where in group.items()}
    tree = len(chosen)
    for place in np.argsort(-worth):
        if len(chosen) >= tree + plan.extra or worth[place] <= 0:
            break
        if int(place) not in chosen and fits(int(place)):
            chosen.append(int(place))
    # Least summed L1 noise for the budget: shares go as cells to the power 2/3.
    weight = size[chosen] ** (2.0 / 3.0)
    shares = left * weight / weight.sum() if chosen else weight
    return [(pairs[place], float(share) * (1 - 1e-9)) for place, share in zip(chosen, shares, strict=True)]

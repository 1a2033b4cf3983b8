"""Junction trees: groups of columns in a tree, in which a distribution over many columns is cheap to sum.

Greedy elimination by table size and a spanning tree of widest separators (Koller and Friedman 2009, section 10.4).
"""

from dataclasses import dataclass
from itertools import combinations
from math import prod

__all__ = ["Tree", "cells", "junction_tree"]


@dataclass(frozen=True)
class Tree:
    """Cliques (columns ascending), parents first; the root's parent is -1."""

    cliques: tuple[tuple[int, ...], ...]
    parents: tuple[int, ...]

    def separator(self, place: int) -> tuple[int, ...]:
        """What a clique shares with its parent."""
        parent = self.parents[place]
        held = () if parent < 0 else self.cliques[parent]
        return tuple(column for column in self.cliques[place] if column in held)


def _maximal(sizes: list[int], groups: list[tuple[int, ...]]) -> list[frozenset[int]]:
    near: dict[int, set[int]] = {column: set() for column in range(len(sizes))}
    for group in groups:
        for a, b in combinations(group, 2):
            near[a].add(b)
            near[b].add(a)
    found: list[frozenset[int]] = []
    while near:
        column = min(near, key=lambda one: (sizes[one] * prod(sizes[other] for other in near[one]), one))
        around = near.pop(column)
        clique = frozenset({column, *around})
        if not any(clique <= other for other in found):
            found.append(clique)
        for other in around:
            near[other].discard(column)
            near[other] |= around - {other}
    return found


def cells(sizes: list[int], groups: list[tuple[int, ...]]) -> int:
    """Cells of all cliques together: what an estimate costs."""
    return sum(prod(sizes[column] for column in clique) for clique in _maximal(sizes, groups))


def junction_tree(sizes: list[int], groups: list[tuple[int, ...]]) -> Tree:
    """A tree in which each group lies within a clique, and every column in at least one."""
    left = sorted((tuple(sorted(clique)) for clique in _maximal(sizes, groups)), key=lambda one: (-len(one), one))
    cliques, parents = [left.pop(0)], [-1]
    while left:
        shared = [(len(set(new) & set(old)), -at, -place) for at, new in enumerate(left)
                  for place, old in enumerate(cliques)]  # fmt: skip
        _, at, place = max(shared)
        cliques.append(left.pop(-at))
        parents.append(-place)
    return Tree(tuple(cliques), tuple(parents))

"""Slow twin of `dependencies.rs`: values that go by the value of another column, value by value."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

MISSING, OTHER, FIRST = 0, 1, 2


@dataclass(frozen=True)
class Dependency:
    """Category columns, rows that it speaks of, those that break it, and what goes with each value."""

    source: int
    target: int
    rows: int
    broken: int
    expected: dict[int, int]


def find(c_BC: np.ndarray, sizes: dict[int, int]) -> list[Dependency]:
    """Those of few exceptions first. `sizes`: codes of the columns that hold values."""
    listed = {column: size for column, size in sizes.items() if size >= FIRST + 2}
    pairs = [(a, b) for a in listed for b in listed if a != b and listed[b] >= FIRST + 3]
    found = [one for a, b in pairs if (one := _found(c_BC, a, b)) is not None]
    return sorted(found, key=lambda one: one.broken)


def _commonest(counts: Counter[int]) -> int:
    known = [code for code in counts if code >= FIRST]
    return min(known, key=lambda code: (-counts[code], code)) if known else FIRST


def _left_out(groups: dict[int, Counter[int]]) -> tuple[int, int]:
    large = [counts for counts in groups.values() if counts.total() >= 3]
    return sum(c.total() for c in large), sum(c.total() - c[_commonest(c)] for c in large)


def _found(c_BC: np.ndarray, source: int, target: int) -> Dependency | None:
    groups: dict[int, Counter[int]] = {}
    fewest = max(3, len(c_BC) // 1_000)
    for row, (a, b) in enumerate(c_BC[:, [source, target]].tolist()):
        if a >= FIRST and b != MISSING:
            groups.setdefault(a, Counter())[b] += 1
        if row + 1 == min(1_024, len(c_BC)):
            rows, left_out = _left_out(groups)
            if 20 * left_out > 2 * rows:
                return None
    expected, spoken, kept = {}, 0, 0
    for value, counts in groups.items():
        most, whole = _commonest(counts), counts.total()
        alike = max((count for code, count in counts.items() if code >= FIRST and code != most), default=0)
        if counts[most] >= fewest and 4 * (whole - counts[most]) <= whole and alike <= 1 + whole // 1_000:
            expected[value] = most
            spoken, kept = spoken + whole, kept + counts[most]
    rows, left_out = _left_out(groups)
    everyone = sum(groups.values(), Counter())
    chance = max(everyone.values(), default=0) / max(everyone.total(), 1)
    few = 20 * left_out <= rows and 20 * left_out <= rows * (1 - chance)
    if spoken < 50 or not few or kept * -math.log(max(chance, 1 / spoken)) < 20:
        return None
    return Dependency(source, target, spoken, spoken - kept, expected)

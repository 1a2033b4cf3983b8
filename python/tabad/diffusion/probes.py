"""The fixed corruption patterns under which a row is scored, stored with the network.

A probe is one level per table column. *Joint* probes put every column at one level and add no noise (deterministic:
the residual is then the score function); *conditional* probes hide about a quarter of the columns and
leave the others clean. Axes: K probes, P table columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .schedule import HIDDEN, SIGMA_MIN

__all__ = ["JOINT_LEVELS", "design", "hidden_groups"]

JOINT_LEVELS = (0.1, 0.3, 1.0)
_GROUPS = 4


def hidden_groups(columns: int) -> list[tuple[int, ...]]:
    """Groups that hide each column twice, at most 8: once with every fourth column, once with its neighbours.

    Columns that hide together in one round mostly part in the other. With few columns the second round repeats
    groups of the first; a repeat is left out, for it would give the same energies again.
    """
    groups = min(_GROUPS, columns)
    strided = [tuple(range(first, columns, groups)) for first in range(groups)]
    runs: list[list[int]] = [[] for _ in range(groups)]
    for column in range(columns):
        runs[column * groups // columns].append(column)
    return list(dict.fromkeys([*strided, *map(tuple, runs)]))


def design(columns: int) -> tuple[Tensor, int]:
    """`(probes_KP, joint)`: float32 levels, HIDDEN where a column is hidden; the first `joint` are joint probes."""
    joint = [[level] * columns for level in JOINT_LEVELS]
    hidden = [
        [HIDDEN if column in group else SIGMA_MIN for column in range(columns)] for group in hidden_groups(columns)
    ]
    return torch.tensor([*joint, *hidden], dtype=torch.float64).to(torch.float32), len(joint)

"""The design of the probes: few, and each column hidden twice."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from tabad.diffusion.probes import JOINT_LEVELS, design, hidden_groups
from tabad.diffusion.schedule import HIDDEN, SIGMA_MIN


@pytest.mark.parametrize("columns", [8, 9, 12, 20, 41, 200])
def test_each_column_is_hidden_twice_in_eight_groups_of_a_quarter(columns: int) -> None:
    groups = hidden_groups(columns)
    times = Counter(column for group in groups for column in group)
    assert len(groups) == 8
    assert times == dict.fromkeys(range(columns), 2)
    assert all(columns // 4 <= len(group) <= -(-columns // 4) for group in groups)


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_few_columns_hide_alone_and_no_group_is_repeated(columns: int) -> None:
    assert hidden_groups(columns) == [(column,) for column in range(columns)]


@pytest.mark.parametrize("columns", range(1, 60))
def test_every_column_is_hidden_and_probes_are_few(columns: int) -> None:
    probes_KP, joint = design(columns)
    assert joint == len(JOINT_LEVELS)
    assert len(probes_KP) <= 16
    assert bool((probes_KP[joint:] < 0).any(dim=0).all())


def test_joint_probes_share_a_level_and_conditional_ones_are_clean_or_hidden() -> None:
    probes_KP, joint = design(6)
    expected = torch.tensor(JOINT_LEVELS)[:, None].expand(-1, 6)
    assert torch.equal(probes_KP[:joint], expected)
    conditional = probes_KP[joint:]
    assert bool(((conditional == HIDDEN) | (conditional == torch.tensor(SIGMA_MIN))).all())

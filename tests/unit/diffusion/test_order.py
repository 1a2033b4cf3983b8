"""Each cell is revealed in its step: categories of a row apart, in any order, as often as the levels say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tabad.diffusion.categorical import Kind
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.order import reveal_steps
from tabad.diffusion.sample import Plan, sample
from tabad.diffusion.schedule import grid

CPU = torch.device("cpu")
ROWS = 6_000
# Two numbers with their statuses, then five categories.
INDEX = Index(Layout.of([5, 5, 3, 2, 4, 6, 2], [0, 1], [0, 1, 0, 1, 2, 3, 4, 5, 6]), CPU)


def steps_of(levels: list[float], index: Index = INDEX) -> Tensor:
    return reveal_steps(ROWS, levels, index, generator=torch.Generator().manual_seed(3))


def test_every_cell_has_a_step_and_no_two_categories_of_a_row_share_one() -> None:
    for steps in (5, 6, 20):
        when_BC = steps_of(grid(steps))
        assert 0 <= int(when_BC.min()) <= int(when_BC.max()) == steps - 1
        own_BK = when_BC[:, 2:].sort(dim=1).values
        assert bool((own_BK.diff(dim=1) >= 1).all())
        if steps == 5:
            # Five categories in five steps: every step has one.
            assert bool((own_BK == torch.arange(5)).all())


def test_more_categories_than_steps_share_them_evenly() -> None:
    index = Index(Layout.of([2] * 11, [], list(range(11))), CPU)
    when_BC = steps_of(grid(4), index)
    assert (int(when_BC.min()), int(when_BC.max())) == (0, 3)
    for step in range(4):
        # Eleven categories in four steps: at most three abreast.
        assert int((when_BC == step).sum(dim=1).max()) <= 3


def test_each_category_comes_first_as_often_as_any_other() -> None:
    first_B = steps_of(grid(20))[:, 2:].argmin(dim=1)
    share = torch.bincount(first_B, minlength=5) / ROWS
    # A fifth each; the standard deviation of a share is 0.5 %.
    assert share.tolist() == pytest.approx([0.2] * 5, abs=0.02)


def test_a_category_is_still_masked_as_often_as_the_levels_say() -> None:
    # One category alone: nothing keeps it apart. share(s) = s^2 / (1 + s^2), relative to the first level.
    index, levels = Index(Layout.of([3], [], [0]), CPU), [20.0, 3.0, 1.0, 0.3, 0.0]
    when_B = steps_of(levels, index)[:, 0]
    for step, level in enumerate(levels[1:]):
        share = level**2 / (1 + level**2) / (400 / 401)
        assert float((when_B > step).float().mean()) == pytest.approx(share, abs=0.02)


def test_statuses_are_revealed_before_the_noise_is_near_a_number() -> None:
    levels = grid(20)
    late_B = steps_of(levels)[:, 0] >= next(step for step, level in enumerate(levels) if level < 2.0)
    # (2 / 20)^2 / (1 + (2 / 20)^2), relative to a half at the first level: 2 %.
    assert float(late_B.float().mean()) < 0.03


def test_categories_that_are_always_equal_come_out_equal() -> None:
    # Seven columns with one value between them: whoever comes first decides. Any two drawn together would be unequal
    # every second time.
    index = Index(Layout.of([2] * 7, [], list(range(7))), CPU)

    def equal(number: Tensor, level: Tensor, hidden: Tensor, code: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        ones_B = (code == 1).any(dim=1).float()
        zeros_B = (code == 0).any(dim=1).float()
        log_BS = torch.stack([-1e9 * ones_B, -1e9 * zeros_B], dim=1).repeat(1, 7)
        return number, log_BS

    _, c_BC = sample(equal, ROWS, index, Kind.MASKED, generator=torch.Generator().manual_seed(5), untold=0, plan=Plan())
    assert bool((c_BC == c_BC[:, :1]).all())
    assert float(c_BC[:, 0].float().mean()) == pytest.approx(0.5, abs=0.03)

"""Preconditioning identities, the sampling grid, and what training levels cover."""

from __future__ import annotations

import math

import pytest
import torch

from tabad.diffusion.schedule import (
    HIDDEN,
    HIDDEN_NOISE,
    LAST_LEVEL,
    SIGMA_MAX,
    SIGMA_MIN,
    draw_levels,
    grid,
    precondition,
)

LEVELS = torch.tensor([0.02, 0.1, 0.5, 1.0, 3.0, 20.0], dtype=torch.float64)


def test_input_and_target_have_unit_variance_for_unit_data() -> None:
    # Karras et al. 2022, appendix B.6: Var[c_in x] = 1 and Var[(y - c_skip x) / c_out] = 1.
    scales = precondition(LEVELS)
    torch.testing.assert_close(scales.scale.square() * (LEVELS.square() + 1), torch.ones_like(LEVELS))
    target_variance = ((1 - scales.skip).square() + scales.skip.square() * LEVELS.square()) / scales.out.square()
    torch.testing.assert_close(target_variance, torch.ones_like(LEVELS))


def test_noise_is_told_as_a_quarter_of_the_log() -> None:
    torch.testing.assert_close(precondition(LEVELS).noise, LEVELS.log() / 4)


def test_hidden_has_its_own_constants() -> None:
    scales = precondition(torch.tensor([HIDDEN, 1.0]))
    assert (scales.skip[0], scales.out[0], scales.scale[0], scales.noise[0]) == (0.0, 1.0, 0.0, HIDDEN_NOISE)
    assert scales.hidden.tolist() == [1.0, 0.0]


def test_hidden_is_told_apart_from_every_level() -> None:
    assert math.log(SIGMA_MAX) / 4 < HIDDEN_NOISE


def test_grid_falls_from_top_to_bottom_then_to_zero() -> None:
    levels = grid(30)
    assert len(levels) == 31
    assert levels[0] == pytest.approx(SIGMA_MAX)
    assert levels[-2] == pytest.approx(LAST_LEVEL)
    assert SIGMA_MIN < LAST_LEVEL
    assert levels[-1] == 0.0
    assert levels == sorted(levels, reverse=True)


def test_grid_refuses_one_step() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        grid(1)


def test_training_levels_cover_probes_and_sampling() -> None:
    sigma_BP = draw_levels(20_000, 8, generator=torch.Generator().manual_seed(0))
    hidden_BP = sigma_BP == HIDDEN
    clean_BP = sigma_BP == SIGMA_MIN
    assert bool(((sigma_BP >= SIGMA_MIN) & (sigma_BP <= SIGMA_MAX) | hidden_BP).all())
    shared_B = (sigma_BP == sigma_BP[:, :1]).all(dim=1) & ~hidden_BP.any(dim=1)
    conditional_B = hidden_BP.any(dim=1) & (hidden_BP | clean_BP).all(dim=1)
    assert 0.15 < shared_B.float().mean() < 0.30
    assert 0.15 < conditional_B.float().mean() < 0.30
    assert 0.20 < hidden_BP.float().mean() < 0.30


def test_levels_are_reproducible() -> None:
    first, second = (draw_levels(100, 3, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)

"""Noise on numbers, its undoing, and the weight of its loss."""

from __future__ import annotations

import pytest
import torch

from tabad.diffusion import gaussian
from tabad.diffusion.schedule import HIDDEN, precondition

SIGMA = torch.tensor([[0.1, 1.0, 5.0, HIDDEN]], dtype=torch.float64)


def test_noise_has_the_level_as_its_standard_deviation() -> None:
    sigma_BN = SIGMA.expand(50_000, 4)
    noisy_BN = gaussian.corrupt(torch.ones_like(sigma_BN), sigma_BN, generator=torch.Generator().manual_seed(0))
    assert noisy_BN[:, :3].std(dim=0).tolist() == pytest.approx([0.1, 1.0, 5.0], rel=0.02)
    assert bool((noisy_BN[:, 3] == 1.0).all())


def test_a_perfect_network_has_no_loss_and_gives_the_clean_row_back() -> None:
    clean = torch.tensor([[0.3, -2.0, 1.5, 7.0]], dtype=torch.float64)
    noisy = torch.tensor([[0.4, -1.0, 9.0, 0.0]], dtype=torch.float64)
    scales = precondition(SIGMA)
    raw = (clean - scales.skip * noisy) / scales.out
    assert float(gaussian.loss(raw, clean, noisy, scales).sum()) < 1e-20
    torch.testing.assert_close(gaussian.denoised(raw, noisy, scales), clean)


def test_loss_is_the_squared_error_over_c_out_squared() -> None:
    scales = precondition(SIGMA)
    clean, noisy, raw = torch.zeros(1, 4), torch.ones(1, 4), torch.full((1, 4), 0.5)
    error = gaussian.denoised(raw, noisy, scales) - clean
    torch.testing.assert_close(gaussian.loss(raw, clean, noisy, scales), error.square() / scales.out.square())


def test_an_untrained_network_has_a_loss_of_one_at_every_level() -> None:
    generator = torch.Generator().manual_seed(0)
    clean_BN = torch.randn(100_000, 4, generator=generator, dtype=torch.float64)
    sigma_BN = SIGMA.expand_as(clean_BN)
    noisy_BN = gaussian.corrupt(clean_BN, sigma_BN, generator=generator)
    loss_BN = gaussian.loss(torch.zeros_like(clean_BN), clean_BN, noisy_BN, precondition(sigma_BN))
    assert loss_BN.mean(dim=0).tolist() == pytest.approx([1.0] * 4, rel=0.02)

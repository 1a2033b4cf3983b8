"""Diffusion of numbers: Gaussian noise at a level per column, EDM-weighted loss (Karras et al. 2022, eq. 8).

A number is *seen* when its column is not hidden and its status, as seen, says present; otherwise its input is 0 and
the network predicts it outright (c_skip = 0, c_out = 1), so that nothing of an absent value can leak.
Axes: B rows, N numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .schedule import Preconditioning

__all__ = ["CLIP", "corrupt", "denoised", "loss"]

CLIP = 30.0
"""Numbers are standardised; beyond this the network sees the bound."""


def corrupt(x_BN: Tensor, sigma_BN: Tensor, *, generator: torch.Generator) -> Tensor:
    """x + sigma n, n standard normal; x itself where hidden (it is not seen there)."""
    noise_BN = torch.randn(x_BN.shape, generator=generator, device=x_BN.device, dtype=x_BN.dtype)
    return x_BN + sigma_BN.clamp_min(0.0) * noise_BN


def denoised(raw_BN: Tensor, x_BN: Tensor, scales: Preconditioning) -> Tensor:
    """D(x) = c_skip x + c_out F (Karras et al. 2022, eq. 7)."""
    return scales.skip * x_BN + scales.out * raw_BN


def loss(raw_BN: Tensor, clean_BN: Tensor, noisy_BN: Tensor, scales: Preconditioning) -> Tensor:
    """(D - x)^2 / c_out^2 per number, about 1 for an untrained network at any level (eq. 8)."""
    target_BN = (clean_BN - scales.skip * noisy_BN) / scales.out
    return (raw_BN - target_BN).square()

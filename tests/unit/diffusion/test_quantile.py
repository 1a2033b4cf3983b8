"""The network's scale: ranks on a standard normal, ties as intervals, values back exactly, outside ones outside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from tabad.diffusion import quantile


def fit(*columns: list[float]) -> quantile.Quantiles:
    x_BN = torch.tensor(columns, dtype=torch.float32).T
    return quantile.fit(x_BN, torch.ones_like(x_BN, dtype=torch.bool))


def unscaled(scale: quantile.Quantiles, x: list[float]) -> np.ndarray:
    """(low, high, middle) [3, B] before standardisation, from two places whose values are known."""
    x_BN = torch.tensor(x)[:, None]
    places = [z_BN[:, 0].double().numpy() for z_BN in (*scale.place(x_BN), scale.middle(x_BN))]
    return np.stack(places)


def test_a_value_of_one_row_is_a_point_and_a_shared_one_an_interval() -> None:
    scale = fit([0.0, 0.0, 0.0, 2.0])
    found = unscaled(scale, [0.0, 2.0])
    # Zeros have ranks 0 .. 3/4 less 5 % of their three rows on either side; the last row's median rank is 7/8.
    exact = stats.norm.ppf([[0.15 / 4, 7 / 8], [2.85 / 4, 7 / 8], [1.5 / 4, 7 / 8]])
    centre, width = (exact[0] + exact[1]) / 2, exact[1] - exact[0]
    mean = centre @ [0.75, 0.25]
    square = ((centre - mean) ** 2 + width**2 / 12) @ [0.75, 0.25]
    assert found == pytest.approx((exact - mean) / np.sqrt(square), abs=1e-6)


def test_outside_the_training_values_a_step_is_a_step() -> None:
    scale = fit([-1.0, 0.0, 0.5, 1.0])
    inside, outside = scale.middle(torch.tensor([[1.0], [-1.0]])), scale.middle(torch.tensor([[4.0], [-3.5]]))
    assert (outside - inside)[:, 0].tolist() == pytest.approx([3.0, -2.5], abs=1e-6)


@pytest.mark.parametrize("many", [False, True])
def test_values_come_back_from_anywhere_in_their_interval(many: bool) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=5_000) if many else draw.integers(0, 40, 5_000) / 7.0
    x[:2_000] = 0.25
    x_BN = torch.tensor(x, dtype=torch.float32)[:, None]
    scale = quantile.fit(x_BN, torch.ones_like(x_BN, dtype=torch.bool))
    z_BN = quantile.within(*scale.place(x_BN), generator=torch.Generator().manual_seed(0))
    assert (scale.value(z_BN) - x_BN).abs().max().item() <= (1e-5 if many else 0.0)
    assert (scale.value(z_BN)[:2_000] == 0.25).all()
    # sigma_data = 1. Four standard errors of 5,000 places drawn within the intervals.
    assert z_BN.mean().item() == pytest.approx(0.0, abs=0.057)
    assert z_BN.var().item() == pytest.approx(1.0, abs=0.08)


def test_between_the_intervals_of_a_few_values_is_none_of_its_own() -> None:
    scale = fit([0.0, 0.0, 1.0, 1.0, 5.0])
    z_BN = torch.linspace(scale.middle(torch.zeros(1, 1)).item(), scale.middle(torch.full((1, 1), 5.0)).item(), 500)
    assert scale.value(z_BN[:, None]).unique().tolist() == [0.0, 1.0, 5.0]


def test_the_scale_is_monotone_and_finite_over_everything_encoded() -> None:
    scale = fit([0.0] * 90 + [1.0, 1.5, 29.0])
    z_BN = scale.middle(torch.linspace(-30, 30, 1_001)[:, None])
    assert z_BN.isfinite().all()
    assert (z_BN.diff(dim=0) >= 0).all()


def test_a_number_that_is_never_present_and_no_numbers_at_all() -> None:
    scale = quantile.fit(torch.zeros(5, 1), torch.zeros(5, 1, dtype=torch.bool))
    assert scale.middle(torch.tensor([[3.0], [-2.0]]))[:, 0].tolist() == [3.0, -2.0]
    none = quantile.fit(torch.zeros(5, 0), torch.zeros(5, 0, dtype=torch.bool))
    assert none.middle(torch.zeros(2, 0)).shape == (2, 0)

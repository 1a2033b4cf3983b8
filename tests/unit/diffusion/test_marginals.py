"""Drawn numbers are moved to the quantiles of the training rows, in their order."""

import numpy as np
import pytest
import torch
from scipy import stats

from tabad.diffusion.marginals import Marginals, fit


def draws(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_number_is_moved_in_proportion_and_beyond_the_ends_in_parallel() -> None:
    tables = Marginals(torch.tensor([[0.0, 1.0, 3.0]]), torch.tensor([[10.0, 20.0, 21.0]]))
    x_B1 = torch.tensor([[-2.0], [0.0], [0.25], [1.0], [2.0], [3.0], [3.5]])
    assert tables.move(x_B1)[:, 0].tolist() == [8.0, 10.0, 12.5, 20.0, 20.5, 21.0, 21.5]


def test_it_is_the_interpolation_that_numpy_does() -> None:
    drawn_NK, wanted_NK = draws(1, 3, 50).sort(dim=1).values, draws(2, 3, 50).sort(dim=1).values
    x_BN = draws(3, 1_000, 3).clamp(-1.5, 1.5)  # within the ends of all three
    moved_BN = Marginals(drawn_NK, wanted_NK).move(x_BN)
    for number in range(3):
        expected_B = np.interp(x_BN[:, number].numpy(), drawn_NK[number].numpy(), wanted_NK[number].numpy())
        assert np.abs(moved_BN[:, number].numpy() - expected_B).max() < 1e-4  # float32, slopes up to some hundred


def test_tables_that_were_not_fitted_move_nothing() -> None:
    x_BN = draws(4, 100, 2)
    assert torch.equal(Marginals(torch.zeros(2, 257), torch.zeros(2, 257)).move(x_BN), x_BN)


def test_fresh_draws_come_out_as_the_training_rows_are_and_in_their_order() -> None:
    # Too wide, and the spike of zeros too low: 60 % instead of 70 %, spread out as the scale spreads what is shared.
    def column(seed: int, share: float, width: float) -> torch.Tensor:
        spike = torch.rand(40_000, generator=torch.Generator().manual_seed(seed)) < share
        return torch.where(spike, -1.0 + 0.1 * draws(seed + 1, 40_000), 1.0 + width * draws(seed + 2, 40_000).abs())

    wanted_B, drawn_B, fresh_B = column(10, 0.7, 0.5), column(20, 0.6, 0.7), column(30, 0.6, 0.7)
    there_B1 = torch.ones(40_000, 1, dtype=torch.bool)

    tables = fit(drawn_B[:, None], there_B1, wanted_B[:, None], there_B1, 257)
    moved_B = tables.move(fresh_B[:, None])[:, 0]

    # Two samples of 40,000 of one distribution differ by up to 0.0096 with 95 %; before, by 0.1.
    assert stats.ks_2samp(fresh_B.numpy(), wanted_B.numpy()).statistic > 0.09
    assert stats.ks_2samp(moved_B.numpy(), wanted_B.numpy()).statistic < 0.012
    assert bool((moved_B[fresh_B.argsort()].diff() >= -1e-6).all())


@pytest.mark.parametrize(("drawn", "wanted", "moves"), [(99, 500, False), (500, 99, False), (100, 100, True)])
def test_a_column_of_few_values_stays(drawn: int, wanted: int, moves: bool) -> None:
    x_BN, y_BN = draws(5, 600, 1), draws(6, 600, 1) + 1.0
    place_B1 = torch.arange(600)[:, None]
    tables = fit(x_BN, place_B1 < drawn, y_BN, place_B1 < wanted, 33)
    assert torch.equal(tables.move(x_BN), x_BN) is not moves
    assert bool((tables.drawn_NK.diff(dim=1) >= 0).all())
    assert bool((tables.wanted_NK.diff(dim=1) >= 0).all())

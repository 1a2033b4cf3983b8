"""A number in pieces: exact shares, nothing for zero, and edges where a standard normal's quantiles are."""

import pytest
import torch
from scipy import stats

from tabad.diffusion.pieces import edges, in_pieces, told


def test_a_number_fills_the_pieces_between_zero_and_itself() -> None:
    edge_K = torch.tensor([-3.0, -1.0, 0.0, 2.0])
    said = in_pieces(torch.tensor([[1.0, -2.0], [0.0, 9.0], [-9.0, -0.5]]), edge_K)
    assert said.tolist() == [
        [0.0, 0.0, 0.5, -0.5, -1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [-1.0, -1.0, 0.0, 0.0, -0.5, 0.0],
    ]


def test_zero_says_nothing_within_a_piece_too() -> None:
    assert in_pieces(torch.zeros(2, 3), torch.tensor([-1.0, 0.5, 4.0])).tolist() == [[0.0] * 6] * 2
    assert in_pieces(torch.tensor([[0.25]]), torch.tensor([-1.0, 1.0])).tolist() == [[0.125]]


@pytest.mark.parametrize("pieces", [2, 3, 8, 16])
def test_as_many_noised_numbers_lie_in_each_inner_piece(pieces: int) -> None:
    found = edges(pieces)
    assert len(found) == pieces + 1
    shares = stats.norm.cdf(found[1:-1])
    assert shares == pytest.approx([place / pieces for place in range(1, pieces)], abs=1e-12)
    assert found[1] - found[0] == pytest.approx(1.0)
    assert found[-1] - found[-2] == pytest.approx(1.0)


def test_many_pieces_are_equally_wide() -> None:
    assert edges(26) == pytest.approx([-3.25 + place / 4 for place in range(27)], abs=1e-12)


def test_a_number_is_told_as_it_is_fed_and_as_it_is_pulled_to_the_mean() -> None:
    sigma = torch.tensor([[3.0, 0.5]])
    noised = torch.tensor([[10.0, -1.0]])
    edge_K = torch.tensor([-1.0, 0.0, 1.0])
    said = told(noised * (1.0 + sigma**2).rsqrt(), sigma.log() / 4.0, edge_K)
    # c_in = 1 / sqrt(10) and 1 / sqrt(1.25), c_skip = 0.1 and 0.8.
    fed = [10 / 10**0.5, -1 / 1.25**0.5]
    assert said[0].tolist() == pytest.approx([*fed, 1.0, -0.8, 0.0, 1.0, fed[1], 0.0], rel=1e-6)

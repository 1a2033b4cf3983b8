"""Codes come as often as in the training rows, whatever a network is a little wrong in."""

from __future__ import annotations

import pytest
import torch

from tabad.diffusion import shares
from tabad.diffusion.categorical import Kind
from tabad.diffusion.denoiser import Config, Denoiser
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.sample import sample

CPU = torch.device("cpu")
LAYOUT = Layout.of([5, 4, 3], [0], [0, 0, 1, 2])
INDEX = Index(LAYOUT, CPU)
ROWS = 8_000


def network() -> Denoiser:
    """An untrained network says the same of every row: its bias."""
    return Denoiser(Config(LAYOUT, 16, 1), generator=torch.Generator().manual_seed(0)).eval()


def drawn(net: Denoiser, seed: int) -> torch.Tensor:
    forbidden_S = torch.tensor([False, True, True, True, True, False, False, False, True, False, False, False])
    generator = torch.Generator().manual_seed(seed)
    return sample(net, ROWS, INDEX, Kind.MASKED, generator=generator, untold=0, forbidden_S=forbidden_S)[1]


def test_two_rounds_take_most_of_a_wrong_share_away() -> None:
    source = torch.Generator().manual_seed(1)
    c_BC = torch.stack(
        [
            torch.zeros(ROWS, dtype=torch.int64),
            torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), ROWS, replacement=True, generator=source),
            torch.multinomial(torch.tensor([0.28, 0.33, 0.39]), ROWS, replacement=True, generator=source),
        ],
        dim=1,
    )
    net = network()
    before = [torch.bincount(drawn(net, 2)[:, j], minlength=3) / ROWS for j in (1, 2)]
    shares.match(net, c_BC, INDEX, ROWS, generator=torch.Generator().manual_seed(3))
    after = [torch.bincount(drawn(net, 2)[:, j], minlength=3) / ROWS for j in (1, 2)]
    assert before[0].tolist() == pytest.approx([1 / 3] * 3, abs=0.02)
    # Each round takes 70 % of the logarithm: 9 % of it is left, and chance.
    for share, column in zip(after, (1, 2), strict=True):
        wanted = torch.bincount(c_BC[:, column], minlength=3) / ROWS
        assert share.tolist() == pytest.approx(wanted.tolist(), abs=0.025)


def test_a_code_that_no_row_has_is_not_made_likelier_and_a_bias_moves_by_a_bounded_step() -> None:
    net = network()
    c_BC = torch.zeros(100, 3, dtype=torch.int64)
    shares.match(net, c_BC, INDEX, 400, generator=torch.Generator().manual_seed(3))
    bias_S = net.head_bias.detach()[1:]
    assert bool((bias_S[[6, 7, 8, 10, 11]] <= 0.0).all())
    # Two rounds of at most a half.
    assert float(bias_S.abs().max()) <= 1.0

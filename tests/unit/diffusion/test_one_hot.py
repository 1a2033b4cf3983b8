"""Codes times their weights: the product of a GPU is the sum of rows that a processor looks up, gradients too."""

import pytest
import torch

from tabad.diffusion.one_hot import _product, sum_of_rows


@pytest.mark.parametrize("nothing", [None, 6])
def test_the_product_is_the_sum_of_rows(nothing: int | None) -> None:
    draw = torch.Generator().manual_seed(0)
    place_BC = torch.randint(7, (50, 3), generator=draw)  # the same place twice in a row is there too
    assert any(len(set(row)) < 3 for row in place_BC.tolist())
    tables = [torch.randn(7, 4, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2)]
    looked_up, product = sum_of_rows(place_BC, tables[0], nothing), _product(place_BC, tables[1], nothing)
    # Sums of at most three rows, of fifty gradients.
    torch.testing.assert_close(product, looked_up, rtol=1e-6, atol=1e-6)
    for said in (looked_up, product):
        said.square().sum().backward()
    torch.testing.assert_close(tables[1].grad, tables[0].grad, rtol=1e-5, atol=1e-5)


def test_a_place_of_nothing_adds_nothing() -> None:
    table = torch.ones(3, 2)
    assert _product(torch.tensor([[2, 2], [0, 2]]), table, 2).tolist() == [[0.0, 0.0], [1.0, 1.0]]

"""Two halves give the gradient of the whole batch, whatever the number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tests.unit.diffusion.test_train import CPU, LAYOUT, TINY, rows
from torch import Tensor, nn

from tabad.diffusion.halves import Halves, one_thread
from tabad.diffusion.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator


def squares(batch: Tensor) -> Tensor:
    net = nn.Linear(3, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.5, -1.0, 2.0]]))
        net.bias.zero_()
    halves = Halves(net)
    loss = halves.backward(lambda n, rows, _: (n(rows[0]).square().sum(), torch.tensor(len(rows[0]))), (batch,))
    halves.close()
    assert net.weight.grad is not None
    return torch.cat([net.weight.grad.flatten(), loss[None]])


def test_the_gradient_is_that_of_the_mean_over_both() -> None:
    batch = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor([0.5, -1.0, 2.0])
    said = batch @ weight
    gradient = (2.0 * said[:, None] * batch).mean(dim=0)
    # Sums of nine float32 products.
    torch.testing.assert_close(squares(batch), torch.cat([gradient, said.square().mean()[None]]), rtol=1e-5, atol=1e-5)


def test_the_twin_sees_every_step_of_the_optimiser() -> None:
    halves = Halves(nn.Linear(2, 2))
    before = halves.net.weight.detach().clone()
    halves.backward(lambda net, rows, _: (net(rows[0]).sum(), torch.tensor(1)), (torch.tensor([[1.0] * 2, [2.0] * 2]),))
    torch.optim.SGD(halves.net.parameters(), lr=1.0).step()
    assert not torch.equal(halves.net.weight, before)
    assert torch.equal(halves.twin.weight, halves.net.weight)
    halves.close()


def test_an_error_in_either_half_reaches_the_caller() -> None:
    halves = Halves(nn.Linear(1, 1))
    for bad in (0, 1):

        def loss(net: nn.Linear, _: tuple[Tensor, ...], half: int, bad: int = bad) -> tuple[Tensor, Tensor]:
            if half == bad:
                raise ValueError(f"half {half}")
            return net(torch.ones(1, 1)).sum(), torch.tensor(1)

        with pytest.raises(ValueError, match=f"half {bad}"):
            halves.backward(loss, (torch.ones(2, 1),))
    halves.close()


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_are_given_back_after_an_error(two_threads: None) -> None:
    within = []

    def fails() -> None:
        with one_thread():
            within.append(torch.get_num_threads())
            raise ValueError("early")

    with pytest.raises(ValueError, match="early"):
        fails()
    assert (within, torch.get_num_threads()) == ([1], 2)


def test_a_seed_gives_the_same_network_whatever_the_number_of_threads(two_threads: None) -> None:
    states = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        states.append(train(*rows(500, 0), LAYOUT, preset=TINY, device=CPU, seed=3).state)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])

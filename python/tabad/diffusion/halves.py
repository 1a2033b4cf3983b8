"""The gradient of a batch in two halves, a thread each, every operation within a thread of its own.

Threads inside an operation wait for each other some two hundred times a step of a small network; where another process
wants one of two cores, every one of these waits for a turn of that process (14 times the time of a step, measured).
Two halves wait once. The halves are always two, so that a seed gives the same network whatever the number of cores.
On a GPU it is `replay` that gives the gradient.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Halves", "Net", "one_thread"]

Net = TypeVar("Net", bound=nn.Module)

if TYPE_CHECKING:
    Loss = Callable[[Net, tuple[Tensor, ...], int], tuple[Tensor, Tensor]]


class Halves(Generic[Net]):
    """A network and its twin, which shares its weights and has gradients of its own. One user at a time."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.twin = copy.deepcopy(net)
        for own, shared in zip(self.twin.parameters(), net.parameters(), strict=True):
            own.data = shared.data
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tabad-half")

    def backward(self, loss: Loss[Net], batch: tuple[Tensor, ...]) -> Tensor:
        """Leave the gradient of the mean loss over a batch (tensors of as many rows each) in `net`; return that loss.

        `loss(net, rows, half)` gives the sum over a half (0 or 1) and how many it sums; what is random in it must come
        from a generator of that half.
        """
        first = -(-len(batch[0]) // 2)

        def half(net: Net, which: int) -> tuple[Tensor, Tensor]:
            net.zero_grad(set_to_none=True)
            rows = tuple(whole[first:] if which else whole[:first] for whole in batch)
            total, count = loss(net, rows, which)
            total.backward()  # type: ignore[no-untyped-call]
            return total.detach(), count.detach()

        other = self._pool.submit(half, self.twin, 1)
        try:
            total, count = half(self.net, 0)
        finally:
            # An interruption must not leave the twin at work on weights that are about to be read.
            other_total, other_count = other.result()
        count = (count + other_count).clamp_min(1)
        for own, twin in zip(self.net.parameters(), self.twin.parameters(), strict=True):
            if twin.grad is not None:
                own.grad = twin.grad if own.grad is None else own.grad.add_(twin.grad)
            if own.grad is not None:
                own.grad.div_(count)
        return (total + other_total) / count

    def close(self) -> None:
        """End the twin's thread."""
        self._pool.shutdown()


@contextmanager
def one_thread() -> Iterator[None]:
    """Every torch operation within runs in the thread that calls it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

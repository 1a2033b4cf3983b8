"""The gradient of a batch on a GPU: recorded once as a CUDA graph, then replayed.

A step of a small network is some five hundred operations of a few microseconds, and Python takes ten to ask for one:
on an H200 a step took 11 ms, of which the GPU worked for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

import torch
from torch import Tensor

from .halves import Halves, Net

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .halves import Loss

__all__ = ["Replay", "gradients"]

_WARM_UP = 3


class Replay(Generic[Net]):
    """The interface of `Halves` for a network on a GPU. What the first loss does is done for each batch."""

    def __init__(self, net: Net, generators: Sequence[torch.Generator] = ()) -> None:
        self.net = net
        self._generators = generators
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: tuple[Tensor, ...] = ()
        self._loss = torch.zeros(())

    def backward(self, loss: Loss[Net], batch: tuple[Tensor, ...]) -> Tensor:
        """As `Halves.backward`, of one half that is the whole. Every batch must have as many rows as the first."""
        if self._graph is None:
            self._batch = tuple(whole.clone() for whole in batch)
            self._graph = self._record(loss)
        for own, new in zip(self._batch, batch, strict=True):
            own.copy_(new)
        self._graph.replay()
        return self._loss

    def close(self) -> None:
        """Let go of the recording."""
        self._graph = None

    def _record(self, loss: Loss[Net]) -> torch.cuda.CUDAGraph:
        # Libraries allocate at their first call, which a recording forbids.
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._once(loss)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        # Gradients that are made while it is recorded are written anew by every replay.
        self.net.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self._loss = self._once(loss)
        return graph

    def _once(self, loss: Loss[Net]) -> Tensor:
        total, count = loss(self.net, self._batch, 0)
        mean = total / count.clamp_min(1)
        mean.backward()  # type: ignore[no-untyped-call]
        return mean.detach()


def gradients(net: Net, device: torch.device, generators: Sequence[torch.Generator] = ()) -> Halves[Net] | Replay[Net]:
    """What gives the gradient of `net` on its device; `generators` are those that its loss draws from."""
    return Replay(net, generators[:1]) if device.type == "cuda" else Halves(net)

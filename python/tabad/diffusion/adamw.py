"""AdamW (Loshchilov and Hutter 2019) by torch's own fused kernel, called as a function.

`torch.optim.AdamW` imports torch's compiler when the first one is made: 2.8 s, more than half of the training of a
network for 5,000 rows. The steps are the same to the bit (a test compares them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim.adamw import adamw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

__all__ = ["AdamW"]

_BETA1, _BETA2 = 0.9, 0.99
_EPSILON = 1e-8


class AdamW:
    """First and second moments of some parameters. A parameter without a gradient stays as it is."""

    def __init__(self, parameters: Iterable[Tensor], *, weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self._parameters = list(parameters)
        self._first = [torch.zeros_like(own) for own in self._parameters]
        self._second = [torch.zeros_like(own) for own in self._parameters]
        self._steps = [torch.zeros((), dtype=torch.float32, device=own.device) for own in self._parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Follow the gradients at that learning rate."""
        moments = zip(self._parameters, self._first, self._second, self._steps, strict=True)
        moved = [(own, own.grad, *of) for own, *of in moments if own.grad is not None]
        if not moved:
            return
        parameters, gradients, first, second, steps = (list(column) for column in zip(*moved, strict=True))
        adamw(
            parameters,
            gradients,
            first,
            second,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=_BETA1,
            beta2=_BETA2,
            lr=rate,
            weight_decay=self.weight_decay,
            eps=_EPSILON,
            maximize=False,
        )

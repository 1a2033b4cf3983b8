"""DP-SGD for the diffusion network: Poisson batches, every row's gradient clipped, noise and accountant by Opacus.

The network sees bins (`tabad.private`), all of them categories under masked diffusion, so that no encoder looks at the
table behind the accountant's back. One row more or less changes a sum of gradients by the clipping norm at most.
Noise and batches come from torch's generator, seeded by the operating system: 32-bit floats and no cryptographic
generator, as is usual for DP-SGD and weaker than the discrete noise of the marginals (Mironov 2012).
Axes: B rows, C category columns, P table columns, S codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from tabad._lazy import need

from . import categorical, shares
from .batches import Corrupted, batch_loss, corrupt, to_rows
from .categorical import MASK, Kind
from .denoiser import Config, Denoiser
from .layout import Index, Layout
from .logits import Whole
from .predict import predict
from .schedule import grid
from .seeding import seeded, unseeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tabad.private.process import Encoded

    from .batches import Rows

__all__ = ["Noisy", "descend", "poisson", "train_private"]

STEPS, BATCH, WIDTH, BLOCKS = 1_500, 512, 128, 2
_CLIP = 1.0
_RATE = 2e-3
_SAMPLING_STEPS = 40
_PART = 128
"""Rows whose gradients are held at a time."""
_MOST_DRAWN, _DRAWN_AT_ONCE = 50_000, 8_192


@dataclass(frozen=True)
class Noisy:
    """The terms of a run: what the accountant was told, and what the run must keep to."""

    multiplier: float
    """Standard deviation of the noise over the clipping norm."""
    rate: float
    """Probability that a row is in a batch."""
    steps: int
    clip: float = _CLIP

    @classmethod
    def of(cls, epsilon: float, delta: float, rate: float, steps: int) -> Noisy:
        """The least noise that (epsilon, delta) allows, by Opacus' PRV accountant (Gopi, Lee and Wutschitz 2021)."""
        need("opacus", extra="private", purpose="train a network privately")
        from opacus.accountants.utils import get_noise_multiplier

        sigma = get_noise_multiplier(
            target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant="prv"
        )
        return cls(float(sigma), rate, steps)

    def epsilon(self, delta: float) -> float:
        """What the run costs at this delta."""
        from opacus.accountants import PRVAccountant

        accountant = PRVAccountant()
        accountant.history = [(self.multiplier, self.rate, self.steps)]
        return float(accountant.get_epsilon(delta))


def poisson(count: int, terms: Noisy, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches: each row is in each of them with probability `rate`, independently of all others."""
    for _ in range(terms.steps):
        yield torch.nonzero(torch.rand(count, generator=generator) < terms.rate).flatten()


def descend(
    net: nn.Module,
    gradients: Callable[[Tensor], Iterator[dict[str, Tensor]]],
    batches: Iterator[Tensor],
    terms: Noisy,
    *,
    expected: float,
    generator: torch.Generator,
    seen: Callable[[dict[str, Tensor]], object] | None = None,
) -> None:
    """Adam on noisy sums of clipped gradients. `gradients`: of each row of a batch, in parts, [rows, *parameter].

    `expected`: what the sums are divided by; it must not depend on the true number of rows. `seen` is shown each noisy
    sum, as an audit wants it.
    """
    need("opacus", extra="private", purpose="train a network privately")
    from opacus.optimizers import DPOptimizer

    named = dict(net.named_parameters())
    adam = torch.optim.Adam(named.values(), lr=_RATE)
    noisy = DPOptimizer(
        adam,
        noise_multiplier=terms.multiplier,
        max_grad_norm=terms.clip,
        expected_batch_size=None,
        loss_reduction="sum",
        generator=generator,
    )
    for batch_B in batches:
        for part in gradients(batch_B):
            for name, parameter in named.items():
                parameter.grad_sample = part[name]  # type: ignore[attr-defined]
            noisy.clip_and_accumulate()
        for parameter in named.values():
            if parameter.summed_grad is None:  # type: ignore[attr-defined]  # nobody was drawn: noise all the same
                parameter.summed_grad = torch.zeros_like(parameter)  # type: ignore[attr-defined]
        noisy.add_noise()
        if seen is not None:
            seen({name: parameter.grad.clone() for name, parameter in named.items() if parameter.grad is not None})
        for parameter in named.values():
            if parameter.grad is not None:
                parameter.grad /= expected
        adam.step()
        noisy.zero_grad()


class _Net(Denoiser):
    """The denoiser, its codes looked up in a way that gradients per row can be taken of."""

    def _codes(self, code_BC: Tensor) -> Tensor:
        table = nn.functional.pad(self.code, (0, 0, 0, 1))
        place_BC = torch.where(code_BC == MASK, self.config.layout.codes, code_BC + self._offsets)
        return table[place_BC].sum(dim=1)


def train_private(
    encoded: Encoded, epsilon: float, delta: float, *, seed: int | None = None, steps: int = STEPS
) -> tuple[list[Any], dict[str, Any]]:
    """Bins of rows drawn from a network trained with DP-SGD, and the terms of the training as texts.

    `seed`: for tests only; then nothing is private.
    """
    layout = Layout.of(encoded.sizes, [], range(len(encoded.sizes)))
    index = Index(layout, torch.device("cpu"))
    # Rate and scale follow the noisy number of rows: the true one is private.
    total = max(1.0, float(np.mean([grid.mass.sum() for grid in encoded.grids])))
    terms = Noisy.of(epsilon, delta, min(1.0, BATCH / total), steps)
    generator = unseeded() if seed is None else seeded(index.device, seed)
    net = _Net(Config(layout, WIDTH, BLOCKS, Kind.MASKED), generator=generator)
    # The noisy counts are paid for: no row need teach them.
    shares.begin(net, _shares(encoded))
    c_BC = np.stack(encoded.bins, axis=1).astype(np.uint16)
    table = to_rows(np.zeros((len(c_BC), 0), np.float32), c_BC, None, index)

    def gradients(batch_B: Tensor) -> Iterator[dict[str, Tensor]]:
        for part_B in torch.split(batch_B, _PART) if len(batch_B) else ():
            yield _per_row(net, table, part_B, index, generator)

    batches = poisson(len(table), terms, generator)
    descend(net, gradients, batches, terms, expected=terms.rate * total, generator=generator)
    bins_BC = _drawn(net, index, round(min(total, _MOST_DRAWN)), generator)
    facts = {
        "noise_multiplier": f"{terms.multiplier:.6g}", "sample_rate": f"{terms.rate:.6g}", "steps": terms.steps,
        "clip": f"{terms.clip:g}", "sampling": "poisson", "accountant": "opacus prv",
        "epsilon": f"{terms.epsilon(delta):.6g}", "delta": f"{delta:g}",
    }  # fmt: skip
    return [bins_BC[:, column].numpy() for column in range(layout.categories)], facts


def _shares(encoded: Encoded) -> Tensor:
    """How often each bin of its column comes, by the noisy counts [S]; half of its noise at least."""
    masses = [np.maximum(one.counts(), 0.5 * one.noise()) for one in encoded.grids]
    return torch.from_numpy(np.concatenate([mass / mass.sum() for mass in masses]))


def _per_row(net: _Net, table: Rows, part_B: Tensor, index: Index, generator: torch.Generator) -> dict[str, Tensor]:
    """The gradient of each row's loss, its corruption drawn anew."""
    parameters = {name: parameter.detach() for name, parameter in net.named_parameters()}
    rest = dict(net.named_buffers())
    untold_B = torch.zeros_like(part_B)
    batch = corrupt(table, part_B, untold_B, index, Kind.MASKED, generator=generator)
    fields = (batch.x_BN, batch.c_BC, batch.noisy_BN, batch.seen_BC, batch.sigma_BP, batch.label_B)

    def loss(parameters: dict[str, Tensor], *row: Tensor) -> Tensor:
        one = Corrupted(*(field.unsqueeze(0) for field in row))

        def forward(*fed: Any) -> Any:
            return torch.func.functional_call(net, {**parameters, **rest}, fed)

        return batch_loss(forward, one, index)  # type: ignore[arg-type]

    per_row = torch.func.vmap(torch.func.grad(loss), in_dims=(None, *(0,) * len(fields)))
    found: dict[str, Tensor] = per_row(parameters, *fields)
    return found


@torch.no_grad()
def _drawn(net: _Net, index: Index, rows: int, generator: torch.Generator) -> Tensor:
    """Codes of new rows [rows, C]: all hidden first, revealed level by level."""
    parts = []
    levels = grid(_SAMPLING_STEPS)
    for count in [_DRAWN_AT_ONCE] * (rows // _DRAWN_AT_ONCE) + [rows % _DRAWN_AT_ONCE]:
        seen_BC = categorical.start(count, index, Kind.MASKED, generator=generator)
        nothing_BN, untold_B = torch.zeros(count, 0), torch.zeros(count, dtype=torch.int64)
        for sigma, below in pairwise(levels):
            sigma_BP = torch.full((count, index.layout.table_columns), sigma)
            _, logits_BS = predict(net, nothing_BN, seen_BC, sigma_BP, untold_B, index)
            logits = Whole(logits_BS, index)
            seen_BC = categorical.reverse(seen_BC, logits, sigma, below, index, Kind.MASKED, generator=generator)
        parts.append(seen_BC)
    return torch.cat(parts)

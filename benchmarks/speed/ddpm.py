"""A DDPM-style loop as TabDDPM trains (Kotelnikov et al., ICML 2023), scored from noised rows: the peer of `fit`.

Gaussian diffusion of quantile-normal numbers (cosine schedule, 1,000 steps, noise predicted), multinomial diffusion
of categories (the clean value predicted; cross-entropy in place of its KL bound), one MLP on both and a sinusoidal
time embedding, batches of 4,096, AdamW 2e-3 falling linearly to 0. Score: mean loss of a row over ten noise steps.
Axes: B rows, N numbers, C category columns, H one-hot columns.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

TIMES, BATCH, WIDTH, STEPS, EMBEDDING = 1_000, 4_096, 256, 30_000, 128
SCORED_AT = tuple(range(50, 550, 50))


@dataclass(frozen=True)
class Checkpoint:
    """Where the training stood: seconds of training alone, steps done, and the scores of the test rows."""

    seconds: float
    step: int
    scores: Any


def alpha_bar() -> Tensor:
    """Share of the signal left after each step (Nichol and Dhariwal 2021, cosine), float64."""
    t = torch.linspace(0, 1, TIMES + 1, dtype=torch.float64)
    share = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    return (share / share[0])[1:].clamp(1e-5, 0.9999)


class _Net(nn.Module):
    def __init__(self, numbers: int, sizes: list[int]) -> None:
        super().__init__()
        wide = numbers + sum(sizes)
        self.time = nn.Sequential(nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING))
        self.input = nn.Linear(wide, EMBEDDING)
        layers: list[nn.Module] = []
        for start in (EMBEDDING, WIDTH, WIDTH, WIDTH):
            layers += [nn.Linear(start, WIDTH), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Linear(WIDTH, wide))

    def forward(self, x_BH: Tensor, t_B: Tensor) -> Tensor:
        frequency = torch.exp(-math.log(10_000) * torch.arange(EMBEDDING // 2) / (EMBEDDING // 2))
        angle = t_B[:, None] * frequency
        out: Tensor = self.body(self.input(x_BH) + self.time(torch.cat([angle.cos(), angle.sin()], 1)))
        return out


class Loop:
    """The training loop over encoded blocks `(x_BN, c_BC, sizes)`."""

    def __init__(self, train: Any, test: Any, *, seed: int, threads: int, batch: int = BATCH) -> None:
        from sklearn.preprocessing import QuantileTransformer

        torch.set_num_threads(threads)
        self.batch = min(batch, len(train[0]))
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.sizes: list[int] = train[2]
        normal = self.normal = QuantileTransformer(output_distribution="normal", random_state=seed)
        numbers = train[0].shape[1]
        self.numbers = numbers
        x = normal.fit_transform(train[0]) if numbers else train[0]
        self.x = torch.from_numpy(np.asarray(x, np.float32))
        self.test_x = torch.from_numpy(np.asarray(normal.transform(test[0]) if numbers else test[0], np.float32))
        self.c, self.test_c = torch.from_numpy(train[1]), torch.from_numpy(test[1])
        self.share = alpha_bar().float()
        self.net = _Net(numbers, self.sizes)

    def losses(self, x_BN: Tensor, c_BC: Tensor, t_B: Tensor) -> Tensor:
        """Loss per row: squared error of the noise per number, cross-entropy per category, averaged over columns."""
        share_B1 = self.share[t_B, None]
        noise_BN = torch.randn(x_BN.shape, generator=self.generator)
        noised = [share_B1.sqrt() * x_BN + (1 - share_B1).sqrt() * noise_BN]
        for j, size in enumerate(self.sizes):
            kept_B = torch.rand(len(c_BC), generator=self.generator) < share_B1[:, 0]
            drawn_B = torch.randint(size, (len(c_BC),), generator=self.generator)
            noised.append(functional.one_hot(torch.where(kept_B, c_BC[:, j], drawn_B), size).float())
        guess_BN, *logits = self.net(torch.cat(noised, 1), t_B.float()).split([self.numbers, *self.sizes], 1)
        terms = [(guess_BN - noise_BN).square()]
        terms += [
            functional.cross_entropy(logit, c_BC[:, j], reduction="none")[:, None] for j, logit in enumerate(logits)
        ]
        return torch.cat(terms, 1).mean(1)

    @torch.no_grad()
    def score(self) -> Any:
        """Mean loss of each test row over ten noise steps."""
        total = torch.zeros(len(self.test_x))
        for t in SCORED_AT:
            parts = zip(torch.split(self.test_x, 8192), torch.split(self.test_c, 8192), strict=True)
            total += torch.cat([self.losses(x, c, torch.full((len(x),), t)) for x, c in parts])
        return total.double().numpy()

    def run(self, budget: float, report: Callable[[Checkpoint], None], checkpoints: int = 12) -> int:
        """Train for the published 30,000 steps, or as many as the budget allows; report along the way."""
        optimiser = torch.optim.AdamW(self.net.parameters(), lr=2e-3, weight_decay=1e-4)
        planned, trained = STEPS, 0.0
        marks: set[int] = set()
        step = 0
        while step < planned:
            started = time.perf_counter()
            rows = torch.randint(len(self.x), (self.batch,), generator=self.generator)
            t_B = torch.randint(TIMES, (len(rows),), generator=self.generator)
            for group in optimiser.param_groups:
                group["lr"] = 2e-3 * (1 - step / planned)
            loss = self.losses(self.x[rows], self.c[rows], t_B).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            trained += time.perf_counter() - started
            step += 1
            if step == 20:
                planned = max(40, min(STEPS, int(budget / (trained / step))))
                marks = {round(planned * 0.7**k) for k in range(checkpoints)}
            late = trained > 1.5 * budget and step > 40  # a busy machine: the plan made at step 20 no longer holds
            if step in marks or late:
                report(Checkpoint(trained, step, self.score()))
            if late:
                break
        return step

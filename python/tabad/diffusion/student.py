"""The student: a small network from a clean row to the teacher's score and column tails, in one pass.

Every number enters as a piecewise linear curve in H dimensions (Gorishniy et al. 2022, section 3.2), every code as a
point there; hidden layers with rectifiers follow. Beyond the last knots the network sees the bound, and what is beyond
adds to the score, so that a value further out never scores less. It is trained with slopes per segment (`step`, as
cumulated sums learn the shape of a curve at once) and exported as the curves themselves, which is what Rust sums.
Twins: `rust/core/src/student/forward.rs`, `tests/oracle/student.py`.
Axes: B rows, N numbers, C category columns, S codes, F = N + C features, K knots, H width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from .one_hot import one_hot, sum_of_rows

if TYPE_CHECKING:
    from .layout import Index

__all__ = ["KNOTS", "Student", "knots"]

KNOTS = 32
"""Knots per number: two bounds and quantiles of the training rows."""

_MARGIN = 1.5
"""How far the bounds lie beyond the training rows, in standard deviations (in their logarithm beyond three)."""
_CLOSEST = 1e-3
"""No two knots lie closer."""
_MOST_LOG = 6.0
"""ln(1 + score) is bounded by this before it is turned back into nats: further out than any score."""
_FEW_CODES = 256
"""Codes up to which a product with zeros and ones is faster than a look-up and its gradient."""
_LEAST_BEYOND = 0.05
"""What a score gains at least per unit beyond a bound, in nats."""


def knots(x_BN: npt.NDArray[np.float32], present_BN: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Ascending places [N, K]: bounds beyond the training rows, quantiles between, the rest in the widest gaps."""
    table = np.empty((x_BN.shape[1], KNOTS), np.float32)
    for number in range(x_BN.shape[1]):
        values = x_BN[present_BN[:, number], number].astype(np.float64)
        if len(values) == 0:
            values = np.array([-1.0, 1.0])
        places = [values.min() - _MARGIN]
        quantiles = np.quantile(values, np.linspace(0.0, 1.0, KNOTS - 2), method="inverted_cdf")
        for value in [*quantiles, values.max() + _MARGIN]:
            if value >= places[-1] + _CLOSEST:
                places.append(float(value))
        while len(places) < KNOTS:
            widest = int(np.argmax(np.diff(places)))
            places.insert(widest + 1, 0.5 * (places[widest] + places[widest + 1]))
        table[number] = places
    return table


class Student(nn.Module):
    """Scores and logarithms of column tails of clean rows."""

    knot: Tensor

    def __init__(
        self,
        index: Index,
        knot_NK: npt.NDArray[np.float32],
        width: int,
        layers: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.index = index
        layout = index.layout
        self.one_hot = layout.codes <= _FEW_CODES
        numbers, features = layout.numbers, layout.numbers + layout.categories

        def weight(*shape: int, fan: int) -> nn.Parameter:
            values = torch.rand(*shape, generator=generator, device=generator.device)
            return nn.Parameter((2.0 * values - 1.0) * math.sqrt(3.0 / max(fan, 1)))

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, device=generator.device))

        self.register_buffer("knot", torch.tensor(knot_NK, device=generator.device))
        step = weight(numbers * (KNOTS - 1), width, fan=8 * max(features, 1))
        slope = weight(numbers, width, fan=features)
        code = weight(layout.codes, width, fan=features)
        self.first = nn.Parameter(torch.cat([step, slope, code]))
        self.bias = zeros(width)
        self.hidden = nn.ParameterList(weight(width, width, fan=width // 2) for _ in range(layers))
        self.hidden_bias = nn.ParameterList(zeros(width) for _ in range(layers))
        self.score = weight(width, fan=width)
        self.score_bias = zeros(1)
        self.tails = weight(width, features, fan=width)
        self.tails_bias = zeros(features)
        self.beyond_raw = zeros(numbers)

    @property
    def step(self) -> Tensor:
        """What each segment of a curve adds [N, K - 1, H]."""
        return self.first[: len(self.knot) * (KNOTS - 1)].view(len(self.knot), KNOTS - 1, self.first.shape[1])

    @property
    def slope(self) -> Tensor:
        """What a number adds per unit between its bounds [N, H]."""
        return self.first[len(self.knot) * (KNOTS - 1) : len(self.knot) * KNOTS]

    @property
    def code(self) -> Tensor:
        """What each code adds [S, H]."""
        return self.first[len(self.knot) * KNOTS :]

    @property
    def beyond(self) -> Tensor:
        """What the score gains per unit beyond a number's bounds [N]."""
        return functional.softplus(self.beyond_raw) + _LEAST_BEYOND

    def forward(self, x_BN: Tensor, c_BC: Tensor) -> tuple[Tensor, Tensor]:
        """`(log_score_B, log_tails_BF)`: ln(1 + nats), the tails without what lies beyond the bounds."""
        return self.of_entries(self.entries(x_BN, c_BC), self.excess(x_BN, c_BC), c_BC)

    def entries(self, x_BN: Tensor, c_BC: Tensor) -> Tensor:
        """What the first layer multiplies [B, N K]; with one-hot codes beside it [B, N K + S] where they are few."""
        low_N, high_N = self.knot[:, 0], self.knot[:, -1]
        inner_BN = torch.minimum(torch.maximum(x_BN, low_N), high_N) * self.index.present(c_BC).to(x_BN.dtype)
        parts = [self.shares(x_BN, c_BC).flatten(1), inner_BN]
        if self.one_hot:
            parts.append(one_hot(c_BC + self.index.offset_C, self.index.layout.codes, x_BN.dtype))
        return torch.cat(parts, dim=1)

    def excess(self, x_BN: Tensor, c_BC: Tensor) -> Tensor:
        """How far present numbers lie beyond their bounds [B, N]."""
        excess_BN = torch.maximum(x_BN - self.knot[:, -1], self.knot[:, 0] - x_BN).clamp_min(0.0)
        return excess_BN * self.index.present(c_BC).to(x_BN.dtype)

    def of_entries(self, entry_BD: Tensor, excess_BN: Tensor, c_BC: Tensor) -> tuple[Tensor, Tensor]:
        """`forward` of rows whose entries and excess are known."""
        h_BH = torch.addmm(self.bias, entry_BD, self.first[: entry_BD.shape[1]])
        if not self.one_hot:
            h_BH = h_BH + sum_of_rows(c_BC + self.index.offset_C, self.code)
        a_BH = functional.relu(h_BH)
        for hidden, bias in zip(self.hidden, self.hidden_bias, strict=True):
            a_BH = functional.relu(torch.addmm(bias, a_BH, hidden))
        inner_B = torch.expm1((a_BH @ self.score + self.score_bias).clamp_max(_MOST_LOG))
        return torch.log1p(inner_B + excess_BN @ self.beyond), torch.addmm(self.tails_bias, a_BH, self.tails)

    def shares(self, x_BN: Tensor, c_BC: Tensor) -> Tensor:
        """How much of every segment between two knots lies below a number [B, N, K - 1]; nothing where it is absent."""
        share_BNK = ((x_BN[:, :, None] - self.knot[:, :-1]) / self.knot.diff(dim=1)).clamp(0.0, 1.0)
        return share_BNK * self.index.present(c_BC).to(x_BN.dtype)[:, :, None]

    def tensors(self) -> dict[str, Tensor]:
        """What Rust reads, float32 on the CPU: curves at their knots instead of steps and slopes."""
        start = torch.zeros(self.step.shape[0], 1, self.step.shape[2], dtype=torch.float64)
        rise = torch.cat([start, self.step.detach().cpu().double().cumsum(dim=1)], dim=1)
        knot = self.knot.detach().cpu().double()
        curve = rise + knot[:, :, None] * self.slope.detach().cpu().double()[:, None, :]
        named = {
            "knot": knot, "curve": curve, "code": self.code, "bias": self.bias, "score": self.score,
            "score_bias": self.score_bias, "tails": self.tails, "tails_bias": self.tails_bias, "beyond": self.beyond,
        }  # fmt: skip
        for at, (hidden, bias) in enumerate(zip(self.hidden, self.hidden_bias, strict=True)):
            named |= {f"hidden.{at}": hidden, f"hidden_bias.{at}": bias}
        return {name: tensor.detach().cpu().float().contiguous() for name, tensor in named.items()}

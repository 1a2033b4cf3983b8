"""Energies of rows under the network's probes, in torch, fp32: the twin of `rust/core/src/network`.

Joint probes: a number's squared score `((D(x) - x) / sigma)^2`, a category's cross-entropy of the value seen.
Conditional probes: a hidden number's Gaussian negative log-likelihood less its constant, `((x - D)^2 / v + ln v) / 2`
with v its held-out variance when hidden; a hidden category's -ln p. An absent number has energy 0. Atoms are not seen.
Axes: B rows, N numbers, C category columns, F = N + C features, P table columns, K probes, J joint ones, S codes.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from . import categorical
from .gaussian import CLIP
from .layout import Index
from .predict import inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .denoiser import Denoiser

__all__ = ["VARIANCE_FLOOR", "Expected", "energies", "exact", "expected", "hidden_variance"]

VARIANCE_FLOOR = 1e-4
_CHUNK = 4096
_QUANTILE_95 = 1.645
"""Standard normal quantile at 0.95."""


@dataclass(frozen=True)
class Expected:
    """What the conditional probes expect in place of each cell."""

    mean_BN: Tensor
    low_BN: Tensor
    high_BN: Tensor
    distribution_BS: Tensor


@contextmanager
def exact() -> Iterator[None]:
    """fp32 products without TF32, and no gradients."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def energies(
    module: Denoiser, x: Tensor, c: Tensor, device: torch.device, *, conditional: bool = True
) -> tuple[Tensor, Tensor]:
    """`(joint_BJF, conditional_BF)` float32 on the CPU, of `x_BN` float32 and integer codes `c_BC`.

    Without `conditional` the latter are 0, and their probes are not asked.
    """
    index = Index(module.config.layout, device)
    net = module.to(device)
    joint, of_columns = [], []
    with exact():
        for x_BN, c_BC in _chunks(x, c, net):
            chunk_joint, chunk_columns = _chunk_energies(net, x_BN, c_BC, index, conditional)
            joint.append(chunk_joint.cpu())
            of_columns.append(chunk_columns.cpu())
    return torch.cat(joint), torch.cat(of_columns)


def expected(module: Denoiser, x: Tensor, c: Tensor, device: torch.device) -> Expected:
    """Mean, 5 % and 95 % quantile of each number and distribution of each category, from the conditional probes."""
    index = Index(module.config.layout, device)
    net, numbers = module.to(device), module.config.layout.numbers
    means, distributions = [], []
    with exact():
        for x_BN, c_BC in _chunks(x, c, net):
            mean_BN, p_BS = torch.zeros_like(x_BN), x_BN.new_zeros(len(x_BN), index.layout.own_codes)
            of_code_S = index.category_S[: index.layout.own_codes]
            for probe_P, hides_F in _conditional_probes(net, index):
                raw_BN, logits_BS = _forward(net, x_BN, c_BC, probe_P, index)[:2]
                hides_N, hides_C = hides_F[:numbers], hides_F[numbers:]
                mean_BN += torch.where(hides_N, raw_BN, 0.0)
                every_BS = categorical.log_probabilities(logits_BS, index).exp()
                p_BS += torch.where(hides_C[of_code_S], every_BS[:, : index.layout.own_codes], 0.0)
            times_F = _times_hidden(net, index)
            means.append((mean_BN / times_F[:numbers]).cpu())
            distributions.append((p_BS / times_F[numbers:][of_code_S]).cpu())
    mean = torch.cat(means)
    spread = _QUANTILE_95 * net.hidden_variance.cpu().sqrt()
    mean_BN, low_BN, high_BN = (
        net.scale.value(z.to(device)).clamp(-CLIP, CLIP).cpu() for z in (mean, mean - spread, mean + spread)
    )
    return Expected(mean_BN, low_BN, high_BN, torch.cat(distributions))


def hidden_variance(module: Denoiser, x: Tensor, c: Tensor, device: torch.device) -> Tensor:
    """Mean squared residual [N] of each number when hidden, over rows where it is present (1 if there are none)."""
    index = Index(module.config.layout, device)
    net = module.to(device)
    total = torch.zeros(index.layout.numbers, dtype=torch.float64)
    count = torch.zeros_like(total)
    with exact():
        for x_BN, c_BC in _chunks(x, c, net):
            present_BN = index.present(c_BC)
            for probe_P, hides_F in _conditional_probes(net, index):
                raw_BN = _forward(net, x_BN, c_BC, probe_P, index)[0]
                counted_BN = present_BN & hides_F[: index.layout.numbers]
                total += torch.where(counted_BN, (x_BN - raw_BN).square(), 0.0).sum(dim=0).cpu().double()
                count += counted_BN.sum(dim=0).cpu().double()
    return torch.where(count > 0, total / count.clamp_min(1.0), 1.0).clamp_min(VARIANCE_FLOOR).to(torch.float32)


def _chunk_energies(
    net: Denoiser, x_BN: Tensor, c_BC: Tensor, index: Index, conditional: bool
) -> tuple[Tensor, Tensor]:
    present_BN = index.present(c_BC)
    joint = []
    for probe_P in net.probes[: net.config.joint]:
        raw_BN, logits_BS, sigma_N = _forward(net, x_BN, c_BC, probe_P, index)
        # (D - x) / sigma with D = c_skip x + c_out F, written so that nothing cancels.
        residual_BN = (raw_BN - sigma_N * (sigma_N.square() + 1.0).rsqrt() * x_BN) * (sigma_N.square() + 1.0).rsqrt()
        number_BN = torch.where(present_BN, residual_BN.square(), 0.0)
        joint.append(torch.cat([number_BN, _nats(logits_BS, c_BC, index)], dim=1))
    conditional_BF = x_BN.new_zeros(len(x_BN), index.layout.numbers + index.layout.own_categories)
    variance_N = net.hidden_variance
    for probe_P, hides_F in _conditional_probes(net, index) if conditional else []:
        raw_BN, logits_BS, _ = _forward(net, x_BN, c_BC, probe_P, index)
        nll_BN = 0.5 * ((x_BN - raw_BN).square() / variance_N + variance_N.log())
        number_BN = torch.where(present_BN, nll_BN, 0.0)
        energy_BF = torch.cat([number_BN, _nats(logits_BS, c_BC, index)], dim=1)
        conditional_BF += torch.where(hides_F, energy_BF, 0.0)
    joint_BJF = torch.stack(joint, dim=1) if joint else conditional_BF.new_zeros(len(x_BN), 0, conditional_BF.shape[1])
    return joint_BJF, conditional_BF / _times_hidden(net, index)


def _forward(net: Denoiser, x_BN: Tensor, c_BC: Tensor, probe_P: Tensor, index: Index) -> tuple[Tensor, Tensor, Tensor]:
    """Raw numbers, logits and the level of each number, for rows as they are under one probe."""
    sigma_BP = probe_P.expand(len(x_BN), -1)
    label_B = torch.full((len(x_BN),), net.config.scored_label, dtype=torch.int64, device=x_BN.device)
    fed = inputs(x_BN, functional.pad(c_BC, (0, len(index.layout.atoms)), value=categorical.MASK), sigma_BP, index)
    raw_BN, logits_BS = net(fed.number_BN, fed.level_BP, fed.hidden_BP, fed.code_BC, label_B)
    return raw_BN, logits_BS, probe_P[index.column_N]


def _conditional_probes(net: Denoiser, index: Index) -> list[tuple[Tensor, Tensor]]:
    """Each with the features that it hides."""
    return [(probe_P, probe_P[_own_columns(index)] < 0) for probe_P in net.probes[net.config.joint :]]


def _times_hidden(net: Denoiser, index: Index) -> Tensor:
    return (net.probes[net.config.joint :] < 0).sum(dim=0)[_own_columns(index)]


def _own_columns(index: Index) -> Tensor:
    """The table column of each feature but the atoms."""
    return index.column_F[: index.layout.numbers + index.layout.own_categories]


def _nats(logits_BS: Tensor, c_BC: Tensor, index: Index) -> Tensor:
    """-ln p of each code of an encoded row."""
    every_BC = functional.pad(c_BC, (0, len(index.layout.atoms)))
    return categorical.cross_entropy(logits_BS, every_BC, index)[:, : c_BC.shape[1]]


def _chunks(x: Tensor, c: Tensor, net: Denoiser) -> Iterator[tuple[Tensor, Tensor]]:
    """Numbers on the network's scale, and codes."""
    device = net.knot.device
    for first in range(0, max(len(x), 1), _CHUNK):
        x_BN = x[first : first + _CHUNK].to(device=device, dtype=torch.float32).clamp(-CLIP, CLIP)
        z_BN = net.scale.middle(x_BN).clamp(-CLIP, CLIP)
        yield z_BN, c[first : first + _CHUNK].to(device=device, dtype=torch.int64)

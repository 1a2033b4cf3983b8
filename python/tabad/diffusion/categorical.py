"""Diffusion of category columns: corruption by level, its loss, its reverse step.

Two kinds. `masked` (absorbing: Austin et al. 2021; Shi et al. 2024): a cell turns into MASK; of the cells still seen
a few are swapped (von Ruette et al. 2025, GIDD), so that the network also learns whether a value it sees is right.
`multinomial` (Hoogeboom et al. 2021): a cell is drawn anew from the uniform distribution. A hidden column is all
MASK in both. Axes: B rows, C category columns, S codes of all categories together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .logits import Whole

if TYPE_CHECKING:
    from .layout import Index
    from .logits import Logits

__all__ = [
    "MASK",
    "Kind",
    "corrupt",
    "corruption_share",
    "counts",
    "cross_entropy",
    "draw",
    "log_probabilities",
    "reveal",
    "reverse",
    "start",
]

MASK = -1
"""A cell that is not seen; its one-hot is all zero."""

_STATUS_SCALE = 5.0
_SWAP_SHARE = 0.05


class Kind(StrEnum):
    """What corruption does to a category."""

    MASKED = "masked"
    MULTINOMIAL = "multinomial"


def corruption_share(sigma: Tensor, is_status: Tensor) -> Tensor:
    """Probability in [0, 1) that a cell is corrupted at level sigma: s^2 / (1 + s^2), s = sigma.

    For a status s = sigma / 5: whether a number is there is settled while the number is still mere noise.
    """
    square = (sigma / torch.where(is_status, _STATUS_SCALE, 1.0)).square()
    return square / (1.0 + square)


def corrupt(
    c_BC: Tensor,
    sigma_BC: Tensor,
    index: Index,
    kind: Kind,
    *,
    generator: torch.Generator,
    always_C: Tensor | None = None,
) -> Tensor:
    """The codes seen [B, C], MASK where a cell is masked or its column hidden (sigma < 0).

    `always_C` marks categories that are always seen unless hidden.
    """
    share_BC = corruption_share(sigma_BC.clamp_min(0.0), index.is_status_C)
    if always_C is not None:
        share_BC = share_BC.masked_fill(always_C, 0.0)
    hit_BC = torch.rand(c_BC.shape, generator=generator, device=c_BC.device) < share_BC
    other_BC = _uniform_codes(c_BC.shape, index, generator)
    if kind is Kind.MULTINOMIAL:
        seen_BC = torch.where(hit_BC, other_BC, c_BC)
    else:
        swap_BC = torch.rand(c_BC.shape, generator=generator, device=c_BC.device) < _SWAP_SHARE * share_BC
        seen_BC = torch.where(hit_BC, MASK, torch.where(swap_BC, other_BC, c_BC))
    return torch.where(sigma_BC < 0, MASK, seen_BC)


def cross_entropy(logits_BS: Tensor, c_BC: Tensor, index: Index) -> Tensor:
    """-ln p(code) in nats [B, C], >= 0."""
    return _logsumexp(logits_BS, index) - logits_BS.gather(1, c_BC + index.offset_C)


def log_probabilities(logits_BS: Tensor, index: Index) -> Tensor:
    """ln p of every code [B, S]; each column's sum to 1 after exp."""
    return logits_BS - _logsumexp(logits_BS, index)[:, index.category_S]


def draw(
    logits: Logits,
    index: Index,
    *,
    generator: torch.Generator,
    which_BC: Tensor | None = None,
    forbidden_S: Tensor | None = None,
) -> Tensor:
    """One code per column [B, C], by the inverse of the distribution function; never a forbidden one, nor one of logit
    -inf.

    Of the cells that `which_BC` leaves out nothing is drawn: they are 0. A sampler reveals each cell once, so this is
    most of them at most steps, of which no logit is asked for.
    """
    c_BC = torch.zeros(len(logits), len(index.size_C), dtype=torch.int64, device=index.device)
    codes = index.layout.codes
    never_S = torch.zeros(codes + 1, dtype=torch.bool, device=index.device)
    never_S[codes:] = True
    if forbidden_S is not None:
        never_S[:codes] = forbidden_S
    which_BC = torch.ones_like(c_BC, dtype=torch.bool) if which_BC is None else which_BC
    for bucket, (members, places) in enumerate(index.buckets):
        row_M, member_M = which_BC[:, members].nonzero(as_tuple=True)
        if not len(row_M):
            continue
        logit_MK = logits.cells(bucket, row_M, member_M)
        up_to_MK = logit_MK.masked_fill(never_S[places[member_M]], float("-inf")).softmax(dim=1).cumsum(dim=1)
        # Below the sum even where the product is rounded: codes beyond it are never reached.
        uniform_M1 = torch.rand((len(up_to_MK), 1), generator=generator, device=index.device)
        code_M = (up_to_MK <= uniform_M1 * (1.0 - 2.0**-22) * up_to_MK[:, -1:]).sum(dim=1)
        c_BC[row_M, members[member_M]] = code_M
    return c_BC


def start(rows: int, index: Index, kind: Kind, *, generator: torch.Generator) -> Tensor:
    """The codes seen at SIGMA_MAX, where sampling starts [B, C]."""
    shape = torch.Size((rows, len(index.size_C)))
    if kind is Kind.MULTINOMIAL:
        return _uniform_codes(shape, index, generator)
    return torch.full(shape, MASK, dtype=torch.int64, device=index.device)


def reveal(
    seen_BC: Tensor,
    logits: Logits,
    due_BC: Tensor,
    index: Index,
    *,
    generator: torch.Generator,
    forbidden_S: Tensor | None = None,
) -> Tensor:
    """The codes seen [B, C] once those masked cells that are due have been drawn, each apart from the others."""
    due_BC = due_BC & (seen_BC == MASK)
    drawn_BC = draw(logits, index, generator=generator, which_BC=due_BC, forbidden_S=forbidden_S)
    return torch.where(due_BC, drawn_BC, seen_BC)


def counts(c_BC: Tensor, index: Index) -> Tensor:
    """How many of the rows have each code [S], float32."""
    return torch.bincount((c_BC + index.offset_C).flatten(), minlength=index.layout.codes).float()


def reverse(
    seen_BC: Tensor,
    logits: Logits,
    sigma: float,
    sigma_next: float,
    index: Index,
    kind: Kind,
    *,
    generator: torch.Generator,
) -> Tensor:
    """The codes seen one step cleaner [B, C]; at sigma_next = 0 no MASK is left.

    Masked: each masked cell is revealed with probability 1 - share(next) / share(now) (Shi et al. 2024, eq. 7).
    Multinomial: posterior of Hoogeboom et al. 2021, eq. 13, summed over the clean codes the network expects.
    """
    now_C = corruption_share(torch.full(index.size_C.shape, sigma, device=index.device), index.is_status_C)
    next_C = corruption_share(torch.full(index.size_C.shape, sigma_next, device=index.device), index.is_status_C)
    if kind is Kind.MASKED:
        shape = seen_BC.shape
        reveal_BC = torch.rand(shape, generator=generator, device=index.device) >= next_C / now_C
        return reveal(seen_BC, logits, reveal_BC, index, generator=generator)
    logits_BS = logits.whole()
    keep_C, keep_next_C, size_C = 1.0 - now_C, 1.0 - next_C, index.size_C.to(now_C.dtype)
    step_C = keep_C / keep_next_C
    place_S = index.category_S
    code_BC = seen_BC.clamp_min(0) + index.offset_C
    # The network's p(clean | seen, rest) already weighs the code seen; the formula wants it without.
    seen_weight_BS = (now_C / size_C)[place_S].expand_as(logits_BS).clone()
    seen_weight_BS.scatter_add_(1, code_BC, torch.where(seen_BC == MASK, 0.0, keep_C))
    p_BS = log_probabilities(logits_BS - seen_weight_BS.clamp_min(1e-30).log(), index).exp()
    prior_BS = (keep_next_C[place_S] * p_BS).add((next_C / size_C)[place_S])
    likelihood_BS = ((1.0 - step_C) / size_C)[place_S].expand_as(p_BS).clone()
    likelihood_BS.scatter_add_(1, code_BC, torch.where(seen_BC == MASK, 0.0, step_C))
    return draw(Whole((likelihood_BS * prior_BS).log(), index), index, generator=generator)


def _uniform_codes(shape: torch.Size, index: Index, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(shape, generator=generator, device=index.device)
    return torch.minimum((uniform * index.size_C).to(torch.int64), index.size_C - 1)


def _pad(logits_BS: Tensor) -> Tensor:
    return torch.nn.functional.pad(logits_BS, (0, 1), value=float("-inf"))


def _logsumexp(logits_BS: Tensor, index: Index) -> Tensor:
    """Per category column [B, C]. The largest logit of a column is a constant here, whose gradient cancels, and the
    sum is a product with the columns' members: the gradients of gathers cost more than all else of a training step."""
    if not index.buckets:
        return logits_BS.new_zeros(len(logits_BS), 0)
    with torch.no_grad():
        top_BC = _largest(logits_BS, index)
    exp_BS = (logits_BS - top_BC.index_select(1, index.category_S)).exp()
    with torch.autocast(logits_BS.device.type, enabled=False):
        return (exp_BS @ index.member_SC.to(exp_BS.dtype)).log() + top_BC


def _largest(logits_BS: Tensor, index: Index) -> Tensor:
    padded_BS = _pad(logits_BS)
    parts = [
        padded_BS.index_select(1, places.flatten()).view(-1, *places.shape).amax(dim=2) for _, places in index.buckets
    ]
    return torch.cat(parts, dim=1).index_select(1, index.bucket_C)

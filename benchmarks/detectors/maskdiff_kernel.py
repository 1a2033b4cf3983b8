"""MaskDiff-AD, non-parametric (arXiv 2605.30046): the same masked cells, guessed by a kernel vote of training rows.

A training row's weight is exp(-mismatches among the visible columns). Settings of its code: mask rates 0.15, 0.3,
0.45, 0.6 with eight random views each. Equal training rows are counted once with their number: the same votes.
Axes: B test rows, R distinct training rows, C columns, V codes of all columns.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.training import seeded

RATES, VIEWS, FLOOR = (0.15, 0.30, 0.45, 0.60), 8, 1e-12


def score(task: Task) -> Scored:
    """Mean negative log-likelihood of masked cells over rates and views."""
    (train_codes, sizes), (test_codes, _) = task.train, task.test
    generator = seeded(task)
    distinct, counts = np.unique(train_codes, axis=0, return_counts=True)
    first_C = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    rows_RV = _one_hot(torch.from_numpy(distinct), sizes)
    count_R = torch.from_numpy(counts).float()
    test = torch.from_numpy(test_codes)
    chunk = max(16, 20_000_000 // len(distinct))
    parts = []
    for clean_BC in torch.split(test, chunk):
        test_BV = _one_hot(clean_BC, sizes)
        total_B = torch.zeros(len(clean_BC))
        for rate in RATES:
            for _ in range(VIEWS):
                hidden_BC = torch.rand(clean_BC.shape, generator=generator) < rate
                visible_BV = test_BV * (~hidden_BC).float().repeat_interleave(torch.tensor(sizes), 1)
                mismatch_BR = (~hidden_BC).sum(1, keepdim=True) - visible_BV @ rows_RV.T
                vote_BV = (torch.exp(-mismatch_BR) * count_R) @ rows_RV
                total_B += _surprise(vote_BV, clean_BC, hidden_BC, first_C, torch.tensor(sizes))
        parts.append(total_B)
    return Scored((torch.cat(parts) / (len(RATES) * VIEWS)).double().numpy())


def _surprise(vote_BV: Tensor, clean_BC: Tensor, hidden_BC: Tensor, first_C: Tensor, size_C: Tensor) -> Tensor:
    seen_BC = vote_BV.gather(1, clean_BC + first_C)
    all_BC = torch.stack([part.sum(1) for part in torch.split(vote_BV, size_C.tolist(), 1)], 1)
    share_BC = ((seen_BC + FLOOR) / (all_BC + FLOOR * size_C)).clamp(min=FLOOR)
    return (-share_BC.log() * hidden_BC).sum(1) / hidden_BC.sum(1).clamp(min=1)


def _one_hot(codes: Tensor, sizes: list[int]) -> Tensor:
    return torch.cat([functional.one_hot(codes[:, c], size).float() for c, size in enumerate(sizes)], 1)


METHODS = (Method("MaskDiff-AD-kernel", "codes", score, fixed("1")),)

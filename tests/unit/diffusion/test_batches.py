"""Which rows a batch draws, and of which the label is told."""

import numpy as np
import pytest
import torch

from tabad.diffusion.batches import Rows, draw_rows, to_rows
from tabad.diffusion.layout import Index, Layout

DRAWN = 200_000


def labelled(counts: list[int]) -> Rows:
    rows = sum(counts)
    index = Index(Layout((2,), (), (0,)), torch.device("cpu"))
    codes = np.zeros((rows, 1), np.uint16)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.uint16)
    return to_rows(np.zeros((rows, 0), np.float32), codes, labels, index)


def test_labels_share_a_part_of_the_draws_evenly() -> None:
    rows, generator = labelled([900, 100]), torch.Generator().manual_seed(3)
    indices_B, label_B = draw_rows(rows, DRAWN, classes=2, drop_label=0.25, rare_share=0.2, generator=generator)

    assert rows.label_B is not None
    drawn_2 = torch.bincount(rows.label_B[indices_B], minlength=2).double() / DRAWN
    # Of three quarters of the draws a fifth is shared evenly, the rest follows the table; five standard errors: 0.004.
    assert drawn_2.tolist() == pytest.approx([0.85 * 0.9 + 0.15 * 0.5, 0.85 * 0.1 + 0.15 * 0.5], abs=0.004)
    assert (label_B == 2).double().mean().item() == pytest.approx(0.25, abs=0.005)
    told_B = label_B < 2
    assert torch.equal(label_B[told_B], rows.label_B[indices_B[told_B]])


def test_without_a_share_rows_are_drawn_at_random() -> None:
    rows, generator = labelled([990, 10]), torch.Generator().manual_seed(3)
    indices_B, _ = draw_rows(rows, DRAWN, classes=2, drop_label=0.15, rare_share=0.0, generator=generator)

    # Five standard errors of a share of 0.01.
    assert (indices_B >= 990).double().mean().item() == pytest.approx(0.01, abs=0.0012)

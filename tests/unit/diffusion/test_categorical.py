"""Corruption of categories, their likelihood, and the reverse step of both kinds."""

from __future__ import annotations

import math

import pytest
import torch

from tabad.diffusion.categorical import (
    MASK,
    Kind,
    corrupt,
    corruption_share,
    cross_entropy,
    draw,
    log_probabilities,
    reverse,
    start,
)
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.logits import Whole

LAYOUT = Layout.of([5, 3, 1, 40], [0], [0, 0, 1, 2, 3])
INDEX = Index(LAYOUT, torch.device("cpu"))
ROWS = 20_000


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def codes() -> torch.Tensor:
    uniform = torch.rand(ROWS, 4, generator=torch.Generator().manual_seed(1))
    return (uniform * INDEX.size_C).to(torch.int64)


def levels(sigma: float) -> torch.Tensor:
    return torch.full((ROWS, 4), sigma)


def test_share_of_corruption_is_exact_and_lower_for_a_status() -> None:
    is_status = torch.tensor([False, True])
    share = corruption_share(torch.tensor([2.0, 2.0], dtype=torch.float64), is_status)
    assert share.tolist() == pytest.approx([4 / 5, 0.16 / 1.16])


def test_what_is_always_seen_is_masked_only_where_it_is_hidden() -> None:
    sigma_BC = levels(20.0)
    sigma_BC[::2, 1] = -1.0
    always_C = torch.tensor([False, True, False, False])
    seen_BC = corrupt(codes(), sigma_BC, INDEX, Kind.MASKED, generator=generator(), always_C=always_C)
    assert bool((seen_BC[::2, 1] == MASK).all())
    assert torch.equal(seen_BC[1::2, 1], codes()[1::2, 1])
    assert bool((seen_BC[:, [0, 2, 3]] == MASK).any(dim=0).all())


@pytest.mark.parametrize("kind", list(Kind))
def test_share_rises_with_the_level(kind: Kind) -> None:
    changed = [
        (corrupt(codes(), levels(s), INDEX, kind, generator=generator()) != codes()).float().mean()
        for s in (0.1, 0.5, 1.0, 5.0, 20.0)
    ]
    assert changed == sorted(changed)


def test_masked_corruption_masks_the_stated_share() -> None:
    seen_BC = corrupt(codes(), levels(1.0), INDEX, Kind.MASKED, generator=generator())
    assert float((seen_BC[:, 3] == MASK).float().mean()) == pytest.approx(0.5, abs=0.015)
    assert float((seen_BC[:, 0] == MASK).float().mean()) == pytest.approx(0.04 / 1.04, abs=0.006)


def test_masked_corruption_swaps_few_of_what_is_seen() -> None:
    c_BC = codes()
    seen_BC = corrupt(c_BC, levels(1.0), INDEX, Kind.MASKED, generator=generator())
    visible_B = seen_BC[:, 3] != MASK
    # 5 % of the share of corruption, 1 / 2; and one swap in 40 draws the code that was there.
    swapped = (seen_BC[visible_B, 3] != c_BC[visible_B, 3]).float().mean()
    assert float(swapped) == pytest.approx(0.025 * 39 / 40, abs=0.005)


def test_at_the_lowest_level_almost_nothing_changes() -> None:
    seen_BC = corrupt(codes(), levels(0.02), INDEX, Kind.MASKED, generator=generator())
    assert float((seen_BC != codes()).float().mean()) < 1e-3


@pytest.mark.parametrize("kind", list(Kind))
def test_a_hidden_column_is_all_mask_and_the_others_are_not_touched(kind: Kind) -> None:
    sigma_BC = levels(0.0)
    sigma_BC[:, 1] = -1.0
    seen_BC = corrupt(codes(), sigma_BC, INDEX, kind, generator=generator())
    assert bool((seen_BC[:, 1] == MASK).all())
    assert torch.equal(seen_BC[:, [0, 2, 3]], codes()[:, [0, 2, 3]])


@pytest.mark.parametrize("kind", list(Kind))
def test_corruption_stays_within_each_size(kind: Kind) -> None:
    seen_BC = corrupt(codes(), levels(20.0), INDEX, kind, generator=generator())
    assert bool((seen_BC < INDEX.size_C).all())
    assert int(seen_BC.min()) >= (MASK if kind is Kind.MASKED else 0)


def test_log_probabilities_are_those_of_each_column_alone() -> None:
    logits_BS = torch.randn(7, LAYOUT.codes, generator=generator(), dtype=torch.float64) * 50
    log_p_BS = log_probabilities(logits_BS, INDEX)
    ends = [5, 8, 9, 49]
    for first, last in zip([0, *ends], ends, strict=False):
        torch.testing.assert_close(log_p_BS[:, first:last], logits_BS[:, first:last].log_softmax(dim=1))


def test_cross_entropy_of_equal_logits_is_the_log_of_the_size() -> None:
    nats_BC = cross_entropy(torch.zeros(2, LAYOUT.codes), torch.zeros(2, 4, dtype=torch.int64), INDEX)
    assert nats_BC[0].tolist() == pytest.approx([math.log(5), math.log(3), 0.0, math.log(40)])


def test_draws_follow_the_probabilities() -> None:
    logits_BS = torch.zeros(ROWS, LAYOUT.codes)
    logits_BS[:, 5:8] = torch.tensor([0.7, 0.2, 0.1]).log()
    share = torch.bincount(draw(Whole(logits_BS, INDEX), INDEX, generator=generator())[:, 1], minlength=3) / ROWS
    assert share.tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.012)


def test_cells_that_are_left_out_are_0_and_the_others_follow_the_probabilities() -> None:
    logits_BS = torch.zeros(ROWS, LAYOUT.codes)
    logits_BS[:, 5:8] = torch.tensor([0.0, 0.8, 0.2]).log()
    which_BC = torch.zeros(ROWS, 4, dtype=torch.bool)
    which_BC[::2, 1] = True
    which_BC[1::2, 3] = True
    c_BC = draw(Whole(logits_BS, INDEX), INDEX, generator=generator(), which_BC=which_BC)
    assert bool((c_BC[~which_BC] == 0).all())
    share = torch.bincount(c_BC[::2, 1], minlength=3) / len(c_BC[::2])
    assert share.tolist() == pytest.approx([0.0, 0.8, 0.2], abs=0.015)
    # 40 codes alike: a share of 2.5 % has a standard deviation of 0.22 % here.
    share = torch.bincount(c_BC[1::2, 3], minlength=40) / len(c_BC[1::2])
    assert share.tolist() == pytest.approx([1 / 40] * 40, abs=0.01)


def test_a_code_that_is_all_but_impossible_is_not_drawn_by_rounding() -> None:
    # The last code has no weight beside the first: a uniform of nearly 1 must not reach it.
    logits_BS = torch.full((ROWS, LAYOUT.codes), -200.0)
    logits_BS[:, INDEX.offset_C] = 0.0
    assert int(draw(Whole(logits_BS, INDEX), INDEX, generator=generator()).max()) == 0


def test_a_forbidden_code_is_never_drawn() -> None:
    logits_BS = torch.zeros(ROWS, LAYOUT.codes)
    logits_BS[:, 5] = float("-inf")
    assert int(draw(Whole(logits_BS, INDEX), INDEX, generator=generator())[:, 1].min()) == 1


def test_masked_reverse_reveals_the_exact_share_and_keeps_what_is_seen() -> None:
    seen_BC = start(ROWS, INDEX, Kind.MASKED, generator=generator())
    assert bool((seen_BC == MASK).all())
    seen_BC[:100] = 0
    logits_BS = torch.zeros(ROWS, LAYOUT.codes)
    after_BC = reverse(seen_BC, Whole(logits_BS, INDEX), 2.0, 1.0, INDEX, Kind.MASKED, generator=generator())
    assert torch.equal(after_BC[:100], seen_BC[:100])
    assert float((after_BC[100:, 3] == MASK).float().mean()) == pytest.approx(0.5 / 0.8, abs=0.015)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_last_reverse_step_leaves_a_code_in_every_cell(kind: Kind) -> None:
    seen_BC = start(ROWS, INDEX, kind, generator=generator())
    after_BC = reverse(
        seen_BC, Whole(torch.zeros(ROWS, LAYOUT.codes), INDEX), 0.02, 0.0, INDEX, kind, generator=generator()
    )
    assert int(after_BC.min()) >= 0
    assert bool((after_BC < INDEX.size_C).all())


def test_multinomial_reverse_is_the_posterior() -> None:
    # One column of 3 codes, by hand: sum over clean codes of p(clean | seen) q(later | seen, clean), the latter of
    # Hoogeboom et al. 2021, eq. 13.
    index = Index(Layout.of([3], [], [0]), torch.device("cpu"))
    p, seen, now, later = torch.tensor([0.5, 0.3, 0.2]), 1, 2.0, 1.0
    keep_now, keep_later = 1 / (1 + now**2), 1 / (1 + later**2)
    step = keep_now / keep_later
    to_seen = torch.full((3,), (1 - step) / 3)
    to_seen[seen] += step
    expected = torch.zeros(3)
    for clean in range(3):
        from_clean = torch.full((3,), (1 - keep_later) / 3)
        from_clean[clean] += keep_later
        joint = to_seen * from_clean
        expected += p[clean] * joint / joint.sum()
    logits = Whole(p.log().expand(ROWS, 3), index)
    after = reverse(torch.full((ROWS, 1), seen), logits, now, later, index, Kind.MULTINOMIAL, generator=generator())
    share = torch.bincount(after[:, 0], minlength=3) / ROWS
    assert share.tolist() == pytest.approx(expected.tolist(), abs=0.012)


def test_forbidden_codes_are_left_out_as_if_their_logits_were_infinitely_low() -> None:
    index = Index(LAYOUT, torch.device("cpu"))
    logits_BS = torch.randn(500, LAYOUT.codes, generator=torch.Generator().manual_seed(1))
    forbidden_S = torch.zeros(LAYOUT.codes, dtype=torch.bool)
    forbidden_S[[1, 3, 6, 20, 48]] = True
    which_BC = torch.rand(500, LAYOUT.categories, generator=torch.Generator().manual_seed(2)) < 0.5
    found, expected = (
        draw(
            Whole(some, index),
            index,
            generator=torch.Generator().manual_seed(3),
            which_BC=which_BC,
            forbidden_S=forbidden,
        )
        for some, forbidden in (
            (logits_BS, forbidden_S),
            (logits_BS.masked_fill(forbidden_S, float("-inf")), None),
        )
    )
    assert torch.equal(found, expected)
    assert not bool(forbidden_S[found + index.offset_C][which_BC].any())

"""Training learns what is there, says why it ended, and gives the same network for the same seed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tabad.diffusion.energies import energies, expected
from tabad.diffusion.export import export, load
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.predict import predict
from tabad.diffusion.presets import Preset, preset
from tabad.diffusion.train import Progress, Trained, train

if TYPE_CHECKING:
    import numpy.typing as npt

CPU = torch.device("cpu")
TINY = Preset(32, 1, 64, 12, 1e9, evaluations=3)
# x0 with 10 % nulls, x1; a category that says which side x0 is on; one that nothing tells.
LAYOUT = Layout.of([5, 5, 4, 6], [0, 1], [0, 1, 0, 1, 2, 3])


def rows(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    draw = np.random.default_rng(seed)
    side = draw.random(count) < 0.5
    x = np.stack([np.where(side, 1.0, -1.0), np.where(side, -1.0, 1.0)], axis=1) + 0.2 * draw.normal(size=(count, 2))
    null = draw.random(count) < 0.1
    x[null, 0] = 0.0
    c = np.stack([null, np.zeros(count), np.where(side, 3, 2), draw.integers(2, 6, count)], axis=1)
    return x.astype(np.float32), c.astype(np.uint16)


@pytest.fixture(scope="module")
def trained() -> Trained:
    x, c = rows(2_000, 0)
    chosen = replace(preset("default", 2_000), width=64, steps=400, seconds=1e9)
    return train(x, c, LAYOUT, preset=chosen, device=CPU, seed=0, held_out=(*rows(500, 1), None))


def conditional_nats(trained: Trained, x: npt.NDArray[np.float32], c: npt.NDArray[np.uint16]) -> torch.Tensor:
    module = load(*export(trained), CPU)
    return energies(module, torch.tensor(x), torch.tensor(c.astype(np.int64)), CPU)[1].mean(dim=0)


def test_what_the_other_columns_tell_is_learned(trained: Trained) -> None:
    nats_F = conditional_nats(trained, *rows(1_000, 2))
    # Marginally: ln 2 nats for the side, (1 + ln 1.04) / 2 for a number.
    assert nats_F[4] < 0.25 * math.log(2)
    assert nats_F[1] < 0.5 * (1 + math.log(1.04)) - 0.5


def test_what_is_drawn_and_what_was_there_are_kept_as_quantiles_unless_nothing_is_matched(trained: Trained) -> None:
    drawn_NK, wanted_NK = trained.state["drawn"], trained.state["wanted"]
    assert drawn_NK.shape == wanted_NK.shape == (2, 257)
    assert bool((drawn_NK.diff(dim=1) >= 0).all() & (wanted_NK.diff(dim=1) >= 0).all())
    # The scale has mean 0 and deviation 1 over the training rows; 257 quantiles leave out some of the tails.
    assert wanted_NK.mean(dim=1).tolist() == pytest.approx([0.0, 0.0], abs=0.05)
    assert wanted_NK.std(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=0.05)
    assert float((drawn_NK - wanted_NK).abs().max()) > 0.0

    brief = train(*rows(200, 0), LAYOUT, preset=TINY, device=CPU, seed=0)
    assert float(brief.state["drawn"].abs().max()) == float(brief.state["wanted"].abs().max()) == 0.0


def test_where_noise_is_nearly_all_numbers_are_pulled_to_the_mean_about_as_far_as_they_should_be() -> None:
    def correlated(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
        draw = np.random.default_rng(seed)
        x = 0.9**0.5 * draw.normal(size=(count, 1)) + 0.1**0.5 * draw.normal(size=(count, 6))
        return x.astype(np.float32), np.zeros((count, 6), np.uint16)

    layout = Layout.of([5] * 6, list(range(6)), [*range(6), *range(6)])
    chosen = replace(preset("brief", 4_000), width=64, steps=800, seconds=1e9, dropout=0.0)
    trained = train(*correlated(4_000, 0), layout, preset=chosen, device=CPU, seed=0)
    net, index = load(*export(trained), CPU), Index(layout, CPU)
    x_BN = torch.tensor(correlated(20_000, 2)[0])
    draw = torch.Generator().manual_seed(0)
    # The mean of the six: variance 0.9 + 0.1 / 6 = v, of the noise sigma^2 / 6; a share v / (v + sigma^2 / 6) stays.
    v, found = 0.9 + 0.1 / 6, []
    for sigma in (20.0, 10.0, 5.0):
        noised_BN = x_BN + sigma * torch.randn(x_BN.shape, generator=draw)
        with torch.no_grad():
            sigma_BP, label_B = torch.full((len(x_BN), 6), sigma), torch.zeros(len(x_BN), dtype=torch.int64)
            mean_BN, _ = predict(net, noised_BN, torch.zeros(len(x_BN), 6, dtype=torch.int64), sigma_BP, label_B, index)
        said_B, given_B = mean_BN.mean(dim=1), noised_BN.mean(dim=1)
        found.append(float(torch.cov(torch.stack([said_B, given_B]))[0, 1] / given_B.var()) / (v / (v + sigma**2 / 6)))
    # Of 800 steps. With statuses masked in training and c_skip x not told it was 3.1, 1.9 and 1.1 times the share.
    assert found[0] < 2.0
    assert found[1] == pytest.approx(1.0, abs=0.4)
    assert found[2] == pytest.approx(1.0, abs=0.25)


def test_what_nothing_tells_costs_its_entropy_and_little_more(trained: Trained) -> None:
    nats_F = conditional_nats(trained, *rows(1_000, 2))
    assert 0.95 * math.log(4) < nats_F[5] < 1.1 * math.log(4)
    entropy = -0.1 * math.log(0.1) - 0.9 * math.log(0.9)
    assert 0.9 * entropy < nats_F[2] < 1.3 * entropy


def test_a_cell_that_contradicts_its_row_stands_out_under_both_kinds_of_probe(trained: Trained) -> None:
    module = load(*export(trained), CPU)
    x, c = rows(500, 3)
    odd = c.copy()
    odd[:, 2] = 5 - odd[:, 2]
    (joint, conditional), (odd_joint, odd_conditional) = (
        energies(module, torch.tensor(x), torch.tensor(codes.astype(np.int64)), CPU) for codes in (c, odd)
    )
    assert odd_conditional[:, 4].median() > conditional[:, 4].median() + 2
    assert bool((odd_joint[:, :, 4].median(dim=0).values > 10 * joint[:, :, 4].median(dim=0).values).all())


def test_expected_values_come_from_the_other_columns(trained: Trained) -> None:
    module = load(*export(trained), CPU)
    answer = expected(module, torch.tensor([[9.0, -1.0]]), torch.tensor([[0, 0, 3, 2]]), CPU)
    assert float(answer.mean_BN[0, 0]) == pytest.approx(1.0, abs=0.3)
    assert answer.low_BN[0, 0] < 1.0 < answer.high_BN[0, 0] < 9.0
    assert float(answer.distribution_BS[0, 5 + 5 : 5 + 5 + 4].sum()) == pytest.approx(1.0, abs=1e-5)
    assert answer.distribution_BS[0, 5 + 5 + 3] > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, second, other = (train(*rows(300, 0), LAYOUT, preset=TINY, device=CPU, seed=s) for s in (5, 5, 6))
    assert export(first) == export(second)
    assert export(first) != export(other)


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    train(*rows(300, 0), LAYOUT, preset=replace(TINY, dropout=0.1), device=CPU, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_comes_with_every_evaluation() -> None:
    seen: list[Progress] = []
    trained = train(*rows(300, 0), LAYOUT, preset=TINY, device=CPU, seed=0, progress=seen.append)
    assert [(line.step, line.total) for line in seen] == [(4, 12), (8, 12), (12, 12)]
    assert [line.loss for line in seen] == [line.held_out_loss for line in trained.log]
    assert trained.stopped == "steps"
    assert not trained.interrupted


def test_ctrl_c_keeps_the_best_so_far() -> None:
    def press(progress: Progress) -> None:
        if progress.step == 8:
            raise KeyboardInterrupt

    cut = train(*rows(300, 0), LAYOUT, preset=TINY, device=CPU, seed=0, progress=press)
    assert cut.interrupted
    assert cut.steps == 8
    module = load(*export(cut), CPU)
    x, c = rows(50, 1)
    joint, conditional = energies(module, torch.tensor(x), torch.tensor(c.astype(np.int64)), CPU)
    assert bool(joint.isfinite().all())
    assert bool(conditional.isfinite().all())
    # The best average so far and nothing newer: that of the same run stopped after the same evaluation.
    stopped = train(*rows(300, 0), LAYOUT, preset=TINY, device=CPU, seed=0, stop=iter([False] * 8 + [True]).__next__)
    assert export(stopped) == export(cut)


def test_stop_before_the_first_step_still_gives_a_network() -> None:
    trained = train(*rows(300, 0), LAYOUT, preset=TINY, device=CPU, seed=0, stop=lambda: True)
    assert (trained.steps, trained.stopped, trained.held_out_loss) == (0, "stop", math.inf)


def test_time_shortens_the_run_and_says_so() -> None:
    chosen = replace(TINY, steps=1_000_000, seconds=0.5)
    trained = train(*rows(300, 0), LAYOUT, preset=chosen, device=CPU, seed=0)
    assert trained.stopped == "seconds"
    assert trained.seconds < 30
    assert len(trained.log) >= 1


def test_stale_held_out_loss_ends_the_run() -> None:
    x, c = rows(12, 0)
    chosen = replace(TINY, width=64, rate=2e-2, steps=2_000, evaluations=100, patience=3)
    trained = train(x, c, LAYOUT, preset=chosen, device=CPU, seed=0, held_out=(*rows(200, 1), None))
    assert trained.stopped == "patience"


def test_only_rows_whose_number_is_present_count_for_its_variance(trained: Trained) -> None:
    # What is left when the side is known, on the network's scale. A null counted as 0 would add a third and more.
    x, c = rows(500, 1)
    scale = load(*export(trained), CPU).scale
    z_B = scale.middle(torch.tensor(x))[:, 0].numpy()
    present_B = c[:, 0] == 0
    left = np.mean([z_B[present_B & (c[:, 2] == side)].var() for side in (2, 3)])
    assert 0.9 * left < float(trained.state["hidden_variance"][0]) < 1.25 * left


def test_labels_condition_the_network() -> None:
    x, c = rows(1_000, 0)
    labels = (c[:, 2] == 3).astype(np.uint16)
    chosen = replace(TINY, width=64, steps=300)
    trained = train(x, c, LAYOUT, preset=chosen, device=CPU, seed=0, labels=labels, classes=2, scored_label=1)
    assert trained.config.scored_label == 1
    nats_F = conditional_nats(trained, x[labels == 1], c[labels == 1])
    assert nats_F[4] < 0.2
    assert conditional_nats(trained, x[labels == 0], c[labels == 0])[4] > 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, c: (x[:1], c[:1]), "too few"),
        (lambda x, c: (x[:, :1], c), "do not fit"),
        (lambda x, c: (x, c + 9), "code that its size"),
        (lambda x, c: (x * np.float32("nan"), c), "not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: object, message: str) -> None:
    assert callable(change)
    with pytest.raises(ValueError, match=message):
        train(*change(*rows(20, 0)), LAYOUT, preset=TINY, device=CPU, seed=0)


def test_tables_of_numbers_without_value_categories_and_of_categories_alone_train() -> None:
    x, c = rows(100, 0)
    numbers = train(x, c[:, :2], Layout.of([5, 5], [0, 1], [0, 1, 0, 1]), preset=TINY, device=CPU, seed=0)
    categories = train(x[:, :0], c[:, 2:], Layout.of([4, 6], [], [0, 1]), preset=TINY, device=CPU, seed=0)
    assert numbers.config.layout.categories == 2
    assert categories.state["number"].shape == (0, 32)


def test_unknown_quality_is_refused() -> None:
    with pytest.raises(ValueError, match="'default', 'best' or 'brief'"):
        preset("good", 100)

"""Generated rows look like the table, keep what is given, and never hold a NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tabad.diffusion.categorical import Kind, corruption_share
from tabad.diffusion.export import export, load
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.presets import Preset
from tabad.diffusion.sample import Given, Plan, sample
from tabad.diffusion.train import train

CPU = torch.device("cpu")
# A number with 10 % nulls and one without, each with its status; a category of 3 values, a fair one of 2.
LAYOUT = Layout.of([5, 5, 3, 2], [0, 1], [0, 1, 0, 1, 2, 3])
INDEX = Index(LAYOUT, CPU)
ROWS = 4_000


SHARES = ([0.9, 0.1, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.6, 0.3, 0.1], [0.5, 0.5])


def ideal(number: Tensor, level: Tensor, hidden: Tensor, code: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """A network that knows the table: independent standard normal numbers, fixed shares of categories."""
    # With sigma_data = 1 the best D is c_skip x, so F = 0 (Karras et al. 2022); a label moves all numbers.
    raw = torch.zeros_like(number) + 2.0 * (label == 1)[:, None]
    # p(clean | seen): the shares times the likelihood of the code seen under multinomial corruption.
    lost_BC = corruption_share((4.0 * level).exp()[:, INDEX.column_C], INDEX.is_status_C)
    likelihood_BS = (lost_BC / INDEX.size_C)[:, INDEX.category_S]
    likelihood_BS.scatter_add_(1, code.clamp_min(0) + INDEX.offset_C, torch.where(code < 0, 0.0, 1.0 - lost_BC))
    shares_S = torch.tensor([p for shares in SHARES for p in shares])
    return raw, (shares_S * likelihood_BS).clamp_min(1e-12).log()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def draw(kind: Kind = Kind.MASKED, **options: object) -> tuple[Tensor, Tensor]:
    return sample(ideal, ROWS, INDEX, kind, generator=generator(), untold=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("plan", [Plan(), Plan(noise=0.0), Plan(noise=0.5, steps=20)])
def test_an_ideal_network_gives_the_table_back(kind: Kind, plan: Plan) -> None:
    x_BN, c_BC = draw(kind, plan=plan)
    present_B = c_BC[:, 0] == 0
    assert float(present_B.float().mean()) == pytest.approx(0.9, abs=0.025)
    for values in (x_BN[present_B, 0], x_BN[:, 1]):
        assert float(values.mean()) == pytest.approx(0.0, abs=0.06)
        assert float(values.std()) == pytest.approx(1.0, abs=0.08)
    share = torch.bincount(c_BC[:, 2], minlength=3) / ROWS
    assert share.tolist() == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


def test_numbers_do_not_pile_up_anywhere() -> None:
    x_BN, _ = draw()
    assert len(x_BN[:, 1].unique()) > 0.99 * ROWS
    counts = torch.histc(x_BN[:, 1], bins=60, min=-3.0, max=3.0)
    # 60 bins of a standard normal hold at most 4 % each.
    assert float(counts.max()) < 0.055 * ROWS


def test_an_absent_number_is_zero() -> None:
    x_BN, c_BC = draw()
    assert bool((x_BN[c_BC[:, 0] != 0, 0] == 0.0).all())


def test_the_same_generator_gives_the_same_bits_and_chunks_are_independent() -> None:
    for first, second in zip(draw(), draw(), strict=True):
        assert torch.equal(first, second)
    x_BN, _ = draw(plan=Plan(chunk=1_000))
    assert not torch.equal(x_BN[:1_000], x_BN[1_000:2_000])


def test_what_is_given_stands_row_by_row() -> None:
    given_BP = torch.zeros(ROWS, 4, dtype=torch.bool)
    given_BP[:, 1] = True
    given_BP[: ROWS // 2, 2] = True
    known = Given(
        torch.full((ROWS, 2), 3.25), torch.ones(ROWS, 4, dtype=torch.int64) * torch.tensor([0, 0, 2, 0]), given_BP
    )
    x_BN, c_BC = draw(given=known)
    assert bool((x_BN[:, 1] == 3.25).all())
    assert bool((c_BC[: ROWS // 2, 2] == 2).all())
    assert float((c_BC[ROWS // 2 :, 2] == 2).float().mean()) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_forbidden_status_never_occurs(kind: Kind) -> None:
    forbidden_S = torch.zeros(LAYOUT.codes, dtype=torch.bool)
    forbidden_S[1:5] = True
    _, c_BC = draw(kind, forbidden_S=forbidden_S)
    assert bool((c_BC[:, 0] == 0).all())


def test_guidance_moves_rows_towards_the_label_in_proportion() -> None:
    means = [
        float(
            sample(
                ideal, ROWS, INDEX, Kind.MASKED, generator=generator(), untold=0, label=1, plan=Plan(guidance=weight)
            )[0][:, 1].mean()
        )
        for weight in (0.0, 1.0, 2.0)
    ]
    assert means[0] < means[1] < means[2]
    assert means[2] - means[1] == pytest.approx(means[1] - means[0], rel=0.05)


@pytest.mark.parametrize("missing", [False, True])
def test_numbers_that_hang_together_keep_their_common_spread(missing: bool) -> None:
    # Six numbers that correlate by 0.9: their mean has the standard deviation sqrt(0.9 + 0.1 / 6). Numbers that begin
    # late, each by itself, made it a tenth too small.
    count = 6
    index = Index(Layout.of([5] * count, list(range(count)), [*range(count), *range(count)]), CPU)
    precision_NN = torch.linalg.inv(torch.full((count, count), 0.9) + 0.1 * torch.eye(count))
    logits_S = torch.tensor([0.9, 0.1, 1e-12, 1e-12, 1e-12] * count).log()

    def gaussian(number: Tensor, level: Tensor, hidden: Tensor, code: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """The exact posterior mean of correlated numbers, in the network's terms (Karras et al. 2022, eq. 7)."""
        sigma_BN, seen_BN = (4.0 * level).exp(), code == 0
        scale_BN = (1.0 + sigma_BN**2).rsqrt()
        weight_BN = torch.where(seen_BN, sigma_BN**-2, 0.0)
        sought_BN = weight_BN * number / scale_BN
        mean_BN = torch.linalg.solve(precision_NN + torch.diag_embed(weight_BN), sought_BN[..., None])[..., 0]
        raw_BN = torch.where(seen_BN, (mean_BN - scale_BN * number) / (sigma_BN * scale_BN), mean_BN)
        return raw_BN, logits_S.expand(len(number), -1)

    forbidden_S = torch.tensor([False, not missing, True, True, True] * count)
    x_BN, c_BC = sample(gaussian, 8_000, index, Kind.MASKED, generator=generator(), untold=0, forbidden_S=forbidden_S)
    whole_BN = x_BN[(c_BC == 0).all(dim=1)]
    assert float(whole_BN.mean(dim=1).std()) == pytest.approx(math.sqrt(0.9 + 0.1 / 6), abs=0.035)
    assert float(torch.corrcoef(whole_BN.T)[0, 1]) == pytest.approx(0.9, abs=0.02)


def test_the_number_of_cores_does_not_change_the_rows() -> None:
    before = torch.get_num_threads()
    drawn = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        drawn.append(draw(plan=Plan(chunk=700)))
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*drawn, strict=True))


def test_no_rows_are_no_rows() -> None:
    x_BN, c_BC = sample(ideal, 0, INDEX, Kind.MASKED, generator=generator(), untold=0)
    assert (x_BN.shape, c_BC.shape) == ((0, 2), (0, 4))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_trained_network_gives_its_marginals_back(kind: Kind) -> None:
    source = np.random.default_rng(0)
    side = source.random(3_000) < 0.3
    null = source.random(3_000) < 0.1
    x = np.stack([np.where(side, 1.4, -0.6), source.normal(size=3_000)], axis=1) + 0.3 * source.normal(size=(3_000, 2))
    x[null, 0] = 0.0
    c = np.stack([null, np.zeros(3_000), np.where(side, 2, 1), source.random(3_000) < 0.5], axis=1)
    trained = train(
        x.astype(np.float32),
        c.astype(np.uint16),
        LAYOUT,
        preset=Preset(64, 2, 256, 400, 1e9, kind=kind),
        device=CPU,
        seed=0,
    )
    net = load(*export(trained), CPU)
    x_BN, c_BC = sample(net, 3_000, INDEX, kind, generator=generator(), untold=trained.config.classes)
    assert bool(x_BN.isfinite().all())
    assert bool((c_BC < INDEX.size_C).all())
    present_B = c_BC[:, 0] == 0
    assert float(present_B.float().mean()) == pytest.approx(0.9, abs=0.06)
    assert float((c_BC[:, 2] == 2).float().mean()) == pytest.approx(0.3, abs=0.06)
    # The side is told by the number: the two agree in almost every row.
    agree_B = (x_BN[present_B, 0] > 0.4) == (c_BC[present_B, 2] == 2)
    assert float(agree_B.float().mean()) > 0.93
    assert float(x_BN[:, 1].std()) == pytest.approx(1.04, abs=0.12)


def test_an_untrained_network_with_wild_weights_gives_finite_rows() -> None:
    def wild(number: Tensor, level: Tensor, hidden: Tensor, code: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        return 50.0 * torch.sin(1e3 * number + 1.0), 500.0 * torch.cos(torch.arange(15.0)).expand(len(number), -1)

    for kind in Kind:
        x_BN, c_BC = sample(wild, 500, INDEX, kind, generator=generator(), untold=0)
        assert bool(x_BN.isfinite().all())
        assert bool((c_BC >= 0).all())

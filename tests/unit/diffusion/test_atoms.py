"""Atoms: which values are, what their codes say, and that what hangs on a very value is generated with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tabad.diffusion import atoms, batches, quantile
from tabad.diffusion.atoms import Atoms
from tabad.diffusion.categorical import MASK
from tabad.diffusion.export import export, load
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.presets import preset
from tabad.diffusion.sample import sample
from tabad.diffusion.train import train

CPU = torch.device("cpu")
LAYOUT = Layout.of([5, 5, 2], [0, 1], [0, 1, 0, 1, 2])
TWO = Atoms(torch.tensor([1]), torch.tensor([[-1.0, 2.5]]))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_atoms_are_the_most_frequent_values_that_twenty_present_rows_share() -> None:
    x_BN = torch.arange(1_000.0)[:, None].repeat(1, 2)
    x_BN[:20, 0], x_BN[20:60, 0], x_BN[60:90, 0], x_BN[90:109, 0] = 7.5, -2.5, 0.25, 3.5
    present_BN = torch.ones(1_000, 2, dtype=torch.bool)
    found, layout = atoms.find(x_BN, present_BN, LAYOUT, 8)
    assert (found.number_E.tolist(), found.value_EA.tolist()) == ([0], [[-2.5, 0.25, 7.5]])
    assert (layout.sizes, layout.columns, layout.atoms) == ((5, 5, 2, 4), (0, 1, 0, 1, 2, 0), (0,))
    assert (layout.own_categories, layout.own_codes, layout.codes) == (3, 12, 16)

    assert atoms.find(x_BN, present_BN, LAYOUT, 2)[0].value_EA.tolist() == [[-2.5, 0.25]]
    present_BN[0] = False
    assert atoms.find(x_BN, present_BN, LAYOUT, 8)[0].value_EA.tolist() == [[-2.5, 0.25]]


def test_without_atoms_the_layout_stays_as_it_is() -> None:
    x_BN, present_BN = torch.randn(200, 2, generator=generator()), torch.ones(200, 2, dtype=torch.bool)
    for most in (0, 8):
        found, layout = atoms.find(x_BN, present_BN, LAYOUT, most)
        assert (len(found), layout) == (0, LAYOUT)
        assert found.put(x_BN, torch.zeros(200, 3, dtype=torch.int64)) is x_BN


def test_of_many_rows_one_in_a_thousand_must_share_an_atom() -> None:
    x_BN = torch.arange(60_000.0)[:, None]
    x_BN[:59], x_BN[59:119] = -1.0, -2.0
    layout = Layout.of([5], [0], [0, 0])
    found, _ = atoms.find(x_BN, torch.ones(60_000, 1, dtype=torch.bool), layout, 8)
    assert found.value_EA.tolist() == [[-2.0]]


def test_codes_name_present_atoms_and_put_brings_them_back() -> None:
    wide = Atoms(torch.tensor([0, 1]), torch.tensor([[0.5, 0.5, 0.5], [-1.0, 0.0, 2.5]]))
    x_BN = torch.tensor([[0.5, 2.5], [0.4, -1.0], [0.5, 9.0], [0.5, 0.0]])
    present_BN = torch.tensor([[True, True], [True, True], [True, True], [False, False]])
    code_BE = wide.codes(x_BN, present_BN)
    assert code_BE.tolist() == [[1, 3], [0, 1], [1, 0], [0, 0]]
    c_BC = torch.cat([torch.full((4, 2), 3), code_BE], dim=1)
    assert wide.put(torch.full((4, 2), 7.0), c_BC).tolist() == [[0.5, 2.5], [7.0, -1.0], [0.5, 7.0], [7.0, 7.0]]
    assert wide.named(c_BC, 2).tolist() == [[True, True], [False, True], [True, False], [False, False]]


def test_a_masked_atom_is_not_named() -> None:
    c_BC = torch.tensor([[0, 0, 0, MASK], [0, 0, 0, 2]])
    assert TWO.named(c_BC, 2).tolist() == [[False, False], [False, True]]
    assert TWO.put(torch.zeros(2, 2), c_BC).tolist() == [[0.0, 0.0], [0.0, 2.5]]


def test_what_is_no_atom_is_decoded_as_the_nearest_known_value_that_is_none() -> None:
    x_BN = torch.cat([torch.full((60, 1), -1.0), torch.full((30, 1), 2.5), torch.tensor([[1.0], [3.0]])])
    scale = quantile.fit(x_BN, torch.ones(92, 1, dtype=torch.bool))
    two = Atoms(torch.tensor([0]), TWO.value_EA)
    z_BN = scale.middle(torch.tensor([[-1.0], [-1.0], [2.5], [1.0], [2.5]]))
    z_BN[4] = scale.high_NK[0, 2]
    c_BC = torch.tensor([[0, 1], [0, 0], [0, 0], [0, 0], [0, 0]])
    # The middle of the interval of 2.5 is nearer to that of 1; its upper end to that of 3.
    assert two.decoded(z_BN, c_BC, scale)[:, 0].tolist() == [-1.0, 1.0, 1.0, 1.0, 3.0]
    assert scale.value(z_BN)[:, 0].tolist() == [-1.0, -1.0, 2.5, 1.0, 2.5]


def test_where_every_known_value_is_an_atom_it_stays_one() -> None:
    x_BN = torch.cat([torch.full((60, 1), -1.0), torch.full((30, 1), 2.5)])
    scale = quantile.fit(x_BN, torch.ones(90, 1, dtype=torch.bool))
    two = Atoms(torch.tensor([0]), TWO.value_EA)
    z_BN = scale.middle(torch.tensor([[-1.0], [2.5]]))
    assert two.decoded(z_BN, torch.zeros(2, 2, dtype=torch.int64), scale)[:, 0].tolist() == [-1.0, 2.5]


def test_atoms_on_the_scale_are_where_it_places_them() -> None:
    x_BN = torch.cat([torch.full((30, 2), -1.0), torch.full((70, 2), 2.5)])
    scale = quantile.fit(x_BN, torch.ones(100, 2, dtype=torch.bool))
    placed = TWO.on_scale(scale)
    assert placed.number_E.tolist() == [1]
    assert placed.value_EA.tolist() == [scale.middle(torch.tensor([[0.0, -1.0], [0.0, 2.5]]))[:, 1].tolist()]


def test_half_of_the_rows_show_no_atom_and_nothing_else_changes() -> None:
    index = Index(LAYOUT.with_atoms([1, 0], [3, 2]), CPU)
    seen_BC = torch.ones(20_000, 5, dtype=torch.int64)
    blind_BC = atoms.blinded(seen_BC, index, generator=generator())
    assert bool((blind_BC[:, :3] == 1).all())
    assert bool((blind_BC[:, 3] == blind_BC[:, 4]).all())
    # Five deviations of a binomial share.
    assert float((blind_BC[:, 3] == MASK).float().mean()) == pytest.approx(0.5, abs=5 * 0.5 / 20_000**0.5)


def test_the_loss_counts_an_atom_a_quarter() -> None:
    index = Index(LAYOUT.with_atoms([1], [3]), CPU)
    zeros_BN, c_BC, sigma_BP = torch.zeros(1, 2), torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 3)
    batch = batches.Corrupted(zeros_BN, c_BC, zeros_BN, c_BC, sigma_BP, torch.zeros(1, dtype=torch.int64))

    def flat(*_: object) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(1, 2), torch.zeros(1, 15)

    total, cells = batches.loss_sum(flat, batch, index)  # type: ignore[arg-type]
    # Numbers cost nothing; statuses of five codes, two values, and three codes of atoms.
    assert float(total) == pytest.approx(2 * np.log(5) + np.log(2) + 0.25 * np.log(3), rel=1e-6)
    assert int(cells) == 6


@pytest.mark.parametrize(("most", "least", "highest"), [(8, 0.9, 1.0), (0, 0.0, 0.85)])
def test_what_hangs_on_a_very_value_is_generated_with_it(most: int, least: float, highest: float) -> None:
    # Eight values side by side; every other one means yes. A tenth of the rows is anywhere.
    draw = np.random.default_rng(0)
    value = draw.integers(0, 8, 4_000)
    anywhere = draw.random(4_000) < 0.1
    x = np.where(anywhere, draw.normal(0, 2, 4_000), value / 8 - 0.5).astype(np.float32)[:, None]
    c = np.stack([np.zeros(4_000), np.where(anywhere, draw.random(4_000) < 0.5, value % 2)], axis=1).astype(np.uint16)
    chosen = replace(preset("brief", 4_000), width=64, steps=500, seconds=1e9, dropout=0.0, atoms=most)
    trained = train(x, c, Layout.of([5, 2], [0], [0, 0, 1]), preset=chosen, device=CPU, seed=0)
    net = load(*export(trained), CPU)
    index = Index(net.config.layout, CPU)
    forbidden_S = torch.zeros(net.config.layout.codes, dtype=torch.bool)
    forbidden_S[1:5] = True  # no number is missing
    x_BN, c_BC = sample(
        net, 4_000, index, net.config.kind, generator=generator(), untold=0, forbidden_S=forbidden_S,
        atoms=net.atoms.on_scale(net.scale),
    )  # fmt: skip
    made_B = net.atoms.decoded(x_BN, c_BC, net.scale)[:, 0]
    place_B = (made_B + 0.5) * 8
    is_value_B = (place_B - place_B.round()).abs().lt(1e-3) & place_B.round().clamp(0, 7).eq(place_B.round())
    # Nine tenths are (0.897 with atoms, 0.68 without), and half of those without a meaning would be right by chance.
    assert float(is_value_B.float().mean()) == pytest.approx(0.9, abs=0.02) or not most
    right_B = (place_B.round() % 2 == c_BC[:, 1])[is_value_B]
    assert least <= float(right_B.float().mean()) <= highest

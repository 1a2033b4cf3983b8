"""A GPU says what the processor says: energies within 1e-4 max(1, |b|), rows that are generated legal and reproducible.

Skipped where torch sees no GPU. `python -m pytest tests/seam/test_gpu.py` on a machine that has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

import tabad
from tabad.demo import payments
from tabad.diffusion.energies import energies, expected
from tabad.diffusion.export import load
from tabad.diffusion.layout import Layout
from tabad.diffusion.presets import preset
from tabad.diffusion.train import train

if TYPE_CHECKING:
    from tabad.diffusion.denoiser import Denoiser

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return payments(6_000, seed=0)


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    return tabad.fit(table, device="cuda")


def network(model: tabad.Model, device: torch.device) -> Denoiser:
    return load(*model.core.network(), device)


def test_energies_and_expected_values_are_those_of_the_processor(model: tabad.Model, table: pa.Table) -> None:
    net = network(model, CPU)
    layout = net.config.layout
    rows, x, c = model.core.encode(table.select([field.name for field in model.core.schema()]))
    x_BN = torch.tensor(np.frombuffer(bytes(x), "<f4").reshape(rows, layout.numbers))
    c_BC = torch.tensor(np.frombuffer(bytes(c), "<u2").reshape(rows, layout.categories).astype(np.int64))
    for ours, theirs in zip(
        energies(network(model, GPU), x_BN, c_BC, GPU), energies(net, x_BN, c_BC, CPU), strict=True
    ):
        assert bool(((ours - theirs).abs() <= 1e-4 * theirs.abs().clamp_min(1.0)).all())
    ours, theirs = expected(network(model, GPU), x_BN, c_BC, GPU), expected(net, x_BN, c_BC, CPU)
    torch.testing.assert_close(ours.mean_BN, theirs.mean_BN, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.distribution_BS, theirs.distribution_BS, rtol=1e-4, atol=1e-4)


def test_a_model_fitted_there_finds_what_one_fitted_here_finds(model: tabad.Model, table: pa.Table) -> None:
    here = tabad.fit(table, device="cpu")
    scores = [one.score(table, explain="none")["tabad_score"].to_numpy() for one in (model, here)]
    # The same kept rows and another network, from other draws: ranks agree, scores do not.
    ranks = [score.argsort().argsort() for score in scores]
    assert np.corrcoef(*ranks)[0, 1] > 0.95


def test_rows_generated_there_are_legal_and_the_same_for_the_same_seed(model: tabad.Model, table: pa.Table) -> None:
    once, again = (tabad.generate(model, 2_000, seed=7, device="cuda") for _ in range(2))
    assert once.equals(again)
    assert once.schema == tabad.generate(model, 5, device="cpu").schema
    for name in once.schema.names:
        column, source = once[name], table[name]
        if pa.types.is_string(column.type) and pc.count_distinct(source).as_py() < 50:
            assert set(column.to_pylist()) <= set(source.to_pylist()), name


def test_missing_cells_are_filled_there(model: tabad.Model, table: pa.Table) -> None:
    holes = table.slice(0, 200)
    place = holes.schema.get_field_index("amount")
    holes = holes.set_column(place, holes.schema.field(place), pa.nulls(200, holes.schema.field(place).type))
    filled = tabad.impute(holes, model, device="cuda")
    assert filled["amount"].null_count == 0


def test_training_ends_with_the_loss_that_it_has_on_the_processor_and_always_with_the_same_network() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3_000, 3)).astype(np.float32)
    x[:, 2] = x[:, 0] + 0.1 * x[:, 2]
    c = (draw.random((3_000, 5)) * [1, 1, 1, 4, 6]).astype(np.uint16)
    layout = Layout.of([1, 1, 1, 4, 6], [0, 1, 2], [0, 1, 2, 0, 1, 2, 3, 4])
    there, again, here = (train(x, c, layout, preset=preset("brief", 3_000), device=d, seed=0) for d in (GPU, GPU, CPU))
    assert there.held_out_loss == pytest.approx(here.held_out_loss, abs=0.03)
    assert all(torch.equal(there.state[name], again.state[name]) for name in there.state)


def test_a_table_is_scored_there_as_it_is_here(model: tabad.Model, table: pa.Table) -> None:
    here, there = model.score(table, explain="none"), tabad.score(table, model, device="cuda", explain="none")
    ours, theirs = there["tabad_score"].to_numpy(), here["tabad_score"].to_numpy()
    assert (np.abs(ours - theirs) <= 1e-4 * np.maximum(1.0, np.abs(theirs))).all()
    gap = np.abs(there["tabad_p_value"].to_numpy() - here["tabad_p_value"].to_numpy())
    assert (gap <= 1.01 / (1 + model.manifest["calibration_rows"])).all()

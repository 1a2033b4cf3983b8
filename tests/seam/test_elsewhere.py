"""The scoring path with energies from torch: memory and network as the Rust core finds them, here on the processor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.seam.test_memory import joint_tolerance, oracle_memory

import tabad
from tabad import _core
from tabad.demo import payments
from tabad.diffusion.memory import Memory
from tabad.diffusion.scoring import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU = torch.device("cpu")
# float32, and sums in another order: as for the oracle.
TOLERANCE = 1e-4
ROWS = 300
FITS = {
    "normal": {"label": "fraud", "normal": "false"},
    "contaminated": {"label": "fraud"},
    "context": {"given": ["merchant_id"]},
    "conditional": {"mechanism": "conditional"},
    "score-function": {"mechanism": "score-function"},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These products are too short to share, and tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Payments with holes, said to be frauds or not."""
    drawn = payments(1_500, seed=3)
    holes = np.random.default_rng(0).random(drawn.num_rows) < 0.1
    place = drawn.schema.get_field_index("amount")
    amount = pa.array(drawn["amount"].to_numpy(), mask=holes)
    drawn = drawn.set_column(place, "amount", amount)
    fraud = np.random.default_rng(1).random(drawn.num_rows) < 0.05
    return drawn.append_column("fraud", pa.array(np.where(fraud, "true", "false")))


@pytest.fixture(scope="module")
def default(table: pa.Table) -> tabad.Model:
    """A model with a network and a student."""
    return tabad.fit(table, label="fraud")


def rows_of(core: _core.Model, table: pa.Table) -> pa.Table:
    """Some rows of the table, as the model knows it."""
    names = [field.name for field in core.schema()]
    return table.slice(0, ROWS).select([name for name in names if name in table.column_names])


def both(core: _core.Model, table: pa.Table) -> tuple[pa.Table, pa.Table]:
    elsewhere = core.with_energies(Elsewhere(core, CPU))
    return (
        pa.table(core.score(table, append=False, explain="none")),
        pa.table(elsewhere.score(table, append=False, explain="none")),
    )


@pytest.mark.parametrize("name", list(FITS))
def test_scores_are_those_of_the_core(table: pa.Table, name: str) -> None:
    model = tabad.fit(table, quality="fast", **FITS[name])  # type: ignore[arg-type]

    here, there = both(model.core, rows_of(model.core, table))

    ours, theirs = there["tabad_score"].to_numpy(), here["tabad_score"].to_numpy()
    assert (np.abs(ours - theirs) <= TOLERANCE * np.maximum(1, np.abs(theirs))).all()
    # A score within rounding of a calibration score may pass it, and no more.
    gap = np.abs(there["tabad_p_value"].to_numpy() - here["tabad_p_value"].to_numpy())
    assert (gap <= 1.01 / (1 + model.manifest["calibration_rows"])).all()


def test_the_network_is_asked_too_and_labels_guide(table: pa.Table, default: tabad.Model) -> None:
    said = pa.array([True] * 12 + [False] * 12 + [None] * (table.num_rows - 24))
    told = table.drop_columns(["fraud"]).append_column("checked", said)
    for fitted in (default, tabad.fit(told, feedback="checked", quality="fast")):
        here, there = both(fitted.core, rows_of(fitted.core, table))
        ours, theirs = there["tabad_score"].to_numpy(), here["tabad_score"].to_numpy()
        assert (np.abs(ours - theirs) <= TOLERANCE * np.maximum(1, np.abs(theirs))).all()


@pytest.mark.parametrize("screen", [False, True])
def test_energies_of_a_table_of_every_kind_are_the_cores(mixed: pa.Table, screen: bool) -> None:
    fitting = _core.Fit(memory=200, screen=screen, threads=1)
    fitting.observe(mixed)
    fitting.prepare()
    core = fitting.finish()
    told = core.memory()
    assert told is not None
    memory, (oracle, levels) = Memory(*told, CPU), oracle_memory(core)
    rows, x, c = core.encode(mixed)
    x_BN = torch.tensor(np.frombuffer(bytes(x), "<f4").reshape(rows, -1))
    c_BC = torch.tensor(np.frombuffer(bytes(c), "<u2").reshape(rows, -1).astype(np.int32))

    terms_BR, features_BF = (part.double().numpy() for part in memory.energies(x_BN, c_BC))

    found = json.loads(core.energies(mixed, threads=1))
    expected_BR = np.array(found["terms"]).reshape(rows, -1)
    apart = np.abs(terms_BR - expected_BR) / np.maximum(1, np.abs(expected_BR))
    first = len(levels["local"]) + len(levels["wide"])
    joints = slice(first, first + len(levels["local"]))
    assert (np.delete(apart, joints, axis=1) <= TOLERANCE).all()
    for row in range(0, rows, 10):
        for level, tau in enumerate(levels["local"]):
            got, wanted = terms_BR[row, first + level], expected_BR[row, first + level]
            allowed = joint_tolerance(oracle, x_BN[row].double().numpy(), c_BC[row].numpy(), tau, wanted)
            assert abs(got - wanted) <= 2 * allowed  # both are rounded
    expected_BF = np.array(found["features"][0]).reshape(rows, -1)
    assert (np.abs(features_BF - expected_BF) <= TOLERANCE * np.maximum(1, np.abs(expected_BF))).all()


def test_wide_densities_and_roots_that_are_not_asked_for_are_0(mixed: pa.Table) -> None:
    core = tabad.fit(mixed, quality="fast").core
    told = core.memory()
    assert told is not None
    memory = Memory(*told, CPU)
    rows, x, c = core.encode(rows_of(core, mixed))
    x_BN = torch.tensor(np.frombuffer(bytes(x), "<f4").reshape(rows, -1))
    c_BC = torch.tensor(np.frombuffer(bytes(c), "<u2").reshape(rows, -1).astype(np.int32))

    whole_BR, _ = memory.energies(x_BN, c_BC)
    part_BR, _ = memory.energies(x_BN, c_BC, wide_from=len(memory.wide), roots=False)

    wide = slice(len(memory.local), len(memory.local) + len(memory.wide))
    assert not part_BR[:, wide].any()
    assert not part_BR[:, -1].any()
    assert torch.equal(part_BR[:, : wide.start], whole_BR[:, : wide.start])
    assert torch.equal(part_BR[:, wide.stop : -1], whole_BR[:, wide.stop : -1])


def test_a_survey_asks_elsewhere_as_well(table: pa.Table) -> None:
    core = tabad.fit(table, quality="fast", label="fraud").core
    calls: list[int] = []
    elsewhere = Elsewhere(core, CPU)

    def counted(rows: int, *rest: object) -> tuple[bytes, bytes, bytes, bytes]:
        calls.append(rows)
        return elsewhere(rows, *rest)  # type: ignore[arg-type]

    rows = rows_of(core, table)
    found = json.loads(core.with_energies(counted).survey(rows))

    assert sum(calls) == ROWS
    assert found["rows"] == json.loads(core.survey(rows))["rows"]


def test_a_table_without_rows_asks_nothing_and_has_no_scores(table: pa.Table) -> None:
    core = tabad.fit(table, quality="fast", label="fraud").core
    elsewhere = core.with_energies(Elsewhere(core, CPU))

    assert pa.table(elsewhere.score(rows_of(core, table).slice(0, 0), append=False)).num_rows == 0


def test_what_cannot_be_computed_elsewhere_is_refused(table: pa.Table, default: tabad.Model) -> None:
    dense = tabad.fit(table, quality="fast", label="fraud", mechanism="density")
    with pytest.raises(tabad.UsageError, match="mechanism `density` come from the processor alone"):
        dense.core.with_energies(lambda *_: (b"",) * 4)
    with pytest.raises(tabad.UsageError, match="a student scores on the processor alone"):
        default.with_scorer("student").core.with_energies(lambda *_: (b"",) * 4)


def test_answers_of_another_shape_and_failures_stop_the_stream(table: pa.Table) -> None:
    core = tabad.fit(table, quality="fast", label="fraud").core
    rows = rows_of(core, table)

    with pytest.raises(tabad.UsageError, match="do not have the shape of the rows"):
        core.with_energies(lambda *_: (b"",) * 4).survey(rows)

    def fails(*_: object) -> tuple[bytes, bytes, bytes, bytes]:
        raise RuntimeError("out of memory")

    with pytest.raises(tabad.UsageError, match="energies were not computed: RuntimeError: out of memory"):
        core.with_energies(fails).survey(rows)


def test_a_gpu_that_is_not_there_is_refused(table: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = tabad.fit(table, quality="fast", label="fraud")

    with pytest.raises(tabad.UsageError, match="torch sees no GPU here"):
        tabad.score(table, model, device="cuda")


def test_a_model_on_the_processor_is_the_model(table: pa.Table) -> None:
    model = tabad.fit(table, quality="fast", label="fraud")
    here = model.core.with_energies(Elsewhere(model.core, CPU))

    assert here.to_bytes() == model.to_bytes()
    assert model.on("auto").to_bytes() == model.to_bytes()
    rows = rows_of(model.core, table)
    back = pa.table(here.with_energies(None).score(rows, append=False))
    assert back.equals(pa.table(model.core.score(rows, append=False)))

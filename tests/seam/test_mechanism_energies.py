"""Rust = oracle for context columns and for the mechanisms that have energies of their own."""

import json

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle import mechanism as oracle
from tests.oracle import network as network_oracle
from tests.seam.test_memory import TOLERANCE, encoded, oracle_memory
from tests.seam.test_network import ROWS, Case, assert_near, case  # noqa: F401  (a fixture)

from tabad import _core

# Sums over some hundred weights in float32, then a logarithm.
NEAR = 5 * TOLERANCE


def fitted(table: pa.Table, mechanism: str, given: list[str], *, screen: bool) -> _core.Model:
    fitting = _core.Fit(memory=200, screen=screen, threads=1, mechanism=mechanism, given=given)
    fitting.observe(table)
    fitting.prepare()
    return fitting.finish()


def context(model: _core.Model, features: int) -> np.ndarray:
    """[F]: which features are given."""
    given_F = np.zeros(features, dtype=bool)
    columns = json.loads(model.manifest())["columns"]
    numbers = sum("number" in feature for column in columns for feature in column["features"])
    for column in columns:
        for feature in column["features"]:
            at = feature["number"] if "number" in feature else numbers + feature["category"]
            given_F[at] = column.get("given", False)
    return given_F


@pytest.mark.parametrize("screen", [False, True])
@pytest.mark.parametrize("given", [[], ["merchant", "amount"]])
@pytest.mark.parametrize("mechanism", ["combined", "reconstruction", "diffusion-time"])
def test_energies_of_the_memory_are_the_oracles(
    mixed: pa.Table, mechanism: str, given: list[str], screen: bool
) -> None:
    names = mixed.column_names
    given = [names[1], names[-1]] if given else []
    model = fitted(mixed, mechanism, given, screen=screen)
    memory, levels = oracle_memory(model)
    table = mixed.slice(0, 20)
    x_BN, c_BC = encoded(model, table)
    found = json.loads(model.energies(table, threads=1))
    terms_BR = np.array(found["terms"], dtype=float).reshape(len(x_BN), -1)
    features_BF = np.array(found["features"][0], dtype=float).reshape(len(x_BN), -1)
    given_F = context(model, features_BF.shape[1])
    assert given_F.any() == bool(given)
    taus = [*levels["local"], *levels["wide"]]
    usual = len(taus) + len(levels["local"]) + 4
    for x_N, c_C, terms_R, features_F in zip(x_BN, c_BC, terms_BR, features_BF, strict=True):
        own: list[float] = []
        if mechanism == "reconstruction":
            own = [oracle.reconstruction(memory, given_F, x_N, c_C, tau) for tau in levels["local"]]
        elif mechanism == "diffusion-time":
            own = [oracle.time(memory, given_F, x_N, c_C, max(taus))]
        wanted = np.array(own)
        got = terms_R[usual:]
        if given:
            densities = [oracle.density_given(memory, given_F, x_N, c_C, tau) for tau in taus]
            wanted, got = np.array([*own, *densities]), np.array([*got, *terms_R[: len(taus)]])
        assert len(got) == len(wanted)
        assert (np.abs(got - wanted) <= NEAR * np.maximum(1, np.abs(wanted))).all(), (got, wanted)
        # A given column is never surprising.
        assert (features_F[given_F] == 0).all()


@pytest.mark.parametrize("draw", range(4))
def test_noised_energies_of_a_network_are_the_oracles(case: Case, draw: int) -> None:  # noqa: F811
    network = network_oracle.Network(case.config, case.weights)
    joint, _ = _core.network_energies(case.config, case.weights, ROWS, case.x.tobytes(), case.c.tobytes(), draw)
    found = np.frombuffer(joint, "<f4").reshape(ROWS, network.config["joint"], -1)
    wanted = np.stack([oracle.noised_joint(network, x, c, draw) for x, c in zip(case.x, case.c, strict=True)])

    assert_near(found, wanted)

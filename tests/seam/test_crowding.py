"""Rust = oracle for the crowding of a screened table: the knots that stand in the model file."""

import json

import numpy as np
import pyarrow as pa
from tests.oracle import crowding as oracle
from tests.oracle.model_file import take_apart
from tests.seam.test_memory import fit


def test_knots_in_the_file_are_the_oracles(mixed: pa.Table) -> None:
    model = fit(mixed, screen=True)
    manifest, tensors = take_apart(model.to_bytes())
    terms = np.array(json.loads(model.energies(mixed, threads=1))["terms"]).reshape(mixed.num_rows, -1)
    local, wide = manifest["reference"]["crowding"]
    levels = manifest["memory"]["levels"]
    assert (local, wide) == (1, levels[0] + levels[1] - 1)

    # All rows of a small screened table are reference rows.
    expected = np.concatenate(oracle.fit(terms[:, local].astype(np.float32), terms[:, wide].astype(np.float32)))
    found = tensors["reference.crowd"]
    assert mixed.num_rows >= 100
    assert len(found) == len(expected) > 0
    assert np.abs(found - expected).max() < 1e-5  # energies of some nats in float32, written as decimal text


def test_a_model_of_normal_rows_has_no_crowding(mixed: pa.Table) -> None:
    table = mixed.append_column("state", pa.array(["normal"] * mixed.num_rows))
    from tabad import _core

    fitting = _core.Fit(label="state", normal="normal", threads=1)
    fitting.observe(table)
    fitting.prepare()
    manifest, tensors = take_apart(fitting.finish().to_bytes())
    assert manifest["reference"]["crowding"] is None
    assert "reference.crowd" not in tensors

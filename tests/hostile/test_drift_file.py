"""Forged strata in a model file are refused: they index calibration rows, numbers and codes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.drifting import fitted
from tests.oracle.model_file import Tensors, put_together, take_apart

import tabad
from tabad import _core

Damage = Callable[[dict[str, Any], Tensors], None]


@pytest.fixture(scope="module")
def content() -> bytes:
    """A model with a split by the type of shop and splits by numbers."""
    return fitted(np.random.default_rng(0), 3000, 0.3).to_bytes()


def of(manifest: dict[str, Any], key: str) -> dict[str, Any]:
    """The first split by a number or a category."""
    return next(split for split in manifest["strata"] if key in split)


def _beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["calibration.strata"] = np.full_like(tensors["calibration.strata"], 200)


def _one_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    strata = tensors["calibration.strata"].copy()
    strata[5] = len(manifest["strata"]) + 1
    tensors["calibration.strata"] = strata


def _too_few(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["calibration.strata"] = tensors["calibration.strata"][:-1]


def _none_stored(manifest: dict[str, Any], tensors: Tensors) -> None:
    del tensors["calibration.strata"], manifest["calibration"]["strata"]


def _not_said(manifest: dict[str, Any], tensors: Tensors) -> None:
    del manifest["calibration"]["strata"]


def _another_word(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["calibration"]["strata"] = "yes"


def _no_splits(manifest: dict[str, Any], tensors: Tensors) -> None:
    del manifest["strata"], tensors["strata.edges"], tensors["strata.codes"]


def _empty(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["strata"] = []


def _many(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["strata"] = manifest["strata"] * 100_000


def _later_stratum(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["strata"][0]["stratum"] = 1


def _negative(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["strata"][0]["stratum"] = -1


def _number_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    of(manifest, "number")["number"] = 2**40


def _category_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    of(manifest, "category")["category"] = 99


def _nan_edge(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["strata.edges"] = tensors["strata.edges"] * np.float32(np.nan)


def _code_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["strata.codes"] = np.full_like(tensors["strata.codes"], 60_000)


def _no_codes(manifest: dict[str, Any], tensors: Tensors) -> None:
    of(manifest, "category")["codes"] = 0
    tensors["strata.codes"] = tensors["strata.codes"][:0]


def _codes_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    of(manifest, "category")["codes"] = 2**63


def _edge_missing(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["strata.edges"] = tensors["strata.edges"][:-1]


@pytest.mark.parametrize(
    "damage",
    [
        _beyond, _one_beyond, _too_few, _none_stored, _not_said, _another_word, _no_splits, _empty, _many,
        _later_stratum, _negative, _number_beyond, _category_beyond, _nan_edge, _code_beyond, _no_codes, _codes_beyond,
        _edge_missing,
    ],
)  # fmt: skip
def test_forged_strata_are_refused(content: bytes, damage: Damage) -> None:
    manifest, tensors = take_apart(content)
    damage(manifest, tensors)

    with pytest.raises(tabad.ModelFileError, match=r"strata|calibration|the file holds tensors") as caught:
        _core.Model.from_bytes(put_together(manifest, tensors))

    assert caught.value.name == "model-file-damaged"


def test_the_forger_can_write_an_honest_file(content: bytes) -> None:
    assert _core.Model.from_bytes(put_together(*take_apart(content))).to_bytes() == content


def test_strata_of_another_number_are_refused(content: bytes) -> None:
    model = _core.Model.from_bytes(content)

    with pytest.raises(tabad.UsageError) as caught:
        model.score(fitted_rows(), strata=[1, 2])

    assert caught.value.name == "drift-strata"


def fitted_rows() -> Any:
    from tests.drifting import shops

    return shops(np.random.default_rng(1), 10, 0.3)

"""A forged student in a model file can fail, but cannot crash or give a score that is no number."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.conftest import mixed_table
from tests.oracle.model_file import Tensors, put_together, take_apart
from tests.students import taught

import tabad
from tabad import _core

Damage = Callable[[dict[str, Any], Tensors], None]


def refusal(data: bytes) -> str:
    with pytest.raises(tabad.ModelFileError) as caught:
        _core.Model.from_bytes(data)
    assert caught.value.name == "model-file-damaged"
    return str(caught.value)


def _student_knots_unsorted(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["student.knot"] = tensors["student.knot"][:, ::-1].copy()


def _student_nan(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["student.curve"] = np.full_like(tensors["student.curve"], np.nan)


def _student_falls(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["student.beyond"] = -tensors["student.beyond"]


def _student_too_wide(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["student"]["width"] = 1 << 40


def _student_odd_width(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["student"]["width"] = 31


def _student_of_other_columns(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["student.code"] = tensors["student.code"][1:].copy()


def _student_without_calibration(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["student.calibration.scores"] = tensors["student.calibration.scores"][:0].copy()


def _another_scorer(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["scorer"] = "headmaster"


def _no_scorer(manifest: dict[str, Any], tensors: Tensors) -> None:
    for key in ("reference", "calibration", "student"):
        manifest[key] = None


@pytest.fixture(scope="module")
def with_student() -> bytes:
    """A model with a student, which is in use."""
    pytest.importorskip("torch")
    return taught(mixed_table(600, seed=3)).with_scorer("student").to_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        _student_knots_unsorted, _student_nan, _student_falls, _student_too_wide, _student_odd_width,
        _student_of_other_columns, _student_without_calibration, _another_scorer, _no_scorer,
    ],
)  # fmt: skip
def test_a_forged_student_is_refused_and_named(with_student: bytes, damage: Damage) -> None:
    manifest, tensors = take_apart(with_student)
    damage(manifest, tensors)

    assert re.search("`[^`]+`|calibration", refusal(put_together(manifest, tensors)))


def test_a_student_with_the_largest_weights_still_gives_finite_scores(with_student: bytes) -> None:
    manifest, tensors = take_apart(with_student)
    for name in [name for name in tensors if name.startswith("student.") and "calibration" not in name]:
        if name != "student.knot":
            tensors[name] = np.full_like(tensors[name], 1e6)

    scored = tabad.Model.from_bytes(put_together(manifest, tensors)).score(mixed_table(50, seed=4), explain="all")

    assert np.isfinite(scored["tabad_score"].to_numpy()).all()

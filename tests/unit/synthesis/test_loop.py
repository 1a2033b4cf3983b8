"""What the loop decides, and that a fold's network never sees the rows that judge it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tabad.diffusion import presets
from tabad.synthesis import learner, loop
from tabad.synthesis.loop import Choice, Plan, choose


def folds(by_round: list[list[float]], leaf: int = 3) -> list[Any]:
    """Folds whose precision after each round is given, at one leaf size; 0.5 for the other arms."""
    made = []
    for place in range(len(by_round[0])):
        rare = SimpleNamespace(turns=[], add=None)
        rare.add = lambda turn, used, rare=rare: rare.turns.append((turn, used))

        def precision(arm: str, size: int, rare: Any = rare, place: int = place) -> float:
            if size != leaf:
                return 0.0
            return by_round[len(rare.turns) - 1][place] if arm == "augment" else 0.5

        made.append(SimpleNamespace(rare=rare, precision=precision))
    return made


def test_rounds_go_on_while_the_gain_exceeds_its_standard_error() -> None:
    given = folds([[0.6, 0.61, 0.62], [0.7, 0.72, 0.71], [0.7, 0.73, 0.71]])
    choice = choose(given, Plan("y", "1"))
    # Third gain: 0, 0.01, 0 with mean 0.0033 and standard error 0.0033: not more than it.
    assert choice.rounds == 2
    assert [round(gain, 4) for gain, _ in choice.gains] == [0.11, 0.1, 0.0033]
    assert choice.gains[2][1] == pytest.approx(0.01 / 3)
    assert given[0].rare.turns == [(0, 3), (1, 3), (2, 3)]


def test_a_gain_within_its_error_is_none() -> None:
    assert choose(folds([[0.9, 0.4, 0.4]]), Plan("y", "1")).rounds == 0
    assert choose(folds([[0.4, 0.4, 0.4]]), Plan("y", "1")).rounds == 0


def test_every_arm_has_the_leaf_size_that_suits_it() -> None:
    given = folds([[0.6, 0.6, 0.6]], leaf=30)
    assert choose(given, Plan("y", "1", rounds=1)) == Choice(
        1,
        {"nothing": 30, "class weights": 30, "SMOTE-NC": 30, "augment": 30},
        ((pytest.approx(0.1), pytest.approx(0)),),
    )


def test_a_search_keeps_held_rows_from_networks_and_judges_by_real_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "preset", lambda *_: presets.Preset(16, 1, 64, 20, 1e9))
    monkeypatch.setattr(loop, "LEAVES", (5,))
    monkeypatch.setattr(learner, "_ROUNDS", 3)
    draw = np.random.default_rng(0)
    y = np.arange(120) < 30
    table = pa.table(
        {"x": draw.normal(size=120) + 3 * y, "y": np.where(y, "1", "0").tolist(), "n": np.arange(120) % 50}
    )
    found = loop.folds_of(table, y, Plan("y", "1", folds=2, rounds=1), 0)
    for fold in found:
        trained = fold.rare.model.manifest["training_rows"]
        assert trained + fold.held.num_rows == 120
        assert int(fold.y_B.sum()) == 15
    choice = choose(found, Plan("y", "1", folds=2, rounds=1))
    assert len(choice.gains) == 1
    for fold in found:
        [kept] = fold.rare.kept
        assert 0 < kept.num_rows <= 30  # twice the 15 rare rows
        assert set(kept["y"].to_pylist()) == {"1"}
        assert len(fold.rare.training("augment")[0]) == 60 + kept.num_rows
        assert len(fold.rare.training("nothing")[0]) == 60
        assert fold.rare.training("SMOTE-NC")[1].mean() == 0.5

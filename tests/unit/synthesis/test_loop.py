"""What the loop decides, and that a fold's network never sees the rows that judge it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tabad.diffusion import presets
from tabad.synthesis import learner, loop
from tabad.synthesis.loop import AUGMENT, Choice, Plan, Trials, choose, leaf_of


def folds(by_round: list[list[float]], leaf: int = 3, own: list[list[float]] | None = None) -> list[Any]:
    """Folds of one rare row each whose precision after each round is given, at one leaf size; 0.5 for other arms.

    `own`: the same at the table's own shares.
    """

    def fold(place: int) -> Any:
        def precisions(arm: str, size: int, rounds: int = 0, *, balanced: bool) -> tuple[Any, Any]:
            given = by_round if balanced or own is None else own
            value = given[rounds - 1][place] if arm == AUGMENT else 0.5
            return np.array([place]), np.array([value if size == leaf else 0.0])

        return SimpleNamespace(precisions=precisions)

    return [fold(place) for place in range(len(by_round[0]))]


def test_rounds_go_on_while_the_gain_exceeds_its_standard_error() -> None:
    given = folds([[0.6, 0.61, 0.62], [0.7, 0.72, 0.71], [0.7, 0.73, 0.71]])
    choice = choose(given, Plan("y", "1"))
    # Third gain: 0, 0.01, 0 with mean 0.0033 and standard error 0.0033: not more than it.
    assert choice.rounds == 2
    assert [round(gain, 4) for gain, _ in choice.gains] == [0.11, 0.1, 0.0033]
    assert choice.gains[2][1] == pytest.approx(0.01 / 3)


def test_a_gain_within_its_error_is_none() -> None:
    assert choose(folds([[0.9, 0.4, 0.4]]), Plan("y", "1")).rounds == 0
    assert choose(folds([[0.4, 0.4, 0.4]]), Plan("y", "1")).rounds == 0


def test_every_arm_has_the_leaf_size_that_suits_it() -> None:
    given = folds([[0.6, 0.6, 0.6]], leaf=30)
    assert choose(given, Plan("y", "1", rounds=1)) == Choice(
        1,
        {"nothing": 30, "class weights": 30, "SMOTE-NC": 30, "augment": 30},
        ((pytest.approx(0.1), pytest.approx(0)),),
        ((pytest.approx(0.1), pytest.approx(0)),),
    )


def test_a_round_that_loses_at_the_shares_of_the_table_is_none() -> None:
    balanced = [[0.6, 0.61, 0.62], [0.7, 0.72, 0.71]]

    def decided(*own: list[float]) -> Choice:
        return choose(folds(balanced, own=list(own)), Plan("y", "1", rounds=2))

    # A loss of 0.1 with a standard error of 0.1 is within it, one of 0.11 is not.
    assert decided([0.5, 0.5, 0.2], [0.6, 0.6, 0.6]).rounds == 2
    assert decided([0.5, 0.49, 0.2], [0.6, 0.6, 0.6]).rounds == 0
    # The second round is judged beside the first.
    later = decided([0.7, 0.7, 0.7], [0.6, 0.61, 0.6])
    assert later.rounds == 1
    assert [round(gain, 4) for gain, _ in later.own_gains] == [0.2, -0.0967]


def test_repeats_of_a_row_are_averaged_before_rows_are_compared() -> None:
    def fold(places: list[int], values: list[float]) -> Any:
        return SimpleNamespace(precisions=lambda *_, **__: (np.array(places), np.array(values)))

    _, by_row = leaf_of([fold([7, 3], [0.2, 0.9]), fold([3], [0.5]), fold([7], [0.6])], "nothing")
    assert by_row.tolist() == pytest.approx([0.7, 0.4])


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> tuple[pa.Table, Any]:
    """Rows told apart by `x`, and small networks and classifiers."""
    monkeypatch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
    monkeypatch.setattr(loop, "LEAVES", (5,))
    monkeypatch.setattr(learner, "_ROUNDS", 3)
    draw = np.random.default_rng(0)
    y = np.arange(120) < 30
    columns = {"x": draw.normal(size=120) + 3 * y, "y": np.where(y, "1", "0").tolist(), "n": np.arange(120) % 50}
    return pa.table(columns), y


def test_a_search_keeps_held_rows_from_networks_and_judges_by_real_rows(table: tuple[pa.Table, Any]) -> None:
    rows, y = table
    trials = Trials(Plan("y", "1", folds=2, repeats=1, rounds=1), rows, y, 0)
    found = trials.outer()
    for fold in found:
        assert fold.trial.rare.model.manifest["training_rows"] == 60
        assert len(fold.trial.places[fold.part]) == 60
        truth, answer = fold.trial.answer(fold.part, "nothing", 5)
        assert (int(truth.sum()), len(answer)) == (15, 60)
    choice = choose(found, trials.plan)
    assert len(choice.gains) == 1
    for fold in found:
        rare = fold.trial.rare
        [kept] = rare.kept
        assert 0 < kept.num_rows <= 30  # twice the 15 rare rows
        assert set(kept["y"].to_pylist()) == {"1"}
        assert len(rare.training(AUGMENT, 1)[0]) == 60 + kept.num_rows
        assert len(rare.training("nothing")[0]) == len(rare.training(AUGMENT, 0)[0]) == 60
        assert rare.training("SMOTE-NC")[1].mean() == 0.5
    assert sorted(np.concatenate([fold.trial.places[fold.part] for fold in found])) == list(range(120))


def test_inner_trials_see_neither_their_own_part_nor_the_outer_one_and_are_fitted_once(
    table: tuple[pa.Table, Any],
) -> None:
    rows, y = table
    trials = Trials(Plan("y", "1", folds=3, repeats=1, rounds=1), rows, y, 0)
    inner = trials.inner(0, 1)
    assert [fold.part for fold in inner] == [0, 2]
    for fold in inner:
        assert set(fold.trial.places) == {1, fold.part}
        assert fold.trial.rare.model.manifest["training_rows"] == 40
    # The trial without parts 0 and 1 judges 0 for 1, and 1 for 0.
    assert trials.inner(0, 0)[0].trial is inner[0].trial
    trials.forget(0, 1)
    assert trials.inner(0, 2)[1].trial is inner[1].trial
    assert trials.without(0, 0, 1) is not inner[0].trial


def test_later_rounds_leave_earlier_ones_as_they_are(table: tuple[pa.Table, Any]) -> None:
    rows, y = table
    trial = Trials(Plan("y", "1", folds=2, repeats=1), rows, y, 0).without(0, 0)
    first = trial.rare.training(AUGMENT, 1)[0].copy()
    trial.rare.go_to(2)
    assert np.array_equal(trial.rare.training(AUGMENT, 1)[0], first, equal_nan=True)
    assert len(trial.rare.training(AUGMENT, 2)[0]) > len(first)

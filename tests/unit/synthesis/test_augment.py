"""The whole loop on a small table: what is written, what is said, and that folds keep to themselves."""

from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tabad
from tabad.api import run_augment
from tabad.diffusion import presets
from tabad.errors import InputError, TabadWarning, UsageError
from tabad.synthesis import augment, learner, loop
from tabad.synthesis.loop import Choice, Fold, Plan

ROWS = 400


@pytest.fixture
def table() -> pa.Table:
    """A fifth of the rows is rare, told by `amount`; ids, a dictionary, an ignored column, three rows unlabelled."""
    draw = np.random.default_rng(0)
    rare = draw.random(ROWS) < 0.2
    label = np.where(rare, 1, 0).tolist()
    label[:3] = [None] * 3
    return pa.table(
        {
            "row": pa.array(range(ROWS)),
            "amount": pa.array(np.where(rare, 4.0, 0.0) + draw.normal(size=ROWS)).cast(pa.float32()),
            "city": pa.array(draw.choice(["Oslo", "Rome"], ROWS).tolist()).dictionary_encode(),
            "note": pa.array(["x"] * ROWS),
            "fraud": pa.array(label, pa.int8()).cast(pa.string()),
        }
    )


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 30, 1e9))
    monkeypatch.setattr(loop, "LEAVES", (10,))
    monkeypatch.setattr(learner, "_ROUNDS", 5)


def chosen(monkeypatch: pytest.MonkeyPatch, rounds: int) -> list[list[Fold]]:
    """The loop decides at once for so many rounds; gives back the folds of each search."""
    seen: list[list[Fold]] = []

    def choose(folds: list[Fold], _plan: Plan) -> Choice:
        seen.append(folds)
        return Choice(rounds, dict.fromkeys((*loop.ARMS, "augment"), 10), ((0.1, 0.01),))

    monkeypatch.setattr(augment, "choose", choose)
    monkeypatch.setattr(loop, "Plan", partial(Plan, folds=3))
    return seen


def test_forced_rows_are_added_marked_and_in_the_tables_types(table: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(monkeypatch, 0)
    with pytest.warns(TabadWarning) as warned:
        made = tabad.augment(table, label="fraud", rare="1", force=True, ignore=["note"])
    assert [str(one.message) for one in warned] == [
        f"no gain from generated rows of `1`: {made.num_rows - ROWS:,} rows were added all the same",
        "3 rows without a label are written and not learned from",
    ]
    assert made.schema == table.schema.append(pa.field("tabad_synthetic", pa.bool_()))
    assert made.slice(0, ROWS).drop(["tabad_synthetic"]).to_pylist() == table.to_pylist()
    assert made["tabad_synthetic"].to_pylist() == [row >= ROWS for row in range(made.num_rows)]
    added = made.slice(ROWS)
    assert 0 < added.num_rows <= 2 * 80
    assert set(added["fraud"].to_pylist()) == {"1"}
    assert added["note"].null_count == added.num_rows
    assert added["row"].to_pylist() == list(range(ROWS, made.num_rows))


def test_without_a_gain_the_table_is_as_it_was_and_no_network_judges(
    table: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(monkeypatch, 0)
    frame = table.slice(3).drop(["row"]).to_pandas()  # the rows with a label
    with pytest.warns(TabadWarning, match="no gain from generated rows of `1`: nothing was added"):
        outcome_frame = tabad.augment(frame, label="fraud", rare="1", prefix="x_")
    assert isinstance(outcome_frame, pd.DataFrame)
    assert not outcome_frame.pop("x_synthetic").any()
    pd.testing.assert_frame_equal(outcome_frame, frame)


def test_the_folds_that_judge_were_seen_by_no_search(table: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = chosen(monkeypatch, 1)
    outcome, _ = run_augment(table, label="fraud", rare="1")
    # Three parts, parted anew once: six outer folds, then the whole.
    assert [len(folds) for folds in seen] == [2] * 6 + [6]
    for place, folds in enumerate(seen[:6]):
        outer = place % 3
        assert {fold.part for fold in folds} == {0, 1, 2} - {outer}
        assert all(set(fold.trial.places) == {outer, fold.part} for fold in folds)
    covered = [sorted(np.concatenate([fold.trial.places[fold.part] for fold in seen[6][r : r + 3]])) for r in (0, 3)]
    assert covered == [list(range(ROWS - 3))] * 2
    assert outcome.fold_rounds == (1,) * 6
    assert set(outcome.precision) == set(outcome.balanced) == {"nothing", "class weights", "SMOTE-NC", "augment"}
    assert all(outcome.balanced[arm] >= outcome.precision[arm] for arm in outcome.precision)
    mean, low, high = outcome.uplift["SMOTE-NC"]
    assert low <= mean <= high
    assert mean == pytest.approx(outcome.precision["augment"] - outcome.precision["SMOTE-NC"])


@pytest.mark.parametrize(
    ("options", "name", "says"),
    [
        ({"label": "nope", "rare": "1"}, "column-unknown", "the pyarrow table has no column `nope`"),
        (
            {"label": "fraud", "rare": "7"},
            "rare-few",
            "0 rows of the pyarrow table have `fraud` = `7`",
        ),
        ({"label": "note", "rare": "x"}, "rare-only", "has hardly a row that is not `x`"),
    ],
)
def test_what_cannot_be_augmented_is_refused(table: pa.Table, options: dict[str, str], name: str, says: str) -> None:
    with pytest.raises((InputError, UsageError)) as refused:
        tabad.augment(table, **options)  # type: ignore[arg-type]
    assert refused.value.name == name
    assert says in str(refused.value)

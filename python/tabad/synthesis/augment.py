"""A table with generated rows of a rare class added, where they help a classifier; else as it was.

The loop (`loop`) decides on the whole table whether and how far to go. What that is worth is measured apart: in each
outer fold the loop decides anew on the other folds, and the untouched fold compares the arms. Intervals are those of
the corrected resampled t-test (Nadeau and Bengio 2003, section 3): folds share training rows, and plain ones are too
narrow.
Axes: B rows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tabad import _core, tables
from tabad._lazy import expect, need
from tabad.errors import InputError, UsageError
from tabad.tables.cells import as_type
from tabad.tables.views import without_views

from .learner import Labels, precisions
from .loop import ARMS, AUGMENT, Plan, Rare, Trials, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabad.tables import Table

__all__ = ["Outcome", "augmented"]

MOST_ROWS = 20_000
"""Rows that the loop works on; all rare ones are among them, up to half."""
LEAST_RARE = 20


@dataclass(frozen=True)
class Outcome:
    """The table to write, and what the comparison found."""

    rows: pa.Table
    added: int
    gain: bool
    """The loop found rounds that pay, and on the untouched folds it was above nothing on the balanced mean."""
    rare: int
    precision: dict[str, float]
    """Mean average precision of each arm on the untouched folds."""
    balanced: dict[str, float]
    """The same as if both classes were equally common, by which the loop decides, where the former does not lose."""
    uplift: dict[str, tuple[float, float, float]]
    """Of `augment` over each other arm: mean, and the ends of the 95 % interval."""
    rounds: int
    """Rounds that paid on the whole table."""
    fold_rounds: tuple[int, ...]
    notes: tuple[str, ...]
    seconds: float


def augmented(
    table: Table,
    plan: Plan,
    *,
    force: bool = False,
    prefix: str = "tabad_",
    progress: Callable[[str, int, int | None, str], None] | None = None,
) -> Outcome:
    """The outcome for a table. `force` adds rows even where nothing is gained.

    Raises `InputError` for a label or a rare value that is not there and for fewer than 20 rare rows, and
    `MissingDependency` without torch or scikit-learn.
    """
    expect("torch", extra="train", purpose="generate rows")
    began = time.monotonic()
    own = table.reread(lambda: without_views(table.open()).read_all()).unify_dictionaries().combine_chunks()
    tables.check_taken(own.schema, [f"{prefix}synthetic"])
    told_B, rare_B = _labels(own, plan, table.name)
    work, notes = _work(told_B, rare_B, plan.seed)
    rows = own.take(pa.array(work))
    trials = Trials(plan, rows, rare_B[work], plan.seed)
    judged, fold_rounds = _judged(trials, progress)
    uplift = {arm: interval(judged.own[AUGMENT] - judged.own[arm], plan.folds) for arm in ARMS}
    choice = choose(trials.outer(), plan)
    balanced_gain = float(np.mean(judged.balanced[AUGMENT] - judged.balanced["nothing"]))
    gain = choice.rounds > 0 and balanced_gain > 0
    made: list[pa.Table] = []
    ids: list[str] = []
    if gain or force:
        final = Rare(plan, rows, rare_B[work], plan.seed)
        final.go_to(max(choice.rounds, 1))
        made = final.kept
        ids = [column["name"] for column in final.model.manifest["columns"] if column["kind"] == "id"]
    result = _joined(own, made, ids, plan, rare_B, f"{prefix}synthetic")
    return Outcome(
        result,
        result.num_rows - own.num_rows,
        gain,
        int(rare_B.sum()),
        {arm: float(np.mean(values)) for arm, values in judged.own.items()},
        {arm: float(np.mean(values)) for arm, values in judged.balanced.items()},
        uplift,
        choice.rounds,
        fold_rounds,
        tuple(notes),
        time.monotonic() - began,
    )


def _labels(rows: pa.Table, plan: Plan, name: str) -> tuple[Labels, Labels]:
    """Which rows have a label, and which are rare."""
    if plan.label not in rows.schema.names:
        raise UsageError(
            f"{name} has no column `{plan.label}`",
            name="column-unknown",
            hint=f"its columns are {', '.join(f'`{column}`' for column in rows.schema.names[:10])}",
        )
    label = _core.label_texts(rows.select([plan.label]))
    rare = pc.fill_null(pc.equal(label, plan.rare), False).to_numpy(zero_copy_only=False)
    if rare.sum() < LEAST_RARE:
        values = sorted({str(value) for value in label.slice(0, 10_000).unique().to_pylist() if value is not None})
        raise InputError(
            f"{int(rare.sum()):,} rows of {name} have `{plan.label}` = `{plan.rare}`, and {LEAST_RARE} are needed",
            name="rare-few",
            hint=f"values of the column are {', '.join(f'`{value}`' for value in values[:10])}",
        )
    told = label.is_valid().to_numpy(zero_copy_only=False)
    if (told & ~rare).sum() < LEAST_RARE:
        raise InputError(
            f"{name} has hardly a row that is not `{plan.rare}`: there is nothing to tell it from",
            name="rare-only",
        )
    return told, rare


def _work(told_B: Labels, rare_B: Labels, seed: int) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The rows that the loop works on, in their order."""
    notes = [] if told_B.all() else [f"{int((~told_B).sum()):,} rows without a label are written and not learned from"]
    rare, others = np.flatnonzero(rare_B), np.flatnonzero(told_B & ~rare_B)
    if len(rare) + len(others) > MOST_ROWS:
        draw = np.random.default_rng(seed)
        rare = draw.permutation(rare)[: MOST_ROWS // 2]
        others = draw.permutation(others)[: MOST_ROWS - len(rare)]
        notes.append(f"the loop worked on {MOST_ROWS:,} rows, {len(rare):,} of them rare")
    return np.sort(np.r_[rare, others]), notes


@dataclass(frozen=True)
class _Judged:
    """Of each arm, its average precision on every outer fold: at the table's own shares, and balanced."""

    own: dict[str, npt.NDArray[np.float64]]
    balanced: dict[str, npt.NDArray[np.float64]]


def _judged(
    trials: Trials, progress: Callable[[str, int, int | None, str], None] | None
) -> tuple[_Judged, tuple[int, ...]]:
    """Every outer fold by arms that were chosen on the others, and the rounds that the loop went there."""
    plan = trials.plan
    total = plan.repeats * plan.folds
    own, balanced = ({arm: np.empty(total) for arm in (*ARMS, AUGMENT)} for _ in range(2))
    rounds = []
    for place in range(total):
        if progress is not None:
            progress("folds", place, total, "")
        repeat, part = divmod(place, plan.folds)
        choice = choose(trials.inner(repeat, part), plan)
        rounds.append(choice.rounds)
        for arm in own:
            went = choice.rounds if arm == AUGMENT else 0
            y_B, probability_B = trials.without(repeat, part).answer(part, arm, choice.leaves[arm], went)
            own[arm][place] = precisions(y_B, probability_B).mean()
            balanced[arm][place] = precisions(y_B, probability_B, balanced=True).mean()
        trials.forget(repeat, part)
    if progress is not None:
        progress("folds", total, total, "")
    return _Judged(own, balanced), tuple(rounds)


def interval(gain_K: npt.NDArray[np.float64], parts: int) -> tuple[float, float, float]:
    """Mean and 95 % interval of paired gains over folds, each of them one of so many parts; the variance is
    `s^2 (1/K + held / train)`."""
    stats = need("scipy.stats", extra="sklearn", purpose="give intervals")
    folds = len(gain_K)
    error = float(gain_K.std(ddof=1) * np.sqrt(1 / folds + 1 / (parts - 1)))
    reach = float(stats.t.ppf(0.975, folds - 1)) * error
    mean = float(gain_K.mean())
    return mean, mean - reach, mean + reach


def _joined(own: pa.Table, made: list[pa.Table], ids: list[str], plan: Plan, rare_B: Labels, mark: str) -> pa.Table:
    """The table's own rows, then the added ones in the table's types: ids go on, columns left out are null."""
    added = pa.concat_tables(made, promote_options="default").unify_dictionaries() if made else None
    count = 0 if added is None else added.num_rows
    columns: list[Any] = []
    for field in own.schema:
        chunks = list(own.column(field.name).chunks)
        if count and added is not None:
            if field.name == plan.label:
                first = own.column(field.name).take(pa.array([int(np.flatnonzero(rare_B)[0])]))
                more = first.take(pa.array(np.zeros(count, np.int64)))
            elif field.name in ids:
                more = _fresh(own.column(field.name), count)
            elif field.name in added.schema.names:
                more = as_type(added.column(field.name), own.column(field.name))
            else:
                more = pa.chunked_array([pa.nulls(count, field.type)])
            chunks += more.chunks
        columns.append(pa.chunked_array(chunks, type=field.type))
    columns.append(pa.chunked_array([pa.array(np.arange(own.num_rows + count) >= own.num_rows)]))
    schema = own.schema.append(pa.field(mark, pa.bool_()))
    return pa.table(columns, schema=schema).unify_dictionaries()


def _fresh(own: pa.ChunkedArray, count: int) -> pa.ChunkedArray:
    """Ids that the table does not have yet."""
    if pa.types.is_integer(own.type):
        last = pc.max(own).as_py() or 0
        try:
            return pa.chunked_array([pa.array(range(last + 1, last + 1 + count), own.type)])
        except (pa.ArrowInvalid, OverflowError):  # no number is left in a narrow type
            return pa.chunked_array([pa.nulls(count, own.type)])
    numbers = range(len(own) + 1, len(own) + 1 + count)
    return as_type(pa.chunked_array([pa.array([f"synthetic-{number}" for number in numbers])]), own)

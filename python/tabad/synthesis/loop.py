"""The loop: generate rare rows, judge them, keep the good ones, refit the classifier, again - while it pays.

Within one part of a table. Folds of it each get a network of their own, fitted on their training rows alone, so that
what is validated was seen by no step; a round counts when the mean gain over the rare rows exceeds its standard error
(Breiman et al. 1984, the one-standard-error rule), precision taken as if both classes were equally common, unless at
the table's own shares it loses more than the error there. The reinforcing cycle is the one of arXiv 2506.09368,
section 6.
Axes: B rows, F features, R rare rows, L leaf sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tabad import tables
from tabad.config import FitOptions, Quality
from tabad.fitting import fit_table

from .features import Features
from .keep import Judged, keep
from .learner import LEAVES, Labels, fitted, precisions, probability
from .parts import Places, parts_of
from .smote import smote_nc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabad.model import Model

    from .features import Floats

__all__ = ["ARMS", "AUGMENT", "Choice", "Fold", "Plan", "Rare", "Trial", "Trials", "choose", "leaf_of"]

ARMS = ("nothing", "class weights", "SMOTE-NC")
"""What the loop must beat."""
AUGMENT = "augment"
_GUIDANCE = (2.0, 1.5, 3.0)
"""Of the rounds: leaning on the class first (it measured best at 20 and 50 rare rows), then less, then more."""
_POOL = 2
"""Rows generated for each one wanted."""
_JUDGE_LEAF = 10
"""Of the classifier that says what is news: of the middle size, so that all who look at a round see the same rows."""

Precisions = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """How much work the loop does, and how it fits."""

    label: str
    rare: str
    kinds: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    folds: int = 5
    repeats: int = 2
    """How often the rows are parted anew."""
    rounds: int = 3
    most: int = 1_000
    """Rows added a round: a twentieth of the other rows, at least twice the rare ones, at most this."""
    seed: int = 0
    device: Any = "auto"

    def added(self, y_B: Labels) -> int:
        """Rows that a round adds."""
        return int(min(max(round(0.05 * (~y_B).sum()), 2 * y_B.sum()), self.most))


@dataclass(frozen=True)
class Choice:
    """What the loop decided: rounds that paid (0: none), leaf size per arm; per round its gain and the gain's error."""

    rounds: int
    leaves: dict[str, int]
    gains: tuple[tuple[float, float], ...]
    own_gains: tuple[tuple[float, float], ...] = ()
    """The same at the table's own shares."""


class Rare:
    """A network fitted to some rows, and the rows kept from it so far. Without `network`: what its arms need alone."""

    def __init__(self, plan: Plan, rows: pa.Table, y_B: Labels, seed: int, *, network: bool = True) -> None:
        self.plan, self.y_B, self.seed = plan, y_B, seed
        quality: Quality = "default" if network else "fast"
        options = FitOptions(
            kinds=plan.kinds,
            ignore=plan.ignore,
            label=plan.label,
            quality=quality,
            memory=512,
            seed=seed,
            device=plan.device,
            # Nothing is held out for p-values, which are not used: each of 20 rare rows is needed.
            all_rows=True,
        )
        self.model: Model = fit_table(tables.open_table(rows), options, preset="brief").model
        self.features = Features.of(self.model.core)
        self.x_BF = self.features(rows)
        self.score_B = self._scores(rows) if network else np.zeros(len(y_B))
        self.kept: list[pa.Table] = []
        """Rows of each round."""
        self._added: list[Floats] = []
        self.extra: dict[str, Floats] = {}
        """Features of the rows that any other arm adds."""

    def _scores(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        scored = pa.table(self.model.core.score(rows, append=False, explain="none", prefix="", oddest=0))
        scores: npt.NDArray[np.float64] = scored["score"].to_numpy()
        return scores

    def training(self, arm: str, rounds: int = 0) -> tuple[Floats, Labels]:
        """The rows that an arm trains on."""
        if arm == "SMOTE-NC":
            more = int((~self.y_B).sum() - self.y_B.sum())
            return self.with_rows(smote_nc(self.x_BF[self.y_B], self.features.categorical, more, self.seed))
        if arm == AUGMENT and rounds:
            self.go_to(rounds)
            return self.with_rows(np.concatenate(self._added[:rounds]))
        return self.with_rows(self.extra[arm]) if arm in self.extra else (self.x_BF, self.y_B)

    def with_rows(self, rare_BF: Floats) -> tuple[Floats, Labels]:
        """The training rows and more rare ones."""
        return np.concatenate([self.x_BF, rare_BF]), np.r_[self.y_B, np.ones(len(rare_BF), bool)]

    def learner(self, arm: str, leaf: int, rounds: int = 0) -> Any:
        """The classifier of an arm."""
        x_BF, y_B = self.training(arm, rounds)
        return fitted(x_BF, y_B, self.features.categorical, leaf, weights=arm == "class weights", seed=self.seed)

    def generate(self, turn: int, count: int) -> pa.Table:
        """Rows of the rare class."""
        seed = self.seed * 1_000 + turn
        guidance = _GUIDANCE[turn % len(_GUIDANCE)]
        rows: pa.Table = self.model.generate(
            count, label=self.plan.rare, guidance=guidance, seed=seed, device=self.plan.device
        )
        return rows

    def go_to(self, rounds: int) -> None:
        """Go on until there are so many rounds: generate, judge by detector and classifier, keep."""
        while len(self.kept) < rounds:
            turn = len(self.kept)
            wanted = self.plan.added(self.y_B)
            made = self.generate(turn, _POOL * wanted)
            learner = self.learner(AUGMENT, _JUDGE_LEAF, turn)
            x_BF = self.features(made)
            candidates = Judged(x_BF, self._scores(made), probability(learner, x_BF))
            rare, others = (self._judged(learner, y_B) for y_B in (self.y_B, ~self.y_B))
            chosen = keep(candidates, rare, others, self.features, wanted, self.seed + turn)
            self.kept.append(made.take(pa.array(chosen)))
            self._added.append(x_BF[chosen])

    def _judged(self, learner: Any, which_B: Labels) -> Judged:
        x_BF = self.x_BF[which_B]
        return Judged(x_BF, self.score_B[which_B], probability(learner, x_BF))


class Trial:
    """A network of the rows outside some parts, and what its classifiers say of the rows inside."""

    def __init__(self, plan: Plan, rows: pa.Table, y_B: Labels, part_B: Places, without: tuple[int, ...], seed: int):
        inside_B = np.isin(part_B, without)
        self.rare = Rare(plan, rows.take(pa.array(np.flatnonzero(~inside_B))), y_B[~inside_B], seed)
        self.places = {part: np.flatnonzero(part_B == part) for part in without}
        self._y_B = y_B
        self._x_BF = {part: self.rare.features(rows.take(pa.array(at))) for part, at in self.places.items()}
        self._answers: dict[tuple[str, int, int], dict[int, npt.NDArray[np.float64]]] = {}

    def answer(self, part: int, arm: str, leaf: int, rounds: int = 0) -> tuple[Labels, npt.NDArray[np.float64]]:
        """Which rows of a part are rare, and how probable an arm finds it."""
        key = (arm, leaf, rounds)
        if key not in self._answers:
            learner = self.rare.learner(arm, leaf, rounds)
            self._answers[key] = {held: probability(learner, x_BF) for held, x_BF in self._x_BF.items()}
        return self._y_B[self.places[part]], self._answers[key][part]


@dataclass(frozen=True)
class Fold:
    """One part that judges a trial."""

    trial: Trial
    part: int

    def precisions(self, arm: str, leaf: int, rounds: int = 0, *, balanced: bool) -> tuple[Places, Precisions]:
        """Places of the part's rare rows in the table, and the precision at each of them."""
        y_B, probability_B = self.trial.answer(self.part, arm, leaf, rounds)
        return self.trial.places[self.part][y_B], precisions(y_B, probability_B, balanced=balanced)


class Trials:
    """All trials on some rows. Each is fitted once: one without parts a and b judges b for a, and a for b."""

    def __init__(self, plan: Plan, rows: pa.Table, y_B: Labels, seed: int) -> None:
        self.plan, self.rows, self.y_B, self.seed = plan, rows, y_B, seed
        self.parts = [parts_of(y_B, plan.folds, seed + repeat) for repeat in range(plan.repeats)]
        self._known: dict[tuple[int, ...], Trial] = {}
        self._fitted = 0

    def without(self, repeat: int, *parts: int) -> Trial:
        """The trial of the rows outside these parts."""
        key = (repeat, *sorted(parts))
        if key not in self._known:
            self._fitted += 1
            seed = self.seed * 1_000 + self._fitted
            self._known[key] = Trial(self.plan, self.rows, self.y_B, self.parts[repeat], key[1:], seed)
        return self._known[key]

    def forget(self, repeat: int, part: int) -> None:
        """Let go of the trials that no later outer part asks for."""
        for key in [key for key in self._known if key[0] == repeat and len(key) == 3 and key[2] <= part]:
            del self._known[key]

    def outer(self) -> list[Fold]:
        """Every part of every repeat, judging a trial that lacks it alone."""
        plan = self.plan
        return [Fold(self.without(r, part), part) for r in range(plan.repeats) for part in range(plan.folds)]

    def inner(self, repeat: int, outer: int) -> list[Fold]:
        """The other parts, each judging a trial that has seen neither it nor the outer part."""
        others = [part for part in range(self.plan.folds) if part != outer]
        return [Fold(self.without(repeat, outer, part), part) for part in others]


def choose(folds: Sequence[Fold], plan: Plan) -> Choice:
    """How many rounds pay, and the leaf size that suits each arm."""
    tuned = {arm: leaf_of(folds, arm) for arm in ARMS}
    leaf, now_R = tuned["nothing"]
    own_R = _by_row(folds, "nothing", leaf, 0, balanced=False)
    rounds, gains, own_gains = 0, [], []
    for turn in range(1, plan.rounds + 1):
        new_leaf, new_R = leaf_of(folds, AUGMENT, turn)
        new_own_R = _by_row(folds, AUGMENT, new_leaf, turn, balanced=False)
        gains.append(_mean(new_R - now_R))
        own_gains.append(_mean(new_own_R - own_R))
        # Many rare rows tell of the first places too, which an even mix of the classes hardly looks at.
        if gains[-1][0] <= gains[-1][1] or own_gains[-1][0] < -own_gains[-1][1]:
            break
        now_R, own_R, leaf, rounds = new_R, new_own_R, new_leaf, turn
    leaves = {arm: best for arm, (best, _) in tuned.items()}
    return Choice(rounds, {**leaves, AUGMENT: leaf}, tuple(gains), tuple(own_gains))


def _mean(gain_R: Precisions) -> tuple[float, float]:
    """The mean, and its standard error."""
    return float(gain_R.mean()), float(gain_R.std(ddof=1) / np.sqrt(len(gain_R)))


def leaf_of(folds: Sequence[Fold], arm: str, rounds: int = 0) -> tuple[int, Precisions]:
    """The leaf size that suits an arm best, and its balanced precision at each rare row, repeats averaged."""
    precision_LR = np.array([_by_row(folds, arm, leaf, rounds, balanced=True) for leaf in LEAVES])
    best = int(precision_LR.mean(axis=1).argmax())
    return LEAVES[best], precision_LR[best]


def _by_row(folds: Sequence[Fold], arm: str, leaf: int, rounds: int, *, balanced: bool) -> Precisions:
    found = [fold.precisions(arm, leaf, rounds, balanced=balanced) for fold in folds]
    places, values = (np.concatenate([pair[which] for pair in found]) for which in (0, 1))
    _, row = np.unique(places, return_inverse=True)
    mean_R: Precisions = np.bincount(row, values) / np.bincount(row)
    return mean_R

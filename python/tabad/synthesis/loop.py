"""The loop: generate rare rows, judge them, keep the good ones, refit the classifier, again - while it pays.

Within one part of a table. Folds of it each get a network of their own, fitted on their training rows alone, so that
what is validated was seen by no step; a round counts when the mean gain over the folds exceeds its standard error
(Breiman et al. 1984, the one-standard-error rule). The reinforcing cycle is the one of arXiv 2506.09368, section 6.
Axes: B rows, F features, K folds, L leaf sizes.
"""

# ruff: noqa: N815  (arrays carry their axes in their names)
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
from .learner import LEAVES, Labels, average_precision, fitted, probability
from .smote import smote_nc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tabad.model import Model

    from .features import Floats

__all__ = ["ARMS", "Choice", "Fold", "Plan", "Rare", "choose", "folds_of", "leaf_of", "search", "splits"]

ARMS = ("nothing", "class weights", "SMOTE-NC")
"""What the loop must beat."""
_GUIDANCE = (1.5, 1.0, 2.0)
"""Of the rounds: leaning on the class first (it measured best at 20 positives), then as trained, then more."""
_POOL = 2
"""Rows generated for each one wanted."""


@dataclass(frozen=True)
class Plan:
    """How much work the loop does, and how it fits."""

    label: str
    rare: str
    kinds: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    folds: int = 3
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
        )
        # Nothing is held out for p-values, which are not used: each of 20 rare rows is needed.
        self.model: Model = fit_table(tables.open_table(rows), options, screen=True, preset="brief").model
        self.features = Features.of(self.model.core)
        self.x_BF = self.features(rows)
        self.score_B = self._scores(rows) if network else np.zeros(len(y_B))
        self.kept: list[pa.Table] = []
        self.extra: dict[str, list[Floats]] = {"augment": []}
        """Features of the rows that an arm adds."""

    def _scores(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        scored = pa.table(self.model.core.score(rows, append=False, explain="none", prefix="", oddest=0))
        scores: npt.NDArray[np.float64] = scored["score"].to_numpy()
        return scores

    def training(self, arm: str) -> tuple[Floats, Labels]:
        """The rows that an arm trains on."""
        if arm == "SMOTE-NC":
            extra = smote_nc(
                self.x_BF[self.y_B], self.features.categorical, int((~self.y_B).sum() - self.y_B.sum()), self.seed
            )
        elif self.extra.get(arm):
            extra = np.concatenate(self.extra[arm])
        else:
            return self.x_BF, self.y_B
        return np.concatenate([self.x_BF, extra]), np.r_[self.y_B, np.ones(len(extra), bool)]

    def learner(self, arm: str, leaf: int) -> Any:
        """The classifier of an arm."""
        x_BF, y_B = self.training(arm)
        return fitted(x_BF, y_B, self.features.categorical, leaf, weights=arm == "class weights", seed=self.seed)

    def generate(self, turn: int, count: int) -> pa.Table:
        """Rows of the rare class."""
        seed = self.seed * 1_000 + turn
        guidance = _GUIDANCE[turn % len(_GUIDANCE)]
        rows: pa.Table = self.model.generate(
            count, label=self.plan.rare, guidance=guidance, seed=seed, device=self.plan.device
        )
        return rows

    def add(self, turn: int, leaf: int) -> None:
        """One round: generate, judge by detector and classifier, keep."""
        wanted = self.plan.added(self.y_B)
        made = self.generate(turn, _POOL * wanted)
        learner = self.learner("augment", leaf)
        x_BF = self.features(made)
        candidates = Judged(x_BF, self._scores(made), probability(learner, x_BF))
        rare, others = (self._judged(learner, y_B) for y_B in (self.y_B, ~self.y_B))
        chosen = keep(candidates, rare, others, self.features, wanted, self.seed + turn)
        self.kept.append(made.take(pa.array(chosen)))
        self.extra["augment"].append(x_BF[chosen])

    def _judged(self, learner: Any, which_B: Labels) -> Judged:
        x_BF = self.x_BF[which_B]
        return Judged(x_BF, self.score_B[which_B], probability(learner, x_BF))


@dataclass(frozen=True)
class Fold:
    """A network of some rows, and rows that it has not seen."""

    rare: Rare
    held: pa.Table
    y_B: Labels

    def precision(self, arm: str, leaf: int) -> float:
        """Average precision of an arm on the held rows."""
        return average_precision(self.y_B, probability(self.rare.learner(arm, leaf), self.rare.features(self.held)))


def folds_of(rows: pa.Table, y_B: Labels, plan: Plan, seed: int) -> list[Fold]:
    """The folds of the loop's own cross-validation."""
    return [
        Fold(
            Rare(plan, rows.take(pa.array(train)), y_B[train], seed * 100 + place),
            rows.take(pa.array(held)),
            y_B[held],
        )
        for place, (train, held) in enumerate(splits(y_B, plan.folds, seed))
    ]


def search(rows: pa.Table, y_B: Labels, plan: Plan, seed: int) -> Choice:
    """How many rounds pay on these rows, and the leaf size that suits each arm, by cross-validation."""
    return choose(folds_of(rows, y_B, plan, seed), plan)


def choose(folds: list[Fold], plan: Plan) -> Choice:
    """The same on folds that are there."""
    tuned = {arm: leaf_of(folds, arm) for arm in ARMS}
    leaf, now_K = tuned["nothing"]
    rounds, gains = 0, []
    for turn in range(plan.rounds):
        for fold in folds:
            fold.rare.add(turn, leaf)
        new_leaf, new_K = leaf_of(folds, "augment")
        gain_K = new_K - now_K
        error = float(gain_K.std(ddof=1) / np.sqrt(len(gain_K)))
        gains.append((float(gain_K.mean()), error))
        if gain_K.mean() <= error:
            break
        now_K, leaf, rounds = new_K, new_leaf, turn + 1
    leaves = {arm: best for arm, (best, _) in tuned.items()}
    return Choice(rounds, {**leaves, "augment": leaf}, tuple(gains))


def leaf_of(folds: list[Fold], arm: str) -> tuple[int, npt.NDArray[np.float64]]:
    """The leaf size that suits an arm best, and its average precision in each fold."""
    precision_KL = np.array([[fold.precision(arm, leaf) for leaf in LEAVES] for fold in folds])
    best = int(precision_KL.mean(axis=0).argmax())
    return LEAVES[best], precision_KL[:, best]


def splits(y_B: Labels, folds: int, seed: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """`(train, held)` places of stratified folds."""
    draw = np.random.default_rng(seed)
    fold_B = np.empty(len(y_B), np.int64)
    for value in (True, False):
        places = draw.permutation(np.flatnonzero(y_B == value))
        fold_B[places] = np.arange(len(places)) % folds
    for fold in range(folds):
        yield np.flatnonzero(fold_B != fold), np.flatnonzero(fold_B == fold)

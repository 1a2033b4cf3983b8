"""How far a generated table is from a real one: columns, pairs, rows, and the space that they cover.

All of it on the encoding that a fast fit of the real table gives; both tables are sampled down where they are large.
Next to the generated table stand two disjoint halves of the real one: what chance alone makes of every figure.
- shape of a column: 1 - Kolmogorov-Smirnov distance (numbers, datetimes; an absent value lies below all others) or
  1 - total variation distance (categories).
- trend of a pair: 1 - |difference of Spearman correlations| / 2 for two numbers, else 1 - total variation distance of
  the two tables of counts, numbers cut at the real deciles. Both after the column shapes and pair trends of SDMetrics.
- C2ST: AUROC of a classifier, real or generated, cross-fitted (Lopez-Paz and Oquab 2017); 0.5: cannot be told apart.
- precision and recall of the manifold (Kynkaanniemi et al. 2019, eq. 2): share of generated rows within the distance
  of a real row to its fifth neighbour, and the other way round.
Axes: B rows, F features.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tabad.config import FitOptions
from tabad.errors import InputError, UsageError
from tabad.fitting import fit_table
from tabad.tables.cells import plain
from tabad.tables.views import without_views

from .features import Features, Floats, squared_distances
from .learner import fitted, probability
from .parts import Places, splits

if TYPE_CHECKING:
    from tabad.tables import Table

__all__ = ["Comparison", "Figures", "c2st", "compared", "manifold", "pair_trend", "shape"]

MOST_ROWS = 20_000
MOST_TOLD = 5_000
"""Rows of each table that the classifier sees."""
MOST_NEAR = 1_500
"""Rows of each table and class whose distances are computed."""
LEAST_ROWS = 20
_NEIGHBOURS, _FOLDS, _LEAF = 5, 5, 20


@dataclass(frozen=True)
class Figures:
    """One table beside the real one; everything but `c2st` is 1 for equal tables."""

    shapes: dict[str, float]
    trends: dict[tuple[str, str], float]
    c2st: float
    manifold: dict[str, tuple[float, float]]
    """Precision and recall by class; `all` without a label."""

    @property
    def shape(self) -> float:
        """Mean over the columns."""
        return float(np.mean(list(self.shapes.values())))

    @property
    def trend(self) -> float:
        """Mean over the pairs; 1 where there is none."""
        return float(np.mean(list(self.trends.values()))) if self.trends else 1.0


@dataclass(frozen=True)
class Comparison:
    """The generated table, and two halves of the real one, by the same figures."""

    generated: Figures
    halves: Figures
    rows: tuple[int, int]


def compared(
    real: Table, generated: Table, *, label: str | None, kinds: dict[str, str], ignore: tuple[str, ...], seed: int
) -> Comparison:
    """The comparison. `label` parts the rows for the manifold and is compared as a column.

    Raises `InputError` where the generated table lacks columns of the real one, or one has fewer than 20 rows.
    """
    options = FitOptions(kinds=kinds, ignore=ignore, quality="fast", memory=64, seed=seed, all_rows=True)
    fit = fit_table(real, options)
    core = fit.model.core
    names = [c["name"] for c in json.loads(core.manifest())["columns"] if c["features"]]
    sides = []
    for table in (real, generated):
        rows = _read(table, [*names, label] if label else names, core.schema())
        if rows.num_rows < LEAST_ROWS:
            raise InputError(
                f"{table.name} has {rows.num_rows:,} rows, and at least {LEAST_ROWS} are needed to compare it",
                name="compare-rows",
            )
        if label is not None and label not in rows.schema.names:
            raise UsageError(
                f"{table.name} has no column `{label}`",
                name="column-unknown",
                hint=f"its columns are {', '.join(f'`{column}`' for column in table.open().schema.names[:10])}",
            )
        lacking = [name for name in names if name not in rows.schema.names]
        if lacking:
            raise InputError(
                f"{table.name} has no column {', '.join(f'`{name}`' for name in lacking[:10])}, which {real.name} has",
                name="column-missing",
                hint=f"compare without: {' '.join(f'--ignore {shlex.quote(name)}' for name in lacking[:10])}",
            )
        sides.append(_sampled(rows, MOST_ROWS, seed))
    space = _Space(core)
    halves = np.random.default_rng(seed).permutation(sides[0].num_rows)
    one, other = (sides[0].take(pa.array(part)) for part in np.array_split(halves, 2))
    return Comparison(
        space.figures(sides[0], sides[1], label, seed),
        space.figures(one, other, label, seed),
        (sides[0].num_rows, sides[1].num_rows),
    )


def _read(table: Table, names: list[str], types: pa.Schema) -> pa.Table:
    def action() -> pa.Table:
        rows = without_views(table.open(types=types)).read_all()
        return rows.select([name for name in rows.schema.names if name in names]).unify_dictionaries()

    rows: pa.Table = table.reread(action)
    return rows


def _sampled(rows: pa.Table, most: int, seed: int) -> pa.Table:
    if rows.num_rows <= most:
        return rows
    return rows.take(pa.array(np.sort(np.random.default_rng(seed).permutation(rows.num_rows)[:most])))


class _Space:
    """The features of the real table, and which column each is of."""

    def __init__(self, core: Any) -> None:
        self.features = Features.of(core)
        owner: dict[int, str] = {}
        for column in json.loads(core.manifest())["columns"]:
            for feature in column["features"]:
                if "number" in feature:
                    owner[feature["number"]] = column["name"]
                elif feature["category"] in self.features.codes:
                    owner[self.features.numbers + self.features.codes.index(feature["category"])] = column["name"]
        self.owner = [owner[place] for place in range(len(owner))]
        self.first = {name: self.owner.index(name) for name in dict.fromkeys(owner.values())}
        """The first feature of each column, in the order of the table."""

    def figures(self, real: pa.Table, other: pa.Table, label: str | None, seed: int) -> Figures:
        a_BF, b_BF = self.features(real), self.features(other)
        categorical = self.features.categorical
        per_column: dict[str, list[float]] = {}
        for place, name in enumerate(self.owner):
            per_column.setdefault(name, []).append(shape(a_BF[:, place], b_BF[:, place], categorical[place]))
        trends = {
            (one, two): pair_trend(a_BF[:, [i, j]], b_BF[:, [i, j]], (categorical[i], categorical[j]))
            for (one, i), (two, j) in combinations(self.first.items(), 2)
        }
        return Figures(
            {name: float(np.mean(values)) for name, values in per_column.items()},
            trends,
            c2st(a_BF, b_BF, categorical, seed),
            self._manifolds((a_BF, real), (b_BF, other), label, seed),
        )

    def _manifolds(
        self, a: tuple[Floats, pa.Table], b: tuple[Floats, pa.Table], label: str | None, seed: int
    ) -> dict[str, tuple[float, float]]:
        if label is None:
            return {"all": manifold(a[0], b[0], self.features, seed)}
        words = [plain(rows.column(label)).cast(pa.string()).to_numpy() for _, rows in (a, b)]
        found = {}
        for value in sorted({str(word) for word in words[0] if word is not None}):
            x_BF, y_BF = a[0][words[0] == value], b[0][words[1] == value]
            if min(len(x_BF), len(y_BF)) > _NEIGHBOURS:
                found[value] = manifold(x_BF, y_BF, self.features, seed)
        return found


def shape(a_B: Floats, b_B: Floats, categorical: bool) -> float:
    """1 - total variation or 1 - Kolmogorov-Smirnov distance of two columns, 0 to 1."""
    if categorical:
        return _count_overlap(a_B, b_B)
    a_B, b_B = (np.sort(np.nan_to_num(x, nan=-np.inf)) for x in (a_B, b_B))
    at = np.concatenate([a_B, b_B])
    gap = np.searchsorted(a_B, at, "right") / len(a_B) - np.searchsorted(b_B, at, "right") / len(b_B)
    return float(1.0 - np.abs(gap).max())


def pair_trend(a_B2: Floats, b_B2: Floats, categorical: tuple[bool, bool]) -> float:
    """How alike a pair of columns hangs together in two tables, 0 to 1."""
    if not any(categorical):
        return 1.0 - abs(_spearman(a_B2) - _spearman(b_B2)) / 2.0
    codes = []
    for place in (0, 1):
        a_B, b_B = a_B2[:, place], b_B2[:, place]
        if not categorical[place]:
            there = a_B[~np.isnan(a_B)]
            edges = np.unique(np.quantile(there, np.linspace(0.1, 0.9, 9))) if len(there) else np.zeros(0)
            a_B, b_B = (np.where(np.isnan(x), -1, np.searchsorted(edges, x, "right")) for x in (a_B, b_B))
        codes.append((a_B, b_B))
    joint = [codes[0][side].astype(np.int64) * 100_000 + codes[1][side].astype(np.int64) for side in (0, 1)]
    return _count_overlap(joint[0], joint[1])


def _count_overlap(a_B: npt.NDArray[Any], b_B: npt.NDArray[Any]) -> float:
    """1 - total variation distance of two samples of codes: the sum of the smaller shares."""
    values, place = np.unique(np.concatenate([a_B, b_B]), return_inverse=True)
    a_V, b_V = (np.bincount(part, minlength=len(values)) for part in (place[: len(a_B)], place[len(a_B) :]))
    return float(np.minimum(a_V / len(a_B), b_V / len(b_B)).sum())


def _spearman(x_B2: Floats) -> float:
    """Rank correlation of the rows that have both; 0 where one of them does not vary."""
    x_B2 = x_B2[~np.isnan(x_B2).any(axis=1)]
    if len(x_B2) < 3 or (x_B2 == x_B2[:1]).all(axis=0).any():
        return 0.0
    ranks = []
    for x_B in x_B2.T:
        _, place, counts = np.unique(x_B, return_inverse=True, return_counts=True)
        ranks.append((counts.cumsum() - (counts - 1) / 2.0)[place])
    matrix: Floats = np.asarray(np.corrcoef(ranks))
    return float(matrix[0, 1])


def c2st(a_BF: Floats, b_BF: Floats, categorical: tuple[bool, ...], seed: int) -> float:
    """Cross-fitted AUROC of real against generated, mean over folds, not below 0.5 by more than chance.

    A real row and a generated one that are equal are held out together: the one that was left would tell the classifier
    that the other is of its kind, and copies of the real rows would end far below 0.5.
    """
    draw = np.random.default_rng(seed)
    rows = min(len(a_BF), len(b_BF), MOST_TOLD)
    x_BF = np.concatenate([side[draw.permutation(len(side))[:rows]] for side in (a_BF, b_BF)])
    y_B = np.arange(2 * rows) >= rows
    found = []
    unit_B, kind_U = _pairs(x_BF, y_B)
    for units in splits(kind_U, _FOLDS, seed):
        train, held = (np.isin(unit_B, places) for places in units)
        learner = fitted(x_BF[train], y_B[train], categorical, _LEAF, weights=False, seed=seed)
        found.append(_auroc(y_B[held], probability(learner, x_BF[held])))
    return float(np.mean(found))


def _pairs(x_BF: Floats, y_B: npt.NDArray[np.bool_]) -> tuple[Places, Places]:
    """Which unit each row [B] is of, and the kind of each unit [U]: a row of either side (0, 1) or one of both (2)."""
    rows_BF = np.ascontiguousarray(x_BF + np.float32(0.0))  # -0.0 is 0.0
    bytes_B = rows_BF.view(np.dtype((np.void, rows_BF.itemsize * rows_BF.shape[1]))).ravel()
    same_B = np.unique(bytes_B, return_inverse=True)[1].astype(np.intp)
    order_B = np.argsort(2 * same_B + y_B, kind="stable")
    sorted_B = (2 * same_B + y_B)[order_B]
    nth_B = np.empty_like(same_B)
    nth_B[order_B] = np.arange(len(y_B)) - np.searchsorted(sorted_B, sorted_B, "left")
    _, first_U, unit_B, count_U = np.unique(
        same_B * len(y_B) + nth_B, return_index=True, return_inverse=True, return_counts=True
    )
    appearance_U = np.argsort(first_U)
    place_U = np.empty_like(appearance_U)
    place_U[appearance_U] = np.arange(len(place_U))
    kind_U = np.where(count_U == 2, 2, y_B[first_U])
    return place_U[unit_B], kind_U[appearance_U]


def _auroc(y_B: npt.NDArray[np.bool_], score_B: npt.NDArray[np.float64]) -> float:
    """Mann-Whitney's U over the number of pairs; ties count half."""
    below = np.sort(score_B[~y_B])
    wins = np.searchsorted(below, score_B[y_B], "left") + np.searchsorted(below, score_B[y_B], "right")
    return float(wins.mean() / (2 * len(below)))


def manifold(a_BF: Floats, b_BF: Floats, features: Any, seed: int) -> tuple[float, float]:
    """(precision, recall) of `b_BF` against real `a_BF`, both 0 to 1, on equally many rows of each."""
    draw = np.random.default_rng(seed)
    rows = min(len(a_BF), len(b_BF), MOST_NEAR)
    a_BF, b_BF = (side[draw.permutation(len(side))[:rows]] for side in (a_BF, b_BF))
    between = squared_distances(a_BF, b_BF, features)
    radius_a, radius_b = (_radius(squared_distances(x, x, features)) for x in (a_BF, b_BF))
    return float((between <= radius_a[:, None]).any(axis=0).mean()), float((between <= radius_b).any(axis=1).mean())


def _radius(square: Floats) -> Floats:
    """Squared distance to the fifth neighbour, the row itself not counted."""
    np.fill_diagonal(square, np.inf)
    place = min(_NEIGHBOURS, len(square) - 1) - 1
    radius: Floats = np.partition(square, place, axis=1)[:, place]
    return radius

"""Singling out, after Giomi et al. 2023 (section 4.1): predicates learned from the synthetic table that fit exactly
one training row.

Univariate: a value (or null) that stands once in a synthetic column, at most the smallest, at least the largest.
Multivariate: several columns of one synthetic row, equal for categories, at most or at least for ordered ones (by the
side of the median it is on), kept if they fit that synthetic row alone. How often predicates single out a row depends
on the number of rows, so training and held-out rows are as many. Predicates overlap, so that successes are no
independent trials: the test redraws who is a member.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tabad.privacy.attacks import rates
from tabad.privacy.records import Records

if TYPE_CHECKING:
    from tabad.privacy.records import Space
    from tabad.privacy.result import Figure

__all__ = ["Term", "multivariate", "singled_out", "singling_out", "univariate"]

_PREDICATES = 1_000
_COLUMNS = 3
_REDRAWS = 2_000
_CROWD = 25
"""A predicate that fits more rows than this singles none out in a half of them: chance below 1e-6."""

EQUAL, AT_MOST, AT_LEAST = 0, 1, 2


@dataclass(frozen=True)
class Term:
    """`column = value`, `<=` or `>=`. The value is a code for EQUAL, else a number."""

    column: int
    relation: int
    value: float

    def fits(self, records: Records) -> Any:
        """Bool [B]."""
        if self.relation == EQUAL:
            return records.codes_BP[:, self.column] == self.value
        values = records.values_BP[:, self.column]
        return values <= self.value if self.relation == AT_MOST else values >= self.value


Predicate = tuple[Term, ...]


def univariate(space: Space, synthetic: Records, draw: np.random.Generator) -> list[Predicate]:
    """Predicates of one column, in random order."""
    found: list[Predicate] = []
    for place, column in enumerate(space.columns):
        codes, counts = np.unique(synthetic.codes_BP[:, place], return_counts=True)
        found += [(Term(place, EQUAL, code),) for code in codes[counts == 1].tolist()]
        values = synthetic.values_BP[:, place]
        if column.ordered and not np.isnan(values).all():
            found += [(Term(place, AT_MOST, np.nanmin(values)),), (Term(place, AT_LEAST, np.nanmax(values)),)]
    return [found[at] for at in draw.permutation(len(found))[:_PREDICATES]]


def multivariate(space: Space, synthetic: Records, draw: np.random.Generator) -> list[Predicate]:
    """Predicates of several columns that single out a synthetic row."""
    wide = min(_COLUMNS, len(space.columns))
    with np.errstate(invalid="ignore"):
        middles = [
            float(np.nanmedian(synthetic.values_BP[:, place]))
            if column.ordered and not np.isnan(synthetic.values_BP[:, place]).all()
            else np.nan
            for place, column in enumerate(space.columns)
        ]
    found: dict[Predicate, None] = {}
    for _ in range(3 * _PREDICATES):
        row = int(draw.integers(len(synthetic)))
        columns = np.sort(draw.choice(len(space.columns), wide, replace=False)).tolist()
        predicate = tuple(_term(space, synthetic, row, column, middles[column]) for column in columns)
        if predicate not in found and int(fits(predicate, synthetic).sum()) == 1:
            found[predicate] = None
            if len(found) == _PREDICATES:
                break
    return list(found)


def _term(space: Space, synthetic: Records, row: int, column: int, middle: float) -> Term:
    value = float(synthetic.values_BP[row, column])
    if space.columns[column].ordered and not np.isnan(value):
        return Term(column, AT_LEAST if value >= middle else AT_MOST, value)
    return Term(column, EQUAL, int(synthetic.codes_BP[row, column]))


def fits(predicate: Predicate, records: Records) -> Any:
    """Bool [B]: the rows that a predicate fits."""
    every = predicate[0].fits(records)
    for term in predicate[1:]:
        every = every & term.fits(records)
    return every


def singling_out(
    space: Space, synthetic: Records, train: Records, holdout: Records, draw: np.random.Generator, *, several: bool
) -> tuple[float, list[Figure]]:
    """P-value and figures; no figures where the synthetic table gives no predicate to try."""
    size = min(len(train), len(holdout))
    pool = Records.together(train.take(slice(size)), holdout.take(slice(size)))
    make = multivariate if several else univariate
    predicates = make(space, synthetic, draw)
    if not predicates:
        return 1.0, []
    fitted = [np.flatnonzero(fits(predicate, pool)) for predicate in predicates]
    guesses = [np.flatnonzero(fits(_guess(space, pool, several, draw), pool)) for _ in predicates]
    member = np.arange(2 * size) < size
    main, control = singled_out(fitted, member), singled_out(fitted, ~member)
    return _tail(fitted, member, draw), rates(main, control, singled_out(guesses, member))


def _guess(space: Space, pool: Records, several: bool, draw: np.random.Generator) -> Predicate:
    """A predicate of random columns, relations and values that occur somewhere (each column's from another row)."""
    wide = min(_COLUMNS, len(space.columns)) if several else 1
    terms = []
    for column in np.sort(draw.choice(len(space.columns), wide, replace=False)).tolist():
        row = int(draw.integers(len(pool)))
        value = float(pool.values_BP[row, column])
        if space.columns[column].ordered and not np.isnan(value):
            terms.append(Term(column, int(draw.integers(AT_MOST, AT_LEAST + 1)), value))
        else:
            terms.append(Term(column, EQUAL, int(pool.codes_BP[row, column])))
    return tuple(terms)


def singled_out(fitted: list[Any], inside: Any) -> Any:
    """Bool per predicate: it fits exactly one row that is `inside`. `fitted`: the rows that each fits."""
    return np.array([int(inside[rows].sum()) == 1 for rows in fitted])


def _tail(fitted: list[Any], member: Any, draw: np.random.Generator) -> float:
    """Share of redraws of the members in which they are singled out at least as much more often than the others."""
    few = [rows for rows in fitted if 1 <= len(rows) <= _CROWD]
    if not few:
        return 1.0
    rows, lengths = np.concatenate(few), np.array([len(part) for part in few])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])

    def excess(inside: Any) -> int:
        count = np.add.reduceat(inside[rows].astype(np.int64), starts)
        return int((count == 1).sum() - (lengths - count == 1).sum())

    seen = excess(member)
    if seen <= 0:
        return 1.0
    as_much = sum(excess(draw.permutation(member)) >= seen for _ in range(_REDRAWS))
    return (1 + as_much) / (1 + _REDRAWS)

"""Linkability and attribute inference, after "A Unified Framework for Quantifying Privacy Risk in Synthetic Data"
(Giomi et al. 2023, sections 4.2 and 4.3), written from the paper.

The attacker holds the synthetic table and part of a person's row. The main attack is on training rows, the control
attack is the same on held-out rows, the naive one guesses. What main finds beyond control is the leak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabad.privacy.result import Figure
from tabad.privacy.statistics import hypergeometric_tail, rank_tail, risk, wilson

if TYPE_CHECKING:
    from tabad.privacy.records import Records, Space

__all__ = ["inference", "linkability", "rates"]

_TOLERANCE = 0.05
"""A number is guessed when it is within so much of the true one, relatively; a time within so many deviations."""
_MOST_SECRETS = 20


def linkability(
    space: Space, synthetic: Records, train: Records, holdout: Records, draw: np.random.Generator
) -> tuple[float, list[Figure]]:
    """Two halves of a person's columns, held by two sources: does the synthetic table say that they belong together?

    Success: the synthetic row nearest in the one half is the one nearest in the other half. P-value and figures.
    """
    order = draw.permutation(len(space.columns)).tolist()
    half = len(order) // 2

    def linked(targets: Records) -> Any:
        left, right = (
            space.nearest(targets, synthetic, columns=part)[1][:, 0] for part in (order[:half], order[half:])
        )
        return left == right

    main, control = linked(train), linked(holdout)
    guesses = draw.integers(len(synthetic), size=(2, len(train)))
    tail = hypergeometric_tail(int(main.sum()), len(train), len(holdout), int(main.sum() + control.sum()))
    return tail, rates(main, control, guesses[0] == guesses[1])


def inference(
    space: Space, synthetic: Records, train: Records, holdout: Records, draw: np.random.Generator
) -> tuple[float, list[Figure]]:
    """All columns but one are known: does the synthetic row nearest in them give the last one away?

    Every column is the secret once (at most 20 columns, drawn). P-value over all of them; figures of the secret that is
    given away most, with the risk of every one.
    """
    secrets = sorted(draw.permutation(len(space.columns))[:_MOST_SECRETS].tolist())
    total_main, total_control = np.zeros(len(train)), np.zeros(len(holdout))
    tails, found = [], []
    for secret in secrets:
        known = [column for column in range(len(space.columns)) if column != secret]
        hits = []
        for targets in (train, holdout):
            _, nearest = space.nearest(targets, synthetic, columns=known)
            hits.append(guessed(space, synthetic.take(nearest[:, 0]), targets, secret))
        main, control = hits
        total_main += main
        total_control += control
        tails.append(hypergeometric_tail(int(main.sum()), len(train), len(holdout), int(main.sum() + control.sum())))
        naive = guessed(space, synthetic.take(draw.integers(len(synthetic), size=len(train))), train, secret)
        found.append((secret, rates(main, control, naive)))
    member = np.arange(len(train) + len(holdout)) < len(train)
    over_all = rank_tail(np.concatenate([total_main, total_control]), member)
    _, most = found[int(np.argmin(tails))]
    risks = [Figure(f"risk of `{space.columns[secret].name}`", *_interval(figures[0])) for secret, figures in found]
    return min(1.0, 2 * min(over_all, len(tails) * min(tails))), [*most, *risks]


def guessed(space: Space, guess: Records, truth: Records, secret: int) -> Any:
    """Bool [B]: the guess is the true value, or near enough where the column is ordered."""
    same = guess.codes_BP[:, secret] == truth.codes_BP[:, secret]
    column = space.columns[secret]
    if not column.ordered:
        return same
    a, b = guess.values_BP[:, secret], truth.values_BP[:, secret]
    allowed = _TOLERANCE * np.abs(b) if column.kind == "number" else _TOLERANCE
    with np.errstate(invalid="ignore", over="ignore"):
        return same | (np.abs(a - b) <= allowed)


def rates(main: Any, control: Any, naive: Any) -> list[Figure]:
    """Risk and success rates of the three attacks. Arguments: bool, success per attack."""
    hits, control_hits = int(main.sum()), int(control.sum())
    leak = risk(hits, len(main), control_hits, len(control))
    figures = [Figure("risk", leak.value, leak.low, leak.high)]
    for name, successes in (("main", main), ("control", control), ("naive", naive)):
        share = wilson(int(successes.sum()), len(successes))
        figures.append(Figure(f"success, {name}", share.value, share.low, share.high))
    return figures


def _interval(figure: Figure) -> tuple[float | None, float | None, float | None]:
    return figure.value, figure.low, figure.high

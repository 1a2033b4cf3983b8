"""Refusals of feedback and of updates: cases of `test_messages`."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

import tabad
from tabad import _core

LABELS: dict[str, Callable[[], object]] = {}
NUMBERS = pa.table({"a": [float(row) for row in range(30)], "b": ["xy"[row % 2] for row in range(30)]})


def case(function: Callable[[], object]) -> Callable[[], object]:
    LABELS[function.__name__] = function
    return function


def fit(table: pa.Table, **options: Any) -> _core.Model:
    fitting = _core.Fit(**{"memory": 32, **options})
    fitting.observe(table)
    fitting.prepare()
    return fitting.finish()


@case
def feedback_value() -> object:
    return fit(NUMBERS.append_column("f", pa.array(["maybe"] * len(NUMBERS))), feedback="f")


@case
def feedback_without_memory() -> object:
    return fit(NUMBERS.append_column("f", pa.array([True] * len(NUMBERS))), feedback="f", memory=0)


@case
def feedback_is_the_label() -> object:
    return fit(NUMBERS, feedback="b", label="b")


@case
def update_of_a_screen() -> object:
    screen = _core.Fit(memory=32, screen=True)
    screen.observe(NUMBERS)
    screen.prepare()
    return screen.finish().updated(NUMBERS)


@case
def update_too_small() -> object:
    return fit(NUMBERS).updated(NUMBERS)


@case
def update_with_a_label() -> object:
    return tabad.fit(NUMBERS, update=tabad.fit(NUMBERS, quality="fast"), label="b")


@case
def update_without_the_label() -> object:
    table = NUMBERS.append_column("ok", pa.array(["yes"] * len(NUMBERS)))
    return fit(table, label="ok", normal="yes").updated(NUMBERS)

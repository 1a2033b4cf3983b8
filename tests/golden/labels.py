"""Refusals of feedback and of updates: cases of `test_messages`."""

import pyarrow as pa
from tests.golden.cases import NUMBERS, Cases, fit

import tabad
from tabad import _core

LABELS = Cases()


@LABELS
def feedback_value() -> object:
    return fit(NUMBERS.append_column("f", pa.array(["maybe"] * len(NUMBERS))), feedback="f")


@LABELS
def feedback_without_memory() -> object:
    return fit(NUMBERS.append_column("f", pa.array([True] * len(NUMBERS))), feedback="f", memory=0)


@LABELS
def feedback_is_the_label() -> object:
    return fit(NUMBERS, feedback="b", label="b")


@LABELS
def update_of_a_screen() -> object:
    screen = _core.Fit(memory=32, screen=True)
    screen.observe(NUMBERS)
    screen.prepare()
    return screen.finish().updated(NUMBERS)


@LABELS
def update_too_small() -> object:
    return fit(NUMBERS).updated(NUMBERS)


@LABELS
def update_with_a_label() -> object:
    return tabad.fit(NUMBERS, update=tabad.fit(NUMBERS, quality="fast"), label="b")


@LABELS
def update_without_the_label() -> object:
    table = NUMBERS.append_column("ok", pa.array(["yes"] * len(NUMBERS)))
    return fit(table, label="ok", normal="yes").updated(NUMBERS)

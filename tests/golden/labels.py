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


@LABELS
def unit_is_the_label() -> object:
    return fit(NUMBERS, unit="b", label="b")


@LABELS
def unit_beside_all_rows() -> object:
    return tabad.fit(NUMBERS, quality="fast", unit="b", all_rows=True)


@LABELS
def unit_too_few() -> object:
    table = pa.table({"a": list(range(600)), "shop": [place % 40 for place in range(600)]})
    return fit(table, unit="shop")


@LABELS
def unit_of_a_small_table() -> object:
    return fit(NUMBERS, unit="b")


@LABELS
def unit_beside_private() -> object:
    return tabad.fit(NUMBERS, unit="b", private=1.0)


@LABELS
def unit_beside_an_update() -> object:
    return tabad.fit(NUMBERS, update=tabad.fit(NUMBERS, quality="fast"), unit="b")

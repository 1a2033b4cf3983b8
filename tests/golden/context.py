"""Refusals of context columns and mechanisms: cases of `test_messages`."""

import pyarrow as pa
from tests.golden.cases import NUMBERS, Cases, fit

CONTEXT = Cases()
NAMED = NUMBERS.append_column("id", pa.array([f"r{row}" for row in range(len(NUMBERS))]))


@CONTEXT
def given_an_id() -> object:
    return fit(NAMED, given=["id"])


@CONTEXT
def given_the_label() -> object:
    return fit(NUMBERS, given=["b"], label="b")


@CONTEXT
def given_everything() -> object:
    return fit(NUMBERS, given=["a", "b"])


@CONTEXT
def given_what_is_not_there() -> object:
    return fit(NUMBERS, given=["c"])


@CONTEXT
def mechanism_by_another_name() -> object:
    return fit(NUMBERS, mechanism="likelihood")


@CONTEXT
def a_gradient_of_categories() -> object:
    return fit(NUMBERS, mechanism="score-function", given=["a"])

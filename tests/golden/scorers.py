"""Refusals of a scorer that a model does not have: cases of `test_messages`."""

import pyarrow as pa
from tests.golden.cases import NUMBERS, Cases

import tabad

SCORERS = Cases()


@SCORERS
def student_of_few_rows() -> object:
    return tabad.fit(NUMBERS, quality="fast", memory=32).with_scorer("student")


@SCORERS
def student_of_a_fast_fit() -> object:
    rows = pa.concat_tables([NUMBERS] * 20)
    return tabad.fit(rows, quality="fast", memory=32).with_scorer("student")


@SCORERS
def student_of_the_screened_table() -> object:
    return tabad.score(NUMBERS, scorer="student")


@SCORERS
def scorer_unknown() -> object:
    return tabad.fit(NUMBERS, quality="fast", memory=32).with_scorer("pupil")  # type: ignore[arg-type]

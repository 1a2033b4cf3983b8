"""Refusals of audits and of checked generation: cases of `test_messages`."""

import pyarrow as pa
from tests.golden.cases import NUMBERS, Cases

import tabad

AUDITS = Cases()
OTHERS = pa.table({"a": [float(row) + 0.5 for row in range(30)], "b": ["xy"[row % 2] for row in range(30)]})
MADE = pa.table({"a": [float(row) + 0.25 for row in range(30)], "b": ["xy"[row % 2] for row in range(30)]})


@AUDITS
def audit_columns_differ() -> object:
    return tabad.audit(MADE.drop(["b"]), NUMBERS, OTHERS.append_column("c", OTHERS["a"]))


@AUDITS
def audit_types_differ() -> object:
    return tabad.audit(MADE.set_column(0, "a", pa.array(["one"] * 30)), NUMBERS, OTHERS)


@AUDITS
def audit_too_few_rows() -> object:
    return tabad.audit(MADE.slice(0, 19), NUMBERS, OTHERS)


@AUDITS
def audit_ignores_the_unknown() -> object:
    return tabad.audit(MADE, NUMBERS, OTHERS, ignore=["nope"])


@AUDITS
def audit_of_trained_holdout() -> object:
    return tabad.audit(MADE, NUMBERS, NUMBERS)


@AUDITS
def audit_label_unknown() -> object:
    return tabad.audit(MADE, NUMBERS, OTHERS, label="kind", class_value="x")


@AUDITS
def audit_class_absent() -> object:
    return tabad.audit(MADE, NUMBERS, OTHERS, label="b", class_value="z")


@AUDITS
def audit_class_without_label() -> object:
    return tabad.audit(MADE, NUMBERS, OTHERS, class_value="x")


@AUDITS
def audit_of_few_rows() -> object:
    return tabad.audit(MADE, NUMBERS, OTHERS, rows=5)


@AUDITS
def check_without_table() -> object:
    return tabad.generate(tabad.fit(NUMBERS, quality="fast", memory=32), 5, train=NUMBERS)

"""Refusals of constraints."""

import pyarrow as pa
from tests.golden.cases import NUMBERS, Cases, fit

import tabad
from tabad import _core
from tabad.config import FitOptions
from tabad.constraints import check_columns, check_types, parse
from tabad.fitting import fit_table
from tabad.tables import open_table

CONSTRAINTS = Cases()


@CONSTRAINTS
def constraint_without_an_operator() -> object:
    return parse(["zip city"])


@CONSTRAINTS
def constraint_on_another_table() -> object:
    return check_columns(parse(["orders.customer -> customers.id"]), ["customer", "day"], "the table")


@CONSTRAINTS
def constraint_of_a_text_without_order() -> object:
    return check_types(parse(["b <= a"]), NUMBERS.schema)


@CONSTRAINTS
def constraint_of_texts_that_are_added() -> object:
    return check_types(parse(["a = a2 + b"]), NUMBERS.schema.append(pa.field("a2", pa.int64())))


@CONSTRAINTS
def constraint_without_a_network() -> object:
    return fit_table(open_table(NUMBERS), FitOptions(quality="fast", constraints=("a -> b",)))


@CONSTRAINTS
def constraint_that_the_fit_did_not_learn() -> object:
    return tabad.Model(fit(NUMBERS)).constraints("b -> a")


@CONSTRAINTS
def constraints_that_are_none() -> object:
    observed = _core.Fit()
    observed.observe(NUMBERS)
    observed.prepare()
    return observed.set_constraints('[{"rule": "near", "columns": ["a", "b"], "given": true}]')

"""Refusals of a drift that cannot be weighed: cases of `test_messages`."""

import random

import numpy as np
import pyarrow as pa
from tests.drifting import fitted, shops
from tests.golden.cases import NUMBERS, Cases, fit

import tabad

DRIFTS = Cases()


@DRIFTS
def drift_of_the_screened_table() -> object:
    return tabad.score(NUMBERS, drift=True)


@DRIFTS
def drift_of_a_model_of_all_rows() -> object:
    return tabad.fit(NUMBERS, quality="fast", memory=32, all_rows=True).score(NUMBERS, drift=True)


@DRIFTS
def drift_of_few_rows() -> object:
    return tabad.fit(NUMBERS, quality="fast", memory=32).score(NUMBERS, drift=True)


@DRIFTS
def drift_within_groups() -> object:
    draw = random.Random(1)
    kinds = [draw.choice("xy") for _ in range(2500)]
    rows = pa.table({"kind": kinds, "a": [draw.gauss(0, 1) for _ in kinds]})
    return tabad.fit(rows, quality="fast", memory=32, given="kind").score(rows, drift=True)


@DRIFTS
def drift_where_scores_are_alike() -> object:
    rows = pa.table({"a": ["x"] * 600})
    return tabad.Model(fit(rows)).score(rows, drift=True)


@DRIFTS
def drift_of_other_strata() -> object:
    draw = np.random.default_rng(0)
    return fitted(draw, 1000, 0.3).score(shops(draw, 10, 0.3), strata=[7])

"""A vocabulary that is read from the table: a value of one row or unit alone passes with the probability paid for."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from tabad.private.bounds import Column
from tabad.private.discovery import _threshold, _vocabulary
from tabad.private.noise import LATTICE, Noise


@pytest.mark.parametrize("rows", [1, 3, 20])
@pytest.mark.parametrize("delta", [0.05, 1e-3, 1e-6, 1e-9])
def test_what_one_unit_alone_brings_passes_with_probability_delta_at_most(rows: int, delta: float) -> None:
    for sigma in np.geomspace(0.4, 60.0, 200):
        # The worst case: each of its values as often as all of its rows. Steps of noise that it then needs to pass,
        # and the bound of Canonne, Kamath and Steinke (2020, proposition 25) on how often there are so many.
        steps = math.floor((_threshold(rows, sigma, delta) - rows) * LATTICE) + 1
        passes = stats.norm.sf((steps - 1) / LATTICE, scale=sigma)
        assert rows * passes <= delta * (1.0 + 1e-9), sigma  # the normal quantile has some twelve digits
        assert rows * passes > 0.999 * delta, sigma


def test_a_value_of_one_row_passes_as_seldom_as_said_and_a_common_one_passes() -> None:
    column = Column("city", pa.string(), "category")
    values = pa.chunked_array([["Rome"] * 40 + ["Oslo"]])
    found = [_vocabulary(column, values, 2.0, Noise(seed), 0.05, 1).values for seed in range(600)]
    assert all("Rome" in values for values in found)
    # Of 600 draws with probability 0.05: 15 to 47 but for a chance of 0.002.
    assert 15 <= sum("Oslo" in values for values in found) <= 47

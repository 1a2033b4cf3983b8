"""Numbers: Rust = oracle, and decode undoes encode: exact where few digits or few values, close elsewhere."""

import decimal
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import codec as oracle
from tests.oracle.fitted import fit_column

CENTS = st.integers(-200_000, 200_000).map(lambda cents: cents / 100)
CELLS = st.none() | CENTS | st.sampled_from([math.nan, math.inf, -math.inf])
STRANGE = [0.0, -0.0, 1e308, -1e308, 5e-324, 2.0**53, None, math.nan, math.inf, -math.inf]


@settings(max_examples=40, deadline=None)
@given(st.lists(CELLS, min_size=20, max_size=80).filter(lambda cells: any(cell is not None for cell in cells)))
def test_scale_and_codes_are_the_oracles(cells: list[float | None]) -> None:
    column = fit_column(pa.array(cells, pa.float64(), from_pandas=False), "number")

    present = [cell for cell in cells if cell is not None]
    assert column.unit() == pytest.approx(oracle.fit_unit(present), rel=1e-12)
    finite = [oracle.logarithm(cell, column.unit()) for cell in present if math.isfinite(cell)]
    mean, std = oracle.fit_scale(finite)
    assert column.scale() == (pytest.approx(mean, rel=1e-12, abs=1e-9), pytest.approx(std, rel=1e-9))
    x, c = column.encode(pa.array([*cells, *STRANGE], pa.float64(), from_pandas=False))
    expected_x, expected_c = oracle.number([*cells, *STRANGE], column.scale(), column.unit())
    # The block is float32: one rounding, and one more of the logarithm's last bit.
    np.testing.assert_allclose(x[:, 0], expected_x, rtol=2.4e-7, atol=1e-12)
    assert c[:, 0].tolist() == expected_c


def test_a_skewed_amount_is_standardised_by_its_logarithm() -> None:
    amounts = [float(value) for value in np.exp(np.random.default_rng(0).normal(3, 1, 400)).round(2)]
    column = fit_column(pa.array(amounts), "number")

    assert column.unit() == pytest.approx(oracle.fit_unit(amounts), rel=1e-12)
    assert column.unit() > 0
    x, _ = column.encode(pa.array([*amounts, 1e6, -5.0, 0.0]))
    expected_x, _ = oracle.number([*amounts, 1e6, -5.0, 0.0], column.scale(), column.unit())
    np.testing.assert_allclose(x[:, 0], expected_x, rtol=2.4e-7, atol=1e-12)
    # x is float32: its last bit is 2e-7 of the value there, which is 1e-6 of an amount.
    back = column.round_trip(pa.array(amounts)).to_numpy()
    assert (np.abs(back - amounts) <= 0.005 + 2e-6 * np.array(amounts)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | CENTS, min_size=20, max_size=80).filter(lambda cells: any(c is not None for c in cells)))
def test_cents_come_back_exactly(cells: list[float | None]) -> None:
    # float32 keeps a position to 2e-7 of the spread: to a tenth of a cent below a spread of 5,000.
    array = pa.array(cells, pa.float64())
    exact = pa.array([None if c is None else decimal.Decimal(f"{c:.2f}") for c in cells], pa.decimal128(9, 2))

    assert fit_column(array, "number").round_trip(array).to_pylist() == cells
    assert fit_column(exact, "number").round_trip(exact).equals(exact)


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64()])
def test_integers_come_back_exactly_in_their_type(kind: pa.DataType) -> None:
    array = pa.array([*range(100), None, 100], kind)

    # A name of time keeps distinct integers from being an id.
    assert fit_column(array, "number", name="elapsed_seconds").round_trip(array).equals(array)


def test_few_values_come_back_exactly() -> None:
    array = pa.array([0.1, 1 / 3, math.pi, -7.123456789012345, None] * 8)

    assert fit_column(array, "number").round_trip(array).equals(array)


def test_statuses_come_back_and_what_is_outside_is_the_edge() -> None:
    column = fit_column(pa.array([float(value) for value in range(30)]), "number")

    back = column.round_trip(pa.array([math.nan, None, math.inf, -math.inf, 1e9, -1e9], from_pandas=False)).to_pylist()

    assert math.isnan(back[0])
    assert back[1:] == [None, math.inf, -math.inf, 29.0, 0.0]


def test_other_numbers_come_back_to_a_millionth_of_their_distance_from_the_mean() -> None:
    values = np.random.default_rng(0).standard_t(2, 400) * math.pi
    column = fit_column(pa.array(values), "number")

    back = column.round_trip(pa.array(values)).to_numpy()

    mean, std = column.scale()
    # Beyond 3 standard deviations a rounding of x, at most 2^-20 up to 16, is one of u by a third of it.
    assert (np.abs(back - values) <= 1e-6 * np.maximum(np.abs(values - mean), std)).all()


@pytest.mark.parametrize("cells", [[5.5] * 30, [5.5, None] * 15, [5.5] + [math.nan] * 29, [math.inf] * 30])
def test_a_constant_column_has_unit_scale(cells: list[float | None]) -> None:
    column = fit_column(pa.array(cells, pa.float64(), from_pandas=False), "number")

    assert column.scale() == oracle.fit_scale([cell for cell in cells if cell is not None])
    assert column.scale()[1] == 1.0

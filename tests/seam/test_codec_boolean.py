"""Booleans: Rust = oracle, exact both ways."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import codec as oracle
from tests.oracle.fitted import fit_column


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.booleans(), min_size=20, max_size=60).filter(lambda cells: set(cells) != {None}))
def test_codes_are_the_oracles_and_come_back(cells: list[bool | None]) -> None:
    array = pa.array(cells, pa.bool_())
    column = fit_column(array, "boolean")

    _, c = column.encode(pa.array([*cells, None, True, False]))

    assert c[:, 0].tolist() == oracle.boolean([*cells, None, True, False])
    assert column.round_trip(array).equals(array)

"""Categories: Rust = oracle, and decode gives every known value back; an unseen one comes back null."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import codec as oracle
from tests.oracle.fitted import fit_column

WORDS = st.sampled_from(["", "a", "A", "b c", "é", "中", "zebra", "\N{PILE OF POO}", "null"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | WORDS, min_size=20, max_size=60))
def test_vocabulary_and_codes_are_the_oracles(cells: list[str | None]) -> None:
    array = pa.array(cells, pa.string())
    column = fit_column(array, "category")

    assert column.strings("values") == oracle.fit_vocabulary(cells)
    _, c = column.encode(pa.array([*cells, "unseen", None], pa.string()))
    assert c[:, 0].tolist() == oracle.category([*cells, "unseen", None], column.strings("values"))
    assert column.round_trip(array).equals(array)


@pytest.mark.parametrize("values", [31, 32, 33, 90, 300])
def test_rare_values_of_a_large_vocabulary_are_unseen(values: int) -> None:
    # 5 values are seen once; the others three times, but never enough rows to hold anything out.
    cells = [f"word {'abcdefghij'[v % 10] * (1 + v // 10)}" for v in range(values) for _ in range(1 if v < 5 else 3)]
    cells = cells[:490]
    column = fit_column(pa.array(cells), "category")

    assert column.strings("values") == oracle.fit_vocabulary(cells)
    _, c = column.encode(pa.array(cells))
    assert c[:, 0].tolist() == oracle.category(cells, column.strings("values"))


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint16(), pa.uint64()])
def test_few_integers_are_categories_and_come_back_in_their_type(kind: pa.DataType) -> None:
    cells = [*[3, 7, 7, 100, None] * 8, 3]
    array = pa.array(cells, kind)
    column = fit_column(array, "category")

    _, c = column.encode(pa.array([*cells, 99], kind))

    assert column.strings("values") == oracle.fit_vocabulary(cells) == ["7", "3", "100"]
    assert c[:, 0].tolist() == oracle.category([*cells, 99], column.strings("values"))
    assert column.round_trip(array).equals(array)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_layout_of_strings_has_the_same_codes(kind: pa.DataType) -> None:
    cells = ["b", "a", None, "b"] * 8
    array = pa.array(cells, pa.string())
    array = array.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else array.cast(kind)
    column = fit_column(array, "category")

    _, c = column.encode(array)

    assert c[:, 0].tolist() == oracle.category(cells, ["b", "a"])
    assert column.round_trip(array).to_pylist() == cells
    assert column.round_trip(array).type == kind


def test_an_unseen_value_comes_back_null() -> None:
    assert fit_column(pa.array(["a", "b"] * 20), "category").round_trip(pa.array(["c", "a"])).to_pylist() == [None, "a"]


def test_a_column_of_nulls_knows_no_value() -> None:
    column = fit_column(pa.array([None] * 30, pa.string()), "category")

    _, c = column.encode(pa.array(["a", None]))

    assert c[:, 0].tolist() == [oracle.OTHER, oracle.MISSING]

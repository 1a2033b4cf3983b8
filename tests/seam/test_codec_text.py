"""Texts: Rust = oracle in look, shape and frequency; what comes back is a text that the model keeps, or null.

Letters are those on which Unicode's Alphabetic (Rust) and Python's `isalnum` agree; they differ on marks.
"""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import codec as oracle
from tests.oracle.fitted import fit_column
from tests.oracle.xxh3 import xxh3_64

import tabad

TEXTS = st.text("aZb9 -_.é中ß²", max_size=40).map(lambda text: f"{text} {text}")
# One of every length that the hash treats apart.
LENGTHS = [0, 1, 2, 3, 4, 8, 9, 16, 17, 32, 33, 64, 65, 96, 97, 128, 129, 144, 240, 241, 1024, 1025, 2500]
SIZED = [("x Y" * length)[:length] for length in LENGTHS]


@pytest.mark.parametrize("screen", [False, True])
@settings(max_examples=20, deadline=None)
@given(st.lists(TEXTS, min_size=12, max_size=40, unique=True), st.lists(st.none() | TEXTS, max_size=5))
def test_every_part_is_the_oracles(screen: bool, texts: list[str], others: list[str | None]) -> None:
    cells = [*texts, *SIZED, *texts[:5], None]
    column = fit_column(pa.array(cells), "text", screen=screen)
    values = [cell for cell in cells if cell is not None]

    counts = column.counts()
    assert counts == oracle.fit_frequency(values, xxh3_64)
    scales = tuple(column.scale("scales", part) for part in range(3))
    for part, scale in enumerate(scales):
        fitted = oracle.fit_scale([oracle.look(value)[part] for value in values])
        assert scale == (pytest.approx(fitted[0], rel=1e-9, abs=1e-12), pytest.approx(fitted[1], rel=1e-9))
    shapes = oracle.fit_vocabulary([oracle.shape(value) for value in values])[:62]
    assert column.strings("shapes") == shapes
    assert column.codec["rows"] == len(values)

    compared = [*cells, *others, "A completely new text of 2026!"]
    x, c = column.encode(pa.array(compared))
    expected = oracle.text(compared, scales, shapes, counts, len(values), column.scale("frequency"), xxh3_64)
    np.testing.assert_allclose(x.T, expected[:4], rtol=1e-6, atol=1e-6)
    assert c.T.tolist() == [*expected[4:]]


@pytest.mark.parametrize("screen", [False, True])
def test_texts_that_stand_once_are_as_rare_as_each_other(screen: bool) -> None:
    """20,000 of them: cells that they share by chance made one in five look repeated."""
    texts = [f"order {number * 7919} of customer {number % 13}" for number in range(20_000)]
    column = fit_column(pa.array([*texts, *[texts[0]] * 9]), "text", screen=screen)

    x, _ = column.encode(pa.array(texts))
    new, _ = column.encode(pa.array([f"{text}?" for text in texts]))

    # Without `screen` 20 % were held out, and are not counted; a text of one row is as good as one that no row has.
    assert set(x[1:, 3]) == set(new[:, 3])
    assert len(set(new[:, 3])) == 1
    assert x[0, 3] > x[1:, 3].max()


def test_rows_of_the_fit_are_ordinary_when_they_are_scored() -> None:
    """Each has a text of its own, which no new row has."""
    texts = [f"order {number * 7919} of customer {number % 13}" for number in range(2_000)]
    table = pa.table({"note": texts, "x": np.random.default_rng(0).normal(size=2_000)})
    model = tabad.fit(table, quality="fast")

    again, new = (
        np.array(model.score(rows, explain="none")["tabad_p_value"].to_pylist())
        for rows in (table, table.set_column(0, "note", pa.array([text.replace("order", "wares") for text in texts])))
    )

    assert np.array_equal(again, new)
    assert (again <= 0.01).mean() < 0.02


def test_what_comes_back_is_a_text_of_the_table_or_null() -> None:
    texts = [f"order {number:05d}, {'paid' if number % 3 else 'REFUND'}" for number in range(200)]
    column = fit_column(pa.array([*texts, None]), "text")

    back = column.round_trip(pa.array([*texts, None, "x" * 1000])).to_pylist()

    assert back[200] is None
    assert set(back) - {None} <= set(texts)
    assert [oracle.shape(text) for text in back[:200]] == [oracle.shape(text) for text in texts]


def test_an_empty_text_is_a_text_of_no_length() -> None:
    column = fit_column(pa.array([f"some words {'a' * row}" for row in range(30)]), "text")

    x, c = column.encode(pa.array(["", None]))

    assert x[0, 0] == pytest.approx(oracle.apply_scale(0.0, column.scale("scales")), rel=1e-6)
    assert c[:, 0].tolist() == [oracle.PRESENT, oracle.NULL]

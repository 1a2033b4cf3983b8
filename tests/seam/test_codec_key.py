"""Keys: Rust = oracle in how often a value occurs; what comes back is a kept value of the same frequency."""

import random
import struct

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle import codec as oracle
from tests.oracle.fitted import fit_column
from tests.oracle.xxh3 import xxh3_64


def keys(seed: int, text: bool) -> list[str | int | None]:
    """400 rows of 120 keys, some common, some rare, negative numbers among them."""
    draw = random.Random(seed)
    places = [min(int(draw.expovariate(0.03)), 119) - 20 for _ in range(398)]
    return [*[f"C{place:04d}" if text else place * 10**12 for place in places], None, None]


@pytest.mark.parametrize("screen", [False, True])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_frequencies_are_the_oracles(screen: bool, text: bool, seed: int) -> None:
    cells = keys(seed, text)
    column = fit_column(pa.array(cells), "key", name="customer_id", screen=screen)
    values = [cell for cell in cells if cell is not None]

    counts = column.counts()
    assert counts == oracle.fit_frequency(values, xxh3_64)
    logs = [oracle.log_frequency(value, counts, len(values), xxh3_64) for value in values]
    mean, std = oracle.fit_scale(logs)
    assert column.scale("frequency") == (pytest.approx(mean, rel=1e-9), pytest.approx(std, rel=1e-9))
    compared = [*cells, "new" if text else 77]
    x, c = column.encode(pa.array(compared))
    expected = oracle.key(compared, counts, len(values), column.scale("frequency"), xxh3_64)
    np.testing.assert_allclose(x[:, 0], expected[0], rtol=1e-6, atol=1e-6)
    assert c[:, 0].tolist() == expected[1]


@pytest.mark.parametrize("screen", [False, True])
def test_of_too_many_values_those_that_stand_out_are_told(screen: bool) -> None:
    """60,000 values: 200 of them 40 times, the others once or twice."""
    values = [value * 7919 for value in range(60_000) for _ in range(40 if value < 200 else 1 + value % 2)]
    column = fit_column(pa.array(values), "key", name="customer_id", screen=screen)

    counts = column.counts()

    assert isinstance(counts, np.ndarray)
    # How many there are is estimated, to 1.1 %: what is usual is the same for all of these. Without `screen` rows are
    # held out, and a value is counted less often.
    if screen:
        assert np.array_equal(counts, oracle.fit_cells(values, 60_000, xxh3_64))
    places = [xxh3_64(struct.pack("<q", value)) for value in sorted(set(values))]
    shown = np.array([min(counts[0, at % 2**15], counts[1, (at >> 32) % 2**15]) for at in places])
    assert shown[:200].min() >= oracle.as_byte(35 if screen else 20)
    # One cell in 25 is beyond the bound by chance, and both of a value are in one case of 600.
    assert (shown[200:] > oracle.as_byte(2)).mean() < 0.003


@pytest.mark.parametrize("text", [False, True])
def test_a_value_of_the_same_frequency_comes_back(text: bool) -> None:
    array = pa.array(keys(9, text))
    column = fit_column(array, "key", name="customer_id")

    back = column.round_trip(array)

    assert back.type == array.type
    assert set(back.to_pylist()) <= set(array.to_pylist())
    assert back.null_count == array.null_count
    assert np.array_equal(column.encode(back)[0], column.encode(array)[0])

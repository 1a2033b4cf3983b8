"""The peers' encodings: what each column becomes, and that only training rows are looked at."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.encoders import fit_encoder, spot_columns

TRAIN = pa.table(
    {
        "n": [1.0, 3.0, None, 2.0],
        "c": ["a", "b", "a", None],
        "d": pa.array([datetime.datetime(2024, 1, day) for day in (1, 2, 3, 4)]),
        "s": ["1/2/2015", "11/30/2015", "5/6/2016", "7/8/2016"],
        "i": [f"only {k}" for k in range(4)],
        "k": [1, 2, 1, 2],
    }
)


def test_columns_are_taken_for_what_they_are() -> None:
    columns = spot_columns(TRAIN, categories=("k",))

    assert columns.numbers == ("n",)
    assert columns.dates == ("d", "s")
    assert columns.categories == ("c", "k")


def test_a_mismatch_of_categories_has_distance_one() -> None:
    train = TRAIN.select(["c"])
    encoded = fit_encoder(train, "sqrt2")(train)

    assert np.linalg.norm(encoded[0] - encoded[1]) == pytest.approx(1)
    assert np.linalg.norm(encoded[0] - encoded[2]) == 0
    assert np.linalg.norm(encoded[0] - encoded[3]) == pytest.approx(1)


def test_an_unseen_category_differs_from_every_seen_one() -> None:
    train = TRAIN.select(["c"])
    encode = fit_encoder(train, "onehot")
    unseen = encode(pa.table({"c": ["z"]}))

    assert unseen.sum() == 1
    assert (encode(train) @ unseen.T == 0).all()


def test_numbers_are_standardised_with_the_mean_and_an_indicator_for_missing() -> None:
    train = TRAIN.select(["n"])
    encoded = fit_encoder(train, "sqrt2")(train)

    assert encoded[:, 0] == pytest.approx(np.array([-1, 1, 0, 0]) * 1.5**0.5)
    assert encoded[:, 1] == pytest.approx(np.array([0, 0, 1, 0]) / 2**0.5)


def test_gower_distance_is_the_city_block_of_its_encoding() -> None:
    train = TRAIN.select(["n", "c"])
    encoded = fit_encoder(train, "gower")(train)

    assert np.abs(encoded[0] - encoded[1]).sum() == pytest.approx(1 + 1)
    assert np.abs(encoded[0] - encoded[2]).sum() == pytest.approx(0.5 + 1)


def test_codes_put_missing_and_unseen_into_codes_of_their_own() -> None:
    train = TRAIN.select(["n", "c"])
    encode = fit_encoder(train, "codes")
    codes, sizes = encode(train)
    strange, _ = encode(pa.table({"n": [None], "c": ["z"]}, schema=train.schema))

    assert codes.shape == (4, 2)
    assert (codes < sizes).all()
    assert strange.tolist() == [[sizes[0] - 1, sizes[1] - 1]]


def test_test_rows_are_encoded_by_the_training_rows() -> None:
    train = pa.table({"n": [0.0, 2.0]})

    assert fit_encoder(train, "sqrt2")(pa.table({"n": [4.0]})).tolist() == [[3.0]]

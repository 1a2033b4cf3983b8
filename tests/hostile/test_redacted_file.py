"""A forged redacted file can fail, but cannot crash, nor say that it is redacted while it holds values in clear."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.oracle.model_file import Tensors, put_together, take_apart
from tests.redactable import KEY, fitted, table

import tabad
from tabad import _core

Damage = Callable[[dict[str, Any], Tensors], None]
PERSON, MERCHANT, OPEN, PHRASE, GRADE = 0, 2, 6, 7, 9


@pytest.fixture(scope="module")
def whole() -> bytes:
    return fitted().to_bytes()


@pytest.fixture(scope="module")
def content(whole: bytes) -> bytes:
    return _core.Model.from_bytes(whole).redacted(KEY).to_bytes()


def refusal(data: bytes) -> str:
    with pytest.raises(tabad.ModelFileError) as caught:
        _core.Model.from_bytes(data)
    assert caught.value.name == "model-file-damaged"
    return str(caught.value)


def _codec(manifest: dict[str, Any], at: int) -> dict[str, Any]:
    codec: dict[str, Any] = manifest["columns"][at]["codec"]
    return codec


def _not_said(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"] = None


def _no_check(manifest: dict[str, Any], tensors: Tensors) -> None:
    del manifest["redacted"]["check"]


def _short_check(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"]["check"] = manifest["redacted"]["check"][:-2]


def _long_check(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"]["check"] += "00"


def _check_of_no_digits(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"]["check"] = "+f" * 16


def _check_of_wide_letters(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"]["check"] = "\u00e9" * 16


def _redacted_is_a_list(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"] = ["hmac_sha256_128"]


def _another_hash(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["redacted"]["hash"] = "xxh3_64"


def _hashes_twice(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{MERCHANT}.hashes"] = np.tile(tensors[f"codec.{MERCHANT}.hashes"][:16], 6)


def _hashes_cut(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{MERCHANT}.hashes"] = tensors[f"codec.{MERCHANT}.hashes"][:-1].copy()


def _one_hash_less(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{MERCHANT}.hashes"] = tensors[f"codec.{MERCHANT}.hashes"][:-16].copy()


def _no_hashes(manifest: dict[str, Any], tensors: Tensors) -> None:
    _codec(manifest, MERCHANT)["values"] = 0
    tensors[f"codec.{MERCHANT}.hashes"] = tensors[f"codec.{MERCHANT}.hashes"][:0].copy()


def _too_many_hashes(manifest: dict[str, Any], tensors: Tensors) -> None:
    _codec(manifest, MERCHANT)["values"] = 254
    tensors[f"codec.{MERCHANT}.hashes"] = np.arange(300 * 16).astype("u1") ^ np.repeat(np.arange(300), 16).astype("u1")


def _hashes_of_another_type(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{MERCHANT}.hashes"] = tensors[f"codec.{MERCHANT}.hashes"].view("<u4")


def _hashes_missing(manifest: dict[str, Any], tensors: Tensors) -> None:
    del tensors[f"codec.{MERCHANT}.hashes"]


def _three_booleans(manifest: dict[str, Any], tensors: Tensors) -> None:
    _codec(manifest, OPEN)["values"] = 3
    tensors[f"codec.{OPEN}.hashes"] = np.arange(48).astype("u1")


def _numbers_as_categories(manifest: dict[str, Any], tensors: Tensors) -> None:
    _codec(manifest, MERCHANT)["type"] = "float64"


def _hashed_is_a_word(manifest: dict[str, Any], tensors: Tensors) -> None:
    _codec(manifest, MERCHANT)["hashed"] = "yes"


def _shapes_cut(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{PHRASE}.hashes"] = tensors[f"codec.{PHRASE}.hashes"][16:].copy()


def _counts_cut(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{PERSON}.counts"] = tensors[f"codec.{PERSON}.counts"][1:].copy()


def _start_cut(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors[f"codec.{PERSON}.counts.start"] = tensors[f"codec.{PERSON}.counts.start"][1:].copy()


def _counts_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    del _codec(manifest, PERSON)["hashed"], tensors[f"codec.{PERSON}.counts.start"]
    tensors[f"codec.{PERSON}.kept.bytes"], tensors[f"codec.{PERSON}.kept.ends"] = np.zeros(0, "u1"), np.zeros(0, "<u4")


def _values_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    del _codec(manifest, MERCHANT)["hashed"], tensors[f"codec.{MERCHANT}.hashes"]
    tensors[f"codec.{MERCHANT}.values.bytes"] = np.frombuffer(b"abcdef", "u1")
    tensors[f"codec.{MERCHANT}.values.ends"] = np.arange(1, 7, dtype="<u4")


def _numbers_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    _codec(manifest, GRADE)["known"] = 1
    tensors[f"codec.{GRADE}.known"] = np.array([7777.125])


def _labels_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["label"]["values"] = ["reported-as-fraud"]
    manifest["label"]["counts"] = [7]


def _normal_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["label"]["normal"] = "checked-and-fine"


def _constraints_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["constraints"] = [{"rule": "at_most", "columns": ["amount", "grade"], "given": False, "pairs": 0}]


def _release_in_clear(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["private"], tensors["private"] = {"values": ["Lindau"]}, np.zeros(1)


def _further_tensor(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["codec.2.values.bytes"] = np.frombuffer(b"Lindau", "u1")


DAMAGES = [
    _not_said, _no_check, _short_check, _long_check, _check_of_no_digits, _check_of_wide_letters, _redacted_is_a_list,
    _another_hash, _hashes_twice, _hashes_cut, _one_hash_less, _no_hashes, _too_many_hashes, _hashes_of_another_type,
    _hashes_missing, _three_booleans, _numbers_as_categories, _hashed_is_a_word, _shapes_cut, _counts_cut, _start_cut,
    _counts_in_clear, _values_in_clear, _numbers_in_clear, _labels_in_clear, _normal_in_clear, _constraints_in_clear,
    _release_in_clear, _further_tensor,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_forged_redacted_file_is_refused_and_named(content: bytes, damage: Damage) -> None:
    manifest, tensors = take_apart(content)
    damage(manifest, tensors)

    assert re.search("`[^`]+`|tensors", refusal(put_together(manifest, tensors)))


def test_a_file_that_keeps_rows_and_says_that_it_is_redacted_is_refused(whole: bytes, content: bytes) -> None:
    manifest, tensors = take_apart(content)
    before, rows = take_apart(whole)
    manifest["memory"] = before["memory"]
    tensors.update({name: tensor for name, tensor in rows.items() if name.startswith("memory.")})

    assert "holds values in clear" in refusal(put_together(manifest, tensors))


def test_a_network_that_names_values_is_refused_in_a_redacted_file(whole: bytes, content: bytes) -> None:
    manifest, tensors = take_apart(content)
    before, network = take_apart(whole)
    manifest["network"] = before["network"]
    tensors.update({name: tensor for name, tensor in network.items() if name.startswith("network.")})

    assert len(before["network"]["atoms"]) > 0
    assert take_apart(content)[0]["network"]["atoms"] == []
    assert "holds values in clear" in refusal(put_together(manifest, tensors))


def test_a_model_that_is_not_redacted_cannot_be_made_to_say_so(whole: bytes, content: bytes) -> None:
    manifest, tensors = take_apart(whole)
    manifest["redacted"] = take_apart(content)[0]["redacted"]

    assert "holds values in clear" in refusal(put_together(manifest, tensors))


def test_counts_that_were_changed_are_found_with_the_key(content: bytes) -> None:
    manifest, tensors = take_apart(content)
    changed = tensors[f"codec.{PERSON}.counts"].copy()
    changed[77] ^= 1
    tensors[f"codec.{PERSON}.counts"] = changed
    locked = tabad.Model.from_bytes(put_together(manifest, tensors))

    with pytest.raises(tabad.ModelFileError, match="counts of a column are not those that were hashed with this key"):
        locked.with_key(KEY)


def test_hashes_of_nothing_still_give_finite_scores(content: bytes) -> None:
    manifest, tensors = take_apart(content)
    for name in [name for name in tensors if name.endswith(".hashes")]:
        tensors[name] = np.arange(len(tensors[name])).astype("u1") ^ np.repeat(
            np.arange(len(tensors[name]) // 16), 16
        ).astype("u1")
    model = tabad.Model.from_bytes(put_together(manifest, tensors)).with_key(KEY)

    assert np.isfinite(model.score(table(50, 4), explain="all")["tabad_score"].to_numpy()).all()

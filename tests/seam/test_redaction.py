"""A redacted model scores as the student it was made from, to the bit, and its file holds no value of the table."""

import pickle
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle import keyed
from tests.oracle.model_file import Tensors, strings, take_apart
from tests.oracle.xxh3 import xxh3_64
from tests.redactable import KEY, LABELS, fitted, table, words

import tabad

COLUMNS = ["tabad_score", "tabad_p_value", "tabad_flag"]


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return fitted()


@pytest.fixture(scope="module")
def redacted(model: tabad.Model) -> tabad.Model:
    """Through its file, and opened again."""
    return tabad.Model.from_bytes(model.redacted(KEY).to_bytes()).with_key(KEY)


@pytest.fixture(scope="module")
def parts(redacted: tabad.Model) -> tuple[dict[str, object], Tensors]:
    return take_apart(redacted.to_bytes())


@pytest.mark.parametrize("unseen", [False, True])
def test_scores_are_those_of_the_student_to_the_bit(model: tabad.Model, redacted: tabad.Model, unseen: bool) -> None:
    rows = table(5_000, 7, unseen=unseen).drop(["fraud"])
    expected = model.with_scorer("student").score(rows, explain="none")

    for given in (rows, rows.slice(1_111, 1), rows.combine_chunks().to_reader(max_chunksize=300).read_all()):
        found = redacted.score(given, explain="none")
        start = 1_111 if given.num_rows == 1 else 0
        for name in COLUMNS:
            assert found[name].to_pylist() == expected[name].slice(start, given.num_rows).to_pylist(), name


def test_other_types_of_the_same_values_score_alike(model: tabad.Model, redacted: tabad.Model) -> None:
    rows = table(500, 8, unseen=True).drop(["fraud"])
    types = {"merchant": pa.dictionary(pa.int16(), pa.large_string()), "town": pa.string(), "wide": pa.int64(),
             "branch": pa.float64(), "account": pa.int32(), "region": pa.large_string()}  # fmt: skip
    low = pa.array([value and value - 2**63 for value in rows["wide"].to_pylist()], pa.uint64())
    rows = rows.set_column(rows.column_names.index("wide"), "wide", low)
    cast = rows.cast(pa.schema([field.with_type(types.get(field.name, field.type)) for field in rows.schema]))
    halves = cast.set_column(cast.column_names.index("branch"), "branch", pa.array([0.5] * 500))
    nothing = rows.set_column(rows.column_names.index("merchant"), "merchant", pa.nulls(500))

    for given in (rows, cast, halves, nothing):
        expected = model.with_scorer("student").score(given, explain="none")
        assert redacted.score(given, explain="none").select(COLUMNS).equals(expected.select(COLUMNS))


def test_the_file_holds_none_of_the_tables_words(model: tabad.Model, redacted: tabad.Model) -> None:
    content, before = redacted.to_bytes(), model.to_bytes()
    found = words(model, table(3_000, 1))

    assert len(found) > 1_000
    # Of the many people, phrases and accounts the model held a part in clear, and all of the others.
    assert sum(word.encode() in before for word in found) > 250
    for word in found:
        for hidden in (word.encode(), word.encode("utf-16-le"), word.encode()[::-1]):
            assert hidden not in content, word


def test_no_integer_and_no_unkeyed_hash_of_a_value_is_in_the_file(redacted: tabad.Model) -> None:
    content = redacted.to_bytes()
    for name in ("account", "branch", "wide"):
        for value in {value for value in table(3_000, 1)[name].to_pylist() if value is not None}:
            # Little-endian as tensors hold it; those of 4 bytes could be there by chance, and 2^63 reads 0.0 and
            # -0.0 in float32, which weights may be.
            packed = struct.pack("<Q", value % 2**64)
            assert packed == struct.pack("<ff", 0.0, -0.0) or packed not in content
            assert struct.pack("<Q", xxh3_64(struct.pack("<Q", value % 2**64))) not in content
    for word in words(redacted, table(3_000, 1)):
        assert struct.pack("<Q", xxh3_64(word.encode())) not in content


def test_counts_do_not_tell_who_was_there(model: tabad.Model, parts: tuple[dict[str, object], Tensors]) -> None:
    known = Counter(word for word in table(3_000, 1)["person"].to_pylist() if word)
    # A value of one row leaves no trace, and calibration rows are not counted.
    there = sorted(word for word, often in known.items() if often >= 4)
    assert len(there) > 40
    absent = [f"stranger-{number:06d}" for number in range(len(there))]

    def seen(counts: np.ndarray) -> list[float]:
        hashes = set(counts[: len(counts) // 5 * 4].view("<u4").tolist())
        return [np.mean([xxh3_64(word.encode()) >> 32 in hashes for word in group]) for group in (there, absent)]

    readable, veiled = take_apart(model.to_bytes())[1]["codec.0.counts"], parts[1]["codec.0.counts"]
    assert seen(readable)[0] > 0.9
    assert seen(readable)[1] == 0
    # Under the veil every byte is random.
    assert seen(veiled) == [0, 0]
    assert len(veiled) == len(readable) > 300
    expected = len(veiled) / 256
    assert np.square(np.bincount(veiled, minlength=256) - expected).sum() / expected < 330  # chi-squared, 1 in 1,000


def test_hashes_are_those_of_the_twin(model: tabad.Model, parts: tuple[dict[str, object], Tensors]) -> None:
    _, before = take_apart(model.to_bytes())
    manifest, tensors = parts
    named = {f"codec.{at}": column["name"] for at, column in enumerate(manifest["columns"])}  # type: ignore[arg-type,index,var-annotated]
    hashed = 0
    for prefix, column in named.items():
        for what, held in (("value", f"{prefix}.values"), ("shape", f"{prefix}.shapes")):
            if f"{held}.bytes" in before:
                expected = [keyed.keyed(KEY, what, column, value.encode()) for value in strings(before, held)]
                assert tensors[f"{prefix}.hashes"].tobytes() == b"".join(expected)
                hashed += len(expected)
        if f"{prefix}.counts" in before:
            start = tensors[f"{prefix}.counts.start"].tobytes()
            opened = keyed.unveil(KEY, column, start, tensors[f"{prefix}.counts"].tobytes())
            assert opened == before[f"{prefix}.counts"].tobytes()

    assert hashed > 20
    assert manifest["redacted"] == {"hash": "hmac_sha256_128", "check": keyed.check(KEY)}


def test_what_is_left_in_the_file_is_a_closed_list(parts: tuple[dict[str, object], Tensors]) -> None:
    manifest, tensors = parts
    first = {name for name in tensors if name.startswith("codec.")}

    assert set(manifest) == {
        "tabad", "hash", "label", "sizes", "seed", "mechanism", "columns", "redacted", "scorer", "memory", "network",
        "student", "domain", "checksum",
    }  # fmt: skip
    assert manifest["label"] == {"column": "fraud", "values": [], "counts": [], "normal": None}
    assert manifest["memory"] is None
    assert {name.partition(".")[0] for name in tensors} == {
        "codec", "network", "student", "domain", "dependency", "seen",
    }  # fmt: skip
    # Scales (with the range of numbers), the range of dates, keyed hashes, veiled counts; no known numbers.
    left = {name.split(".", 2)[2] for name in first}
    assert left == {"scale", "scales", "known", "range", "frequency", "counts", "counts.start", "hashes"}
    assert all(len(tensors[name]) == 0 for name in first if name.endswith(".known"))
    assert tensors["seen"].all()


def test_the_same_key_gives_the_same_bytes_and_another_gives_others(model: tabad.Model) -> None:
    one, two = (take_apart(model.redacted(key).to_bytes())[1] for key in (KEY, bytes(range(32))))

    assert model.redacted(KEY).to_bytes() == model.redacted(KEY).to_bytes()
    different = {name for name in one if one[name].tobytes() != two[name].tobytes()}
    assert different == {name for name in one if name.endswith((".hashes", ".counts", ".start"))}


def test_reasons_name_the_column_and_the_value_seen_and_expect_numbers(
    redacted: tabad.Model, model: tabad.Model
) -> None:
    rows = table(400, 9, unseen=True)
    rows_of, before = (
        one.score(rows, explain="all")["tabad_reasons"].to_pylist() for one in (redacted, model.with_scorer("student"))
    )
    found = [reason for row in rows_of for reason in row or ()]

    # What is expected, and so what a repair would do, is told by its network, without kept rows.
    assert sum(a[0]["column"] == b[0]["column"] for a, b in zip(rows_of, before, strict=True)) >= 0.85 * len(rows_of)
    seen = [{reason["column"]: reason["seen"] for reason in row} for row in before]
    for own, row in zip(seen, rows_of, strict=True):
        assert all(own.get(reason["column"], reason["seen"]) == reason["seen"] for reason in row)
    expected = {
        reason["expected"] for reason in found if reason["column"] in ("merchant", "town", "branch", "wide", "open")
    }
    assert "another value (redacted)" in expected
    assert expected <= {"another value (redacted)", "another value", "null", "null or another value (redacted)",
                        "another value (redacted) or null", ""}  # fmt: skip
    amounts = [reason["expected"].removeprefix("about ") for reason in found if reason["column"] == "amount"]
    assert any(expected[:1].isdigit() for expected in amounts)
    assert not any(word in reason["expected"] for word in words(model, table(3_000, 1)) for reason in found)


def test_without_its_key_nothing_is_looked_up(redacted: tabad.Model, tmp_path: Path) -> None:
    locked, rows = tabad.Model.from_bytes(redacted.to_bytes()), table(30, 9)
    asked = [
        lambda: locked.score(rows),
        lambda: locked.score(rows, fdr=0.1),
        lambda: tabad.score(rows, locked),
        lambda: locked.core.encode(rows),
        lambda: locked.core.energies(rows),
        lambda: locked.core.survey(rows),
    ]
    for ask in asked:
        with pytest.raises(tabad.UsageError, match="no key was given") as caught:
            ask()
        assert caught.value.name == "key-missing"
    with pytest.raises(tabad.UsageError, match="not the key that the model was redacted with") as caught:
        locked.with_key(KEY[::-1])
    assert caught.value.name == "key-wrong"


def test_a_key_comes_as_a_file_or_as_its_content(redacted: tabad.Model, tmp_path: Path) -> None:
    path, hexed, raw = tmp_path / "m.tabad", tmp_path / "hex.key", tmp_path / "raw.key"
    redacted.save(path)
    hexed.write_text(f"{KEY.hex().upper()}\n")
    raw.write_bytes(KEY)
    rows = table(50, 9)
    expected = redacted.score(rows)

    for key in (KEY, KEY.hex().encode(), hexed, str(raw)):
        assert tabad.Model.load(path, key=key).score(rows).equals(expected)
    assert tabad.score(rows, path, key=hexed).equals(expected)
    assert tabad.score(rows, tabad.Model.load(path), key=raw).equals(expected)


def test_a_copy_for_a_worker_process_can_score(redacted: tabad.Model) -> None:
    rows = table(50, 9)

    assert pickle.loads(pickle.dumps(redacted)).score(rows).equals(redacted.score(rows))  # noqa: S301
    assert redacted.with_scorer("student").to_bytes() == redacted.to_bytes()


def test_what_needs_values_or_rows_is_refused(redacted: tabad.Model, model: tabad.Model) -> None:
    rows = table(600, 9)
    block = redacted.core.encode(rows)
    refused = {
        "model-redacted": [
            lambda: redacted.generate(3),
            lambda: redacted.impute(rows),
            lambda: redacted.anomalies(rows, 3),
            lambda: redacted.core.decode(*block),
        ],
        "scorer-missing": [lambda: redacted.with_scorer("teacher")],
        "update-without-teacher": [lambda: tabad.fit(rows, update=redacted)],
        "redact-twice": [lambda: redacted.redacted(KEY)],
        "key-unneeded": [lambda: model.with_key(KEY)],
    }
    for name, calls in refused.items():
        for call in calls:
            with pytest.raises(tabad.UsageError) as caught:
                call()
            assert caught.value.name == name
            assert caught.value.hint


def test_inspect_says_what_was_there_and_what_is_left(model: tabad.Model, redacted: tabad.Model) -> None:
    before, after = model.inspect()["holds"], redacted.inspect()["holds"]
    of = {one["column"]: one for one in after["columns"]}
    was = {one["column"]: one for one in before["columns"]}

    assert (before["kept_rows"], before["label_values"], before["energies"]) == (200, len(LABELS), True)
    assert before["constraint_pairs"] >= 6
    assert (was["merchant"]["values"], was["person"]["counts"], was["grade"]["numbers"]) == (6, "readable", 3)
    assert was["account"]["kept"] > 300
    assert (was["grade"]["shared"], of["grade"]["shared"], was["merchant"]["shared"]) == (3, 0, 0)
    assert (after["kept_rows"], after["label_values"], after["constraint_pairs"], after["energies"]) == (0, 0, 0, False)
    assert (before["dependency_pairs"], before["slips"]) == (after["dependency_pairs"], after["slips"]) == (36, 0)
    assert after["network"]
    assert after["groups"] == 2
    assert of["merchant"] == {
        "column": "merchant",
        "bounds": False,
        "unseen": True,
        "shared": 0,
        "values": 0,
        "hashed": 6,
        "kept": 0,
        "numbers": 0,
        "range": False,
        "counts": None,
    }
    assert of["person"]["counts"] == "veiled"
    assert of["grade"]["range"]
    assert all(one["values"] == one["kept"] == one["numbers"] == 0 for one in after["columns"])

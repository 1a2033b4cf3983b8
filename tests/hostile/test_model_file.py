"""A model file from a stranger can fail, but cannot crash, run code or exhaust memory.

Every damage is a `ModelFileError` that says what is damaged. Two lines of defence are tested apart: the checksum finds
accidents (cut, flipped bits); forged files carry the right checksum (`tests/oracle/model_file.py` computes it), so that
only the checks of each part stand between them and the scorer. Allocation bombs run in a process of its own.
"""

import json
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy
from tests.conftest import mixed_table
from tests.oracle.model_file import Tensors, joined, put_together, split, take_apart

import tabad
from tabad import _core

FLIPS = 300
NOT_ONE = "this is not a tabad model file, or it is damaged"
ADDRESS_SPACE = 4 << 30

Damage = Callable[[dict[str, Any], Tensors], None]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return mixed_table(120, seed=3)


@pytest.fixture(scope="module")
def content(table: pa.Table) -> bytes:
    """A small model of every kind."""
    return tabad.fit(table, quality="fast", memory=32).to_bytes()


def refusal(data: bytes) -> str:
    with pytest.raises(tabad.ModelFileError) as caught:
        _core.Model.from_bytes(data)
    assert caught.value.name == "model-file-damaged"
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("part", range(50))
def test_a_cut_file_is_refused(content: bytes, part: int) -> None:
    assert refusal(content[: len(content) * part // 50]).startswith(NOT_ONE)


@pytest.mark.parametrize("more", [b"\0", b"x" * 100])
def test_bytes_after_the_end_are_refused(content: bytes, more: bytes) -> None:
    assert refusal(content + more).startswith(NOT_ONE)


@pytest.mark.parametrize("where", ["header", "body"])
def test_a_flipped_bit_is_refused(content: bytes, where: str) -> None:
    draw = random.Random(where)
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(FLIPS // 2):
        at = draw.randrange(header) if where == "header" else draw.randrange(header, len(content))
        damaged = bytearray(content)
        damaged[at] ^= 1 << draw.randrange(8)
        message = refusal(bytes(damaged))
        assert message.startswith(NOT_ONE) or "checksum" in message or re.search("`[^`]+`", message), (at, message)


def test_a_changed_number_is_found_by_the_checksum(content: bytes) -> None:
    damaged = bytearray(content)
    damaged[-1] ^= 1

    assert refusal(bytes(damaged)) == "the checksum does not match: some bytes of the file have changed"


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (Path.touch, (Path("pickle-was-run"),))  # type: ignore[return-value]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        bytes(8),
        b"PK\x03\x04" + bytes(100),
        "tabad".encode("utf-16") * 20,
        pickle.dumps(Bomb()),
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        (2**63).to_bytes(8, "little") + bytes(1000),
        (100_000_001).to_bytes(8, "little") + bytes(1000),
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"\xff\xfe",
        (6).to_bytes(8, "little") + b"[1, 2]",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        safetensors.numpy.save({"weight": np.zeros((3, 3), np.float32)}),
        safetensors.numpy.save({"memory.x": np.zeros(3, np.float32)}, metadata={"format": "pt"}),
        safetensors.numpy.save({"memory.x": np.zeros(3, np.float32)}, metadata={"tabad": "not json"}),
    ],
    ids=range(16),
)
def test_another_file_is_refused(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert refusal(data).startswith(NOT_ONE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("manifest", ["{}", "[]", "null", "7", '"text"', '{"tabad":1}', '{"tabad":1,"checksum":7}'])
def test_another_manifest_is_refused(manifest: str) -> None:
    refusal(safetensors.numpy.save({"memory.x": np.zeros(3, np.float32)}, metadata={"tabad": manifest}))


def _overlap(header: dict[str, Any]) -> None:
    names = [name for name in header if name != "__metadata__"]
    header[names[0]]["data_offsets"] = header[names[1]]["data_offsets"]


def _beyond(header: dict[str, Any]) -> None:
    header["memory.x"]["data_offsets"][1] = 2**62


def _backwards(header: dict[str, Any]) -> None:
    header["memory.x"]["data_offsets"].reverse()


def _huge_shape(header: dict[str, Any]) -> None:
    header["memory.x"]["shape"] = [2**32, 2**32]


def _other_shape(header: dict[str, Any]) -> None:
    header["memory.x"]["shape"][0] += 1


def _unknown_dtype(header: dict[str, Any]) -> None:
    header["memory.x"]["dtype"] = "F31"


def _negative(header: dict[str, Any]) -> None:
    header["memory.x"]["shape"][0] = -1


@pytest.mark.parametrize(
    "damage", [_overlap, _beyond, _backwards, _huge_shape, _other_shape, _unknown_dtype, _negative]
)
def test_a_header_that_lies_is_refused(content: bytes, damage: Callable[[dict[str, Any]], None]) -> None:
    header, body = split(content)
    damage(header)

    assert refusal(joined(header, body)).startswith(NOT_ONE)


@pytest.mark.parametrize("dtype", [np.float16, np.bool_, np.int8, np.uint64, np.int32])
def test_an_element_type_that_no_part_uses_is_named(content: bytes, dtype: type) -> None:
    header, body = split(content)
    kind = {np.float16: "F16", np.bool_: "BOOL", np.int8: "I8", np.uint64: "U64", np.int32: "I32"}[dtype]
    size = np.dtype(dtype).itemsize
    header["more"] = {"dtype": kind, "shape": [8], "data_offsets": [len(body), len(body) + 8 * size]}

    assert refusal(joined(header, body + bytes(8 * size))) == "tensor `more` is damaged"


def test_the_forger_of_these_tests_can_write_an_honest_file(content: bytes) -> None:
    again = _core.Model.from_bytes(put_together(*take_apart(content)))

    assert again.to_bytes() == content


def test_every_tensor_is_needed(content: bytes) -> None:
    manifest, tensors = take_apart(content)
    for name in tensors:
        less = {other: tensor for other, tensor in tensors.items() if other != name}
        assert f"`{name.removesuffix('.ends').removesuffix('.bytes')}" in refusal(put_together(manifest, less))


def test_every_tensor_has_one_element_type(content: bytes) -> None:
    manifest, tensors = take_apart(content)
    for name, tensor in tensors.items():
        other = np.float32 if tensor.dtype == np.float64 else np.float64
        message = refusal(put_together(manifest, {**tensors, name: tensor.ravel().astype(other)}))
        assert message == f"tensor `{name}` has the wrong element type"


def test_a_tensor_that_nobody_reads_is_refused(content: bytes) -> None:
    manifest, tensors = take_apart(content)

    message = refusal(put_together(manifest, {**tensors, "payload": np.zeros(9, np.uint8)}))

    assert message == "the file holds tensors that its manifest does not name"


def test_every_key_of_the_manifest_is_needed(content: bytes) -> None:
    manifest, tensors = take_apart(content)
    for key in manifest.keys() - {"checksum", "hash", "label", "network"}:
        for other in ("drop", None, -1, "x", [], {}):
            if other is None and key == "memory":
                continue  # A model without a memory is one; its tensors are then extra.
            changed = {**manifest, key: other}
            if other == "drop":
                del changed[key]
            assert refusal(put_together(changed, tensors)), key


def test_a_newer_format_says_what_to_do(content: bytes) -> None:
    manifest, tensors = take_apart(content)

    with pytest.raises(tabad.ModelFileError, match="the file has format 99, this tabad reads format 4") as caught:
        _core.Model.from_bytes(put_together({**manifest, "tabad": 99}, tensors))

    assert caught.value.hint == "install a newer tabad, or fit the model again"


def _not_utf8(manifest: dict[str, Any], tensors: Tensors) -> None:
    name = next(name for name in tensors if name.endswith("values.bytes"))
    tensors[name] = np.full_like(tensors[name], 0xFF)


def _string_ends_backwards(manifest: dict[str, Any], tensors: Tensors) -> None:
    name = next(name for name, tensor in tensors.items() if name.endswith("values.ends") and len(tensor) > 1)
    tensors[name] = tensors[name][::-1].copy()


def _rows_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["memory"]["rows"] = 2**40


def _rows_most(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["memory"]["rows"] = 2**20


def _no_rows(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["memory"]["rows"] = 0
    for name in ("memory.x", "memory.c"):
        tensors[name] = tensors[name][:, :0]


def _code_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.c"] = np.full_like(tensors["memory.c"], 60_000)


def _nan_kept(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.x"] = np.full_like(tensors["memory.x"], np.nan)


def _zero_width(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.levels.local"] = np.zeros_like(tensors["memory.levels.local"])


def _negative_marginal(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.marginals"] = -tensors["memory.marginals"]


def _quantiles_unsorted(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.spreads"] = tensors["memory.spreads"][:, ::-1].copy()


def _bound_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["reference"]["bounded_from"] = 2**60


def _calibration_rows_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["calibration"]["rows"] = 2**50


def _calibration_unsorted(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["calibration.scores"] = tensors["calibration.scores"][::-1].copy()


def _calibration_nan(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["calibration.tail"] = np.full(4, np.nan)


def _knots_beyond(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["reference.knots"] = np.full_like(tensors["reference.knots"], 2**32 - 1)


def _knots_unsorted(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["reference.energies"] = tensors["reference.energies"][::-1].copy()


def _infinite_slope(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["reference.slopes"] = np.full_like(tensors["reference.slopes"], np.inf)


def _many_terms(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["reference"]["terms"] = 2**60


def _no_scale(manifest: dict[str, Any], tensors: Tensors) -> None:
    name = next(name for name, tensor in tensors.items() if name.endswith(".scale") and len(tensor) == 5)
    tensors[name] = tensors[name] * [1, 0, 1, 1, 1]


def _many_levels(manifest: dict[str, Any], tensors: Tensors) -> None:
    manifest["memory"]["levels"][0] = 2**33


def _another_kind(manifest: dict[str, Any], tensors: Tensors) -> None:
    modelled = next(column for column in manifest["columns"] if column["codec"] and column["codec"]["kind"] == "number")
    modelled["codec"]["kind"] = "text"


@pytest.mark.parametrize(
    "damage",
    [
        _not_utf8, _string_ends_backwards, _rows_beyond, _rows_most, _no_rows, _code_beyond, _nan_kept, _zero_width,
        _negative_marginal, _quantiles_unsorted, _bound_beyond, _calibration_rows_beyond, _calibration_unsorted,
        _calibration_nan, _knots_beyond, _knots_unsorted, _infinite_slope, _many_terms, _no_scale, _many_levels,
        _another_kind,
    ],
)  # fmt: skip
def test_a_forged_part_is_refused_and_named(content: bytes, damage: Damage) -> None:
    manifest, tensors = take_apart(content)
    damage(manifest, tensors)

    message = refusal(put_together(manifest, tensors))

    assert re.search("`[^`]+`|the memory's|calibration|reference", message), message


def _narrowest(manifest: dict[str, Any], tensors: Tensors) -> None:
    for name in ("local", "wide", "conditional"):
        tensors[f"memory.levels.{name}"] = np.full_like(tensors[f"memory.levels.{name}"], 0.011)


def _widest(manifest: dict[str, Any], tensors: Tensors) -> None:
    for name in ("local", "wide", "conditional"):
        tensors[f"memory.levels.{name}"] = np.full_like(tensors[f"memory.levels.{name}"], 3e38)


def _largest_kept(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.x"] = np.full_like(tensors["memory.x"], 3e38)


def _denormal_marginals(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["memory.marginals"] = np.full_like(tensors["memory.marginals"], 1e-45)


def _largest_tails(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["reference.tails"] = np.full_like(tensors["reference.tails"], -3e38)
    tensors["reference.slopes"] = np.full_like(tensors["reference.slopes"], -3e38)


def _largest_weights(manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["reference.weights"] = tensors["reference.weights"] * 1e308


def _scales_at_the_edge(manifest: dict[str, Any], tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if name.endswith(".scale") and len(tensor) == 4:
            tensors[name] = np.array([1e308, 5e-324, *tensor[2:]])


def _range_at_the_edge(manifest: dict[str, Any], tensors: Tensors) -> None:
    for name in tensors:
        if name.endswith(".range"):
            tensors[name] = np.array([-(2**63), 2**63 - 1, 1])


EXTREMES = [_narrowest, _widest, _largest_kept, _denormal_marginals, _largest_tails, _largest_weights]
EXTREMES += [_scales_at_the_edge, _range_at_the_edge]


@pytest.mark.parametrize("damage", EXTREMES)
def test_an_extreme_model_is_refused_or_scores_without_null_or_nan(
    content: bytes, table: pa.Table, damage: Damage
) -> None:
    manifest, tensors = take_apart(content)
    damage(manifest, tensors)
    try:
        model = _core.Model.from_bytes(put_together(manifest, tensors))
    except tabad.ModelFileError:
        return

    scored = pa.table(model.score(table, explain="all"))
    model.decode(*model.encode(table))

    scores = scored["tabad_score"]
    assert scores.null_count == 0
    assert np.isfinite(scores.to_numpy()).all()
    assert scored["tabad_reasons"].null_count == 0


BOMB_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from tabad import _core
from tabad.errors import ModelFileError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        _core.Model.from_bytes(open(path, "rb").read())
    except ModelFileError:
        continue
    raise SystemExit(f"{{path}} was read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_small_files_that_promise_much_allocate_little(content: bytes, tmp_path: Path) -> None:
    # Resident memory may grow by 64 MiB, 20 times the files together; a count that was believed would ask for more.
    bombs = [_rows_beyond, _rows_most, _calibration_rows_beyond, _knots_beyond, _many_terms, _many_levels]
    paths = []
    for damage in bombs:
        manifest, tensors = take_apart(content)
        damage(manifest, tensors)
        paths.append(tmp_path / f"{damage.__name__}.tabad")
        paths[-1].write_bytes(put_together(manifest, tensors))
    for name, change in {"shape": _huge_shape, "beyond": _beyond}.items():
        header, body = split(content)
        change(header)
        paths.append(tmp_path / f"{name}.tabad")
        paths[-1].write_bytes(joined(header, body))
    paths.append(tmp_path / "header.tabad")
    paths[-1].write_bytes((2**40).to_bytes(8, "little") + b"{}")

    code = BOMB_CHILD.format(limit=ADDRESS_SPACE)
    done = subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr + done.stdout
    assert int(done.stdout) * 1024 < 64 << 20


def test_a_damaged_file_is_exit_code_4(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.tabad"
    path.write_bytes(content[:-1])

    done = subprocess.run(
        [sys.executable, "-m", "tabad", "inspect", str(path), "--json"], capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 4
    assert "model-file-damaged" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout or "null") is None or json.loads(done.stdout)["error"]["name"] == "model-file-damaged"


def _nan_weight(_manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["guide.weights"] = tensors["guide.weights"] * np.nan


def _short_weights(_manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["guide.weights"] = tensors["guide.weights"][:-1]


def _infinite_ratio(_manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["guide.codes"] = tensors["guide.codes"] * np.float32(np.inf)


def _other_widths(_manifest: dict[str, Any], tensors: Tensors) -> None:
    tensors["guide.normal.levels.local"] = tensors["guide.normal.levels.local"] * 2


def _guide_without_memory(manifest: dict[str, Any], _tensors: Tensors) -> None:
    manifest["memory"] = None


@pytest.mark.parametrize("damage", [_nan_weight, _short_weights, _infinite_ratio, _other_widths, _guide_without_memory])
def test_a_forged_guide_is_refused(damage: Damage) -> None:
    table = mixed_table(400, seed=5)
    said = table.append_column("said", pa.array([True] * 12 + [False] * 8 + [None] * 380))
    data = tabad.fit(said, feedback="said", quality="fast", memory=64).to_bytes()
    manifest, tensors = take_apart(data)
    damage(manifest, tensors)

    refusal(put_together(manifest, tensors))

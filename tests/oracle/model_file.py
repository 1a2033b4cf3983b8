"""A model file taken apart with numpy, and put together again, checksum included: the twin of `rust/core/src/file.rs`.

For tests that need the frozen numbers of a model, and for those that forge files which only the parser behind the
checksum can refuse. Reads what `safetensors` writes; trusts it.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np

from tests.oracle.xxh3 import xxh3_128

DTYPES = {"U8": "u1", "U16": "<u2", "U32": "<u4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}

Tensors = dict[str, np.ndarray]


def take_apart(data: bytes) -> tuple[dict[str, Any], Tensors]:
    """The manifest and the tensors of a model file."""
    header, body = split(data)
    tensors = {}
    for name, facts in header.items():
        if name != "__metadata__":
            start, end = facts["data_offsets"]
            tensors[name] = np.frombuffer(body[start:end], DTYPES[facts["dtype"]]).reshape(facts["shape"])
    return json.loads(header["__metadata__"]["tabad"]), tensors


def put_together(manifest: dict[str, Any], tensors: Tensors) -> bytes:
    """A file of these, with the checksum that they have."""
    unsealed = {key: value for key, value in manifest.items() if key != "checksum"}
    sealed = canonical({**unsealed, "checksum": checksum(unsealed, tensors)})
    header: dict[str, Any] = {"__metadata__": {"tabad": sealed}}
    body = b""
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        content = tensor.tobytes()
        span = [len(body), len(body) + len(content)]
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        body += content
    return joined(header, body)


def checksum(manifest: dict[str, Any], tensors: Tensors) -> str:
    """xxh3_128 over the manifest and every tensor in name order with its name, type and shape."""
    content = canonical(manifest).encode()
    for name, tensor in sorted(tensors.items()):
        content += f"\0{name}\0{NAMES[tensor.dtype]}\0{list(tensor.shape)}\0".encode() + tensor.tobytes()
    return f"{xxh3_128(content):032x}"


def canonical(manifest: Any) -> str:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and what follows it."""
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def strings(tensors: Tensors, name: str) -> list[str]:
    """Strings stored as `NAME.bytes` and their ends."""
    ends = [0, *map(int, tensors[f"{name}.ends"])]
    content = tensors[f"{name}.bytes"].tobytes()
    return [content[start:end].decode() for start, end in itertools.pairwise(ends)]

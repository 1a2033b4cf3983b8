"""Keyed hashes with the standard library: the twin of `rust/core/src/secret.rs`."""

from __future__ import annotations

import hmac


def own_key(key: bytes, what: str, column: str) -> bytes:
    """The key of what (`value`, `shape`, `counts`) a column holds."""
    return hmac.digest(key, f"tabad {what}\0{column}".encode(), "sha256")


def keyed(key: bytes, what: str, column: str, value: bytes) -> bytes:
    """The hash of a value that a model file holds instead of it."""
    return hmac.digest(own_key(key, what, column), value, "sha256")[:16]


def check(key: bytes) -> str:
    """What tells the right key from others."""
    return hmac.digest(key, b"tabad check", "sha256")[:16].hex()


def unveil(key: bytes, column: str, start: bytes, cells: bytes) -> bytes:
    """Counts that were veiled; their keyed hash must be `start`."""
    own = own_key(key, "counts", column)
    blocks = range(-(-len(cells) // 32))
    stream = b"".join(hmac.digest(own, start + block.to_bytes(8, "little"), "sha256") for block in blocks)
    opened = bytes(cell ^ pad for cell, pad in zip(cells, stream, strict=False))
    assert hmac.digest(own, opened, "sha256")[:16] == start
    return opened

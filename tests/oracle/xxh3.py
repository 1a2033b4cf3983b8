"""XXH3 in plain Python, for the codecs' frequencies and the model file's checksum: `xxhash-rust` must agree with it.

Seed 0 and the default secret only. From the specification, doc/xxhash_spec.md of github.com/Cyan4973/xxHash. The long
form works on one block of stripes at a time with numpy; `xxh3_128` knows the long form only (more than 240 bytes).
"""

from __future__ import annotations

import numpy as np

MASK = 2**64 - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
STRIPE, BLOCK = 64, 1024


def xxh3_64(data: bytes) -> int:
    """The 64-bit hash."""
    size = len(data)
    if size > 240:
        return _merge(_accumulate(data), 11, size * P64_1)
    if size > 16:
        return _middle(data)
    if size > 8:
        low = _u64(data, 0) ^ _u64(SECRET, 24) ^ _u64(SECRET, 32)
        high = _u64(data, size - 8) ^ _u64(SECRET, 40) ^ _u64(SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche(size + swapped + high + _folded(low, high))
    if size > 3:
        joined = _u32(data, size - 4) + (_u32(data, 0) << 32)
        h = joined ^ _u64(SECRET, 8) ^ _u64(SECRET, 16)
        h ^= _rotated(h, 49) ^ _rotated(h, 24)
        h = h * 0x9FB21C651E98DF25 & MASK
        h ^= (h >> 35) + size
        h = h * 0x9FB21C651E98DF25 & MASK
        return h ^ (h >> 28)
    if size > 0:
        joined = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        return _avalanche_64(joined ^ _u32(SECRET, 0) ^ _u32(SECRET, 4))
    return _avalanche_64(_u64(SECRET, 56) ^ _u64(SECRET, 64))


def xxh3_128(data: bytes) -> int:
    """The 128-bit hash of more than 240 bytes."""
    if len(data) <= 240:
        raise NotImplementedError("the short forms are not written here")
    lanes = _accumulate(data)
    high = _merge(lanes, len(SECRET) - STRIPE - 11, ~(len(data) * P64_2) & MASK)
    return high << 64 | _merge(lanes, 11, len(data) * P64_1)


def _middle(data: bytes) -> int:
    size = len(data)
    if size <= 128:
        total = size * P64_1
        for step in range((size - 1) // 32, -1, -1):
            total += _mixed(data, 16 * step, 32 * step) + _mixed(data, size - 16 * (step + 1), 32 * step + 16)
        return _avalanche(total)
    first = _avalanche(size * P64_1 + sum(_mixed(data, 16 * step, 16 * step) for step in range(8)))
    rest = sum(_mixed(data, 16 * step, 16 * (step - 8) + 3) for step in range(8, size // 16))
    return _avalanche(first + rest + _mixed(data, size - 16, 136 - 17))


def _accumulate(data: bytes) -> np.ndarray:
    lanes = np.array([P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1], dtype=np.uint64)
    blocks = (len(data) - 1) // BLOCK
    for block in range(blocks):
        _add(lanes, data[block * BLOCK : (block + 1) * BLOCK])
        lanes ^= lanes >> np.uint64(47)
        lanes ^= np.frombuffer(SECRET[-STRIPE:], "<u8")
        lanes *= np.uint64(P32_1)
    stripes = (len(data) - 1 - blocks * BLOCK) // STRIPE
    _add(lanes, data[blocks * BLOCK : blocks * BLOCK + stripes * STRIPE])
    _add(lanes, data[-STRIPE:], start=len(SECRET) - STRIPE - 7)
    return lanes


def _add(lanes: np.ndarray, stripes: bytes, start: int = 0) -> None:
    """Add whole stripes, each keyed by the secret 8 bytes further on."""
    data = np.frombuffer(stripes, "<u8").reshape(-1, 8)
    keys = [np.frombuffer(SECRET, "<u8", 8, start + 8 * stripe) for stripe in range(len(data))]
    keyed = data ^ np.array(keys, dtype=np.uint64).reshape(-1, 8)
    lanes += ((keyed & np.uint64(2**32 - 1)) * (keyed >> np.uint64(32))).sum(0, dtype=np.uint64)
    lanes += data.sum(0, dtype=np.uint64)[[1, 0, 3, 2, 5, 4, 7, 6]]


def _merge(lanes: np.ndarray, at: int, start: int) -> int:
    pairs = [(int(lanes[2 * k]), int(lanes[2 * k + 1]), at + 16 * k) for k in range(4)]
    return _avalanche(start + sum(_folded(a ^ _u64(SECRET, k), b ^ _u64(SECRET, k + 8)) for a, b, k in pairs))


def _mixed(data: bytes, at: int, key: int) -> int:
    return _folded(_u64(data, at) ^ _u64(SECRET, key), _u64(data, at + 8) ^ _u64(SECRET, key + 8))


def _folded(a: int, b: int) -> int:
    return (a * b & MASK) ^ (a * b >> 64)


def _avalanche(h: int) -> int:
    h &= MASK
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & MASK
    return h ^ (h >> 32)


def _avalanche_64(h: int) -> int:
    h ^= h >> 33
    h = h * P64_2 & MASK
    h ^= h >> 29
    h = h * P64_3 & MASK
    return h ^ (h >> 32)


def _rotated(h: int, by: int) -> int:
    return (h << by | h >> (64 - by)) & MASK


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")

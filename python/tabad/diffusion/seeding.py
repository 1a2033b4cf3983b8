"""Torch generators: of a whole seed, of a part of it, and of no seed that could be tried.

On a processor torch's own (MT19937) takes the lower 32 bits of a seed: 1 and 1 + 2^32 are the same to it, and what one
started from may be found by trying them all.
"""

from __future__ import annotations

import secrets

import numpy as np
import torch

__all__ = ["seeded", "unseeded"]

_WORDS = 624
"""Of 32 bits: the state of MT19937 (Matsumoto and Nishimura 1998)."""
_FIRST = 24
"""Bytes before them in a generator's state; each takes eight."""


def seeded(device: torch.device, seed: int, part: int | None = None) -> torch.Generator:
    """A generator for a seed of 64 bits, and for a numbered part of what it draws, which no other part then changes."""
    if part is None and seed < 2**32:
        return torch.Generator(device=device).manual_seed(seed)
    whole = [seed] if part is None else [seed, part]
    state = np.random.SeedSequence(whole).generate_state(1, np.uint64)
    return torch.Generator(device=device).manual_seed(int(state[0] >> np.uint64(1)))


def unseeded() -> torch.Generator:
    """A generator for a processor whose whole state comes from the operating system."""
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    words = np.frombuffer(secrets.token_bytes(4 * _WORDS), "<u4").astype(np.int64)
    state[_FIRST : _FIRST + 8 * _WORDS].view(torch.int64).copy_(torch.from_numpy(words))
    generator.set_state(state)
    return generator

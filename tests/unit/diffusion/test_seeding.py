"""All 64 bits of a seed count, parts are apart, and without a seed the whole state is random."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np
import torch

from tabad.diffusion.seeding import seeded, unseeded

if TYPE_CHECKING:
    import pytest

CPU = torch.device("cpu")


def drawn(generator: torch.Generator) -> list[float]:
    return torch.rand(3, generator=generator).tolist()


def test_torch_itself_takes_32_bits() -> None:
    assert drawn(torch.Generator().manual_seed(1)) == drawn(torch.Generator().manual_seed(1 + 2**40))


def test_all_bits_of_a_seed_count() -> None:
    seeds = [0, 1, 2**32 - 1, 2**32, 1 + 2**32, 1 + 2**40, 2**63, 2**64 - 1]
    found = [drawn(seeded(CPU, seed)) for seed in seeds]
    assert len({tuple(one) for one in found}) == len(seeds)
    assert found[1] == drawn(torch.Generator().manual_seed(1))
    assert found[5] == drawn(seeded(CPU, 1 + 2**40))


def test_parts_of_a_seed_are_apart() -> None:
    found = {tuple(drawn(seeded(CPU, seed, part))) for seed in (0, 1 + 2**40) for part in range(3)}
    assert len(found) == 6


def test_without_a_seed_the_state_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(unseeded()) != drawn(unseeded())
    words = np.random.default_rng(0).integers(0, 2**32, 624, dtype=np.uint32)
    monkeypatch.setattr(secrets, "token_bytes", lambda count: words.tobytes()[:count])
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": 624}}
    # A float32 of torch is the lower 24 bits of a word.
    expected = [(int(word) & 0xFFFFFF) / 2**24 for word in twister.random_raw(5)]
    assert torch.rand(5, generator=unseeded()).tolist() == expected

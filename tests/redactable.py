"""A model that holds something of everything that a redaction takes out: what its tests share."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

import tabad

KEY = bytes(range(150, 182))
MERCHANTS = [f"merchant <{name}>" for name in ("Grüner Hof", "Osteria", "Kiosk 7", "Hardware", "Fish & Co", "Tailor")]
TOWNS = ["Ravensburg", "Ravensburg", "Lindau-Insel", "Lindau-Insel", "Konstanz/Süd", "Konstanz/Süd"]
REGIONS = ["northern shore", "southern shore"]
LABELS = ["checked-and-fine", "reported-as-fraud"]


def table(rows: int, seed: int, *, unseen: bool = False) -> pa.Table:
    """Columns of every kind that holds values; with `unseen` some that no training row has, and more nulls."""
    draw = random.Random(seed)
    places = [draw.choices(range(6), (30, 20, 10, 5, 3, 1))[0] for _ in range(rows)]

    def some(values: list[Any], other: Any) -> list[Any]:
        if unseen:
            return [draw.choices((value, other, None), (6, 1, 1))[0] for value in values]
        return [value if draw.random() < 0.97 else None for value in values]

    phrases = [f"{draw.choice(('ab', 'CDE'))}-{draw.randrange(10**5)} {'x' * place}" for place in places]
    columns = {
        "person": pa.array(some([f"person-{int(draw.paretovariate(0.6)):06d}" for _ in range(rows)], "person-x")),
        "account": pa.array(some([70_000_000 + draw.randrange(400) for _ in range(rows)], -5), pa.int64()),
        "merchant": pa.array(some([MERCHANTS[place] for place in places], "merchant <new>")),
        "town": pa.array([TOWNS[place] for place in places]).dictionary_encode(),
        "branch": pa.array(some([910_000_001 + place * place for place in places], 910_000_003), pa.int32()),
        "wide": pa.array(some([2**63 + place % 3 for place in places], 2**63 + 9), pa.uint64()),
        "open": pa.array(some([place % 2 == 0 for place in places], False)),
        "phrase": pa.array(some(phrases, "?")),
        "amount": pa.array(some([draw.lognormvariate(3, 0.8) * (1 + place) for place in places], 1e9)),
        "grade": pa.array([draw.choice((1.25, 2.75, 7777.125)) for _ in range(rows)]),
        "day": pa.array([f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}" for _ in range(rows)]),
        "region": pa.array([REGIONS[place % 2] for place in places]),
        "fraud": pa.array([LABELS[draw.random() < 0.03] for _ in range(rows)]),
    }  # fmt: skip
    return pa.table(columns)


def fitted() -> tabad.Model:
    """A model of 3,000 such rows with a brief network and a small student. Needs torch."""
    pytest.importorskip("torch")
    from tabad.diffusion import distill, presets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(32, 1, 128, 60, 1e9, atoms=4))
        patch.setattr(distill, "size_for", lambda *_: distill.Size(32, 1, 2_000, 60))
        return tabad.fit(
            table(3_000, 1),
            kinds={"person": "key", "account": "key", "branch": "category", "wide": "category", "open": "category",
                   "phrase": "text"},
            label="fraud", normal=LABELS[0], given="region", memory=200,
        )  # fmt: skip


def words(model: tabad.Model, rows: pa.Table) -> list[str]:
    """The distinct strings of a table, and its integers of categories and keys as text."""
    found = set()
    for name in ("person", "merchant", "town", "phrase", "region", "fraud", "account", "branch", "wide"):
        found |= {str(value) for value in rows[name].to_pylist() if value is not None}
    return sorted(word for word in found if len(word) > 3)

"""How large a network is and how long it trains, by quality and size of the table.

Measured on two CPU cores; small tables overfit, so they get smaller, regularised networks.
"""

from __future__ import annotations

from dataclasses import dataclass

from .categorical import Kind
from .pieces import PIECES

__all__ = ["Preset", "preset"]


@dataclass(frozen=True)
class Preset:
    """The knobs of one training run: `steps`, or fewer where `seconds` would not do."""

    width: int
    blocks: int
    batch: int
    steps: int
    seconds: float
    rate: float = 2e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.01
    dropout: float = 0.0
    ema: float = 0.995
    patience: int = 6
    """Evaluations without a better held-out loss before training stops."""
    evaluations: int = 20
    kind: Kind = Kind.MASKED
    drop_label: float = 0.15
    """Share of rows whose label is withheld, for guidance (Ho and Salimans 2022)."""
    rare_share: float = 0.0
    """Share of the labelled rows that are drawn evenly over the labels: then few rows are learned by heart."""
    pieces: int = PIECES
    """Pieces in which a number is told (`pieces`)."""
    atoms: int = 0
    """Values of a number, at most, that the network knows by name (`atoms`)."""
    matched: int = 0
    """Rows that are generated, three times, to make codes as frequent and numbers as spread as in the training rows; 0:
    they stay as they were learned."""


def preset(quality: str, rows: int, *, generates: bool = False) -> Preset:
    """The preset of `quality` ("default", "best" or "brief") for a table of `rows` training rows.

    `generates`: the model is for generation alone; of quality default it then knows atoms, with dropout.

    "brief" is for loops that fit some twenty networks: a few seconds each, half of the labelled rows drawn evenly over
    the labels, so that a rare class is seen often.
    """
    small = rows < 3_000
    atoms = 32 if generates else 0
    if quality == "brief":
        return Preset(128, 2, 256, 400, 60.0, weight_decay=0.05, dropout=0.1, evaluations=10, rare_share=0.5)
    if quality == "default":
        if small:
            return Preset(128, 2, 256, 1_000, 60.0, weight_decay=0.05, dropout=0.1, matched=8_192)
        if rows < 20_000:
            steps = min(3_000, max(450, (rows - 2_500) // 5))
            matched = min(16_384, max(8_192, 2 * rows))
            return Preset(
                160, 3, 512, steps, 90.0, rate=3e-3, weight_decay=0.02, dropout=0.05, atoms=atoms, matched=matched
            )
        # What knows values by name is nearer to its rows: an attack on adult finds 11.7 % of them at 10 % false ones,
        # without this; 11.3 % with it (11.1 % without names).
        decay, dropout = (0.02, 0.05) if generates else (0.01, 0.0)
        return Preset(192, 3, 512, 3_000, 180.0, weight_decay=decay, dropout=dropout, atoms=atoms, matched=32_768)
    if quality == "best":
        if small:
            return Preset(
                192, 3, 256, 4_000, 3_600.0, weight_decay=0.05, dropout=0.1, ema=0.999, evaluations=40, matched=32_768
            )
        return Preset(
            320, 4, 1_024, 25_000, 3_600.0, rate=1.5e-3, ema=0.999, patience=12, evaluations=100, pieces=26,
            atoms=64, matched=32_768,
        )  # fmt: skip
    raise ValueError(f"quality is {quality!r}; it can be 'default', 'best' or 'brief'")

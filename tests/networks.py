"""Encoded rows by chance, for tests that train a small network on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


def encoded_rows(
    draw: np.random.Generator, rows: int, sizes: Sequence[int], status: Sequence[int], *, far: int, atoms: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    """`(x, c)`: numbers there in three rows of four at least, half of the rows `far` times as wide; absent ones are 0.

    `atoms`: three rows in five have one of three values.
    """
    x = (draw.normal(size=(rows, len(status))) * draw.choice([1, far], size=(rows, 1))).astype(np.float32)
    c = (draw.random((rows, len(sizes))) * sizes).astype(np.uint16)
    for number, at in enumerate(status):
        c[: rows * 3 // 4, at] = 0
        if atoms:
            x[: rows * 3 // 5, number] = np.tile(np.float32([-0.5, 1.25, 8.0]), rows // 5)
        x[c[:, at] != 0, number] = 0.0
    return x, c

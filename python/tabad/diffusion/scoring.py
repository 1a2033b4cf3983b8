"""Energies for the scoring path on a GPU: what memory and network find in whole batches of encoded rows.

`_core.Model.with_energies` calls it in place of its own denoisers; encoding, combination, calibration and reasons stay
where they are. fp32 without TF32. Axes: B rows, N numbers, C categories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from . import export
from .energies import energies, exact
from .memory import Memory

if TYPE_CHECKING:
    from tabad import _core

__all__ = ["Elsewhere"]


class Elsewhere:
    """What `_core.Model.with_energies` calls, for one model on one device."""

    def __init__(self, core: _core.Model, device: torch.device) -> None:
        told, network = core.memory(), core.network()
        self.device = device
        self.memory = None if told is None else Memory(*told, device)
        self.network = None if network is None else export.load(*network, device).eval()

    def __call__(
        self, rows: int, x: bytes, c: bytes, wide_from: int, roots: bool, conditional: bool
    ) -> tuple[bytes, bytes, bytes, bytes]:
        """The memory's row energies and conditional ones, the network's joint and conditional ones, as float32."""
        x_BN = torch.tensor(np.frombuffer(x, "<f4").reshape(rows, -1) if x else np.zeros((rows, 0), "<f4"))
        c_BC = torch.tensor(np.frombuffer(c, "<u2").reshape(rows, -1).astype(np.int32))
        found: list[Tensor] = []
        if self.memory is not None:
            with exact():
                on = (x_BN.to(self.device), c_BC.to(self.device))
                found += self.memory.energies(*on, wide_from=wide_from, roots=roots)
        else:
            found += [x_BN[:, :0]] * 2
        if self.network is not None:
            joint, of_columns = energies(self.network, x_BN, c_BC.long(), self.device, conditional=conditional)
            found += [joint, of_columns if conditional else joint[:, :0]]
        else:
            found += [x_BN[:, :0]] * 2
        return _bytes(found[0]), _bytes(found[1]), _bytes(found[2]), _bytes(found[3])


def _bytes(part: Tensor) -> bytes:
    return bytes(part.cpu().numpy().astype("<f4").tobytes())

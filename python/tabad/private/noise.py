"""Noise: OpenDP's exact discrete Gaussian on a lattice of 2^-20, from the operating system's generator.

All that is measured is put on the lattice in whole numbers first, so that no floating-point arithmetic stands between
the sensitivity and the noise (Mironov 2012 shows what happens otherwise; sampler: Canonne, Kamath and Steinke 2020).
On a lattice so fine beside the noise (a standard deviation is 1,000 steps and more, mostly 10 million) its privacy
curve is that of the continuous Gaussian to as many digits. A seed is for tests only: such noise protects nobody, and
the model says so.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tabad._lazy import need

__all__ = ["LATTICE", "Noise"]

LATTICE = 2**20
"""Steps per unit."""

Floats = npt.NDArray[np.float64]


class Noise:
    """Adds Gaussian noise. `seed`: reproducible noise from numpy, for tests; then nothing is private."""

    def __init__(self, seed: int | None = None) -> None:
        self.secret = seed is None
        self._draw = None if seed is None else np.random.default_rng(seed)
        if seed is None:
            need("opendp", extra="private", purpose="draw noise that protects")

    def counts(self, counts: npt.NDArray[np.int64], sigma: float) -> Floats:
        """Whole numbers with noise of standard deviation `sigma`, as multiples of 2^-20."""
        return self._on_lattice(counts.astype(np.int64) * LATTICE, sigma)

    def reals(self, values: Floats, sigma: float) -> Floats:
        """Reals, rounded down to the lattice, with noise. The sensitivity of each must allow for one step more."""
        return self._on_lattice(np.floor(values * LATTICE).astype(np.int64), sigma)

    def _on_lattice(self, steps: npt.NDArray[np.int64], sigma: float) -> Floats:
        if not (math.isfinite(sigma) and sigma * LATTICE >= 1000.0):
            raise AssertionError(f"noise of {sigma} is too little for the lattice")
        if self._draw is not None:
            noise = np.rint(self._draw.normal(size=steps.shape) * sigma * LATTICE)
            return np.asarray((steps + noise) / LATTICE, np.float64)
        noisy = _gaussian(sigma * LATTICE)(steps.ravel().tolist())
        return np.asarray(noisy, np.float64).reshape(steps.shape) / LATTICE


def _gaussian(scale: float) -> Any:
    """OpenDP's discrete Gaussian on vectors of integers."""
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    return make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale=scale)

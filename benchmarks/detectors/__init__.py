"""The methods that are compared: tabad itself through its public API, and its peers.

One small file per method. A method is a function from training and test rows to scores, higher = more anomalous,
with the encoding it wants. When the setting is contaminated, `test` is the very object that `train` is.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.encoders import Encoding

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """What a method is given."""

    train: Any
    test: Any
    contaminated: bool
    seed: int
    threads: int
    budget: float = 600.0
    """Seconds a slow method may train before it stops and says so."""
    earlier: Mapping[str, Scores] = field(default_factory=dict)
    """Scores of methods that have just run on the same rows."""


@dataclass(frozen=True)
class Scored:
    """Scores of the test rows, and what the table must say about how they came about."""

    scores: Scores
    note: str = ""


@dataclass(frozen=True)
class Method:
    """A detector with its best known settings."""

    name: str
    encoding: Encoding
    run: Callable[[Task], Scored]
    version: Callable[[], str]
    """Changes whenever the scores may: results are cached by it."""
    slow: bool = False
    """Runs within a budget of time, which is then part of its cache key."""


def fixed(version: str) -> Callable[[], str]:
    """The version of a method that changes only by hand."""
    return lambda: version


Quality = Literal["fast", "default"]
Mechanism = Literal["combined", "density", "score-function", "reconstruction", "conditional", "diffusion-time"]
QUALITIES: tuple[Quality, ...] = ("fast", "default")
MECHANISMS: tuple[Mechanism, ...] = ("density", "score-function", "reconstruction", "conditional", "diffusion-time")


def mechanism_name(quality: Quality, mechanism: Mechanism) -> str:
    """What a mechanism by itself is called: `tabad-density`, `tabad-fast-density`."""
    return f"tabad-{mechanism}" if quality == "default" else f"tabad-{quality}-{mechanism}"


_HOME = {
    "tabad-fast": "tabad",
    "tabad": "tabad",
    "tabad-student": "tabad",
    "kNN": "neighbours",
    "LOF": "lof",
    "IsolationForest": "forest",
    "ECOD": "ecod",
    "HBOS": "hbos",
    "PCA": "pca",
    "OCSVM": "ocsvm",
    "MCD": "mcd",
    "kNN+IF+MCD": "rank_mean",
    "DTE-NP": "dte_np",
    "DTE-C": "dte_c",
    "TCCM": "tccm",
    "K-DSM": "kdsm",
    "kNN-skrub": "neighbours",
    "kNN-Gower": "gower",
    "IsolationForest-skrub": "forest",
    "MaskDiff-AD": "maskdiff",
    "MaskDiff-AD-kernel": "maskdiff_kernel",
    **{mechanism_name(quality, mechanism): "tabad" for quality in QUALITIES for mechanism in MECHANISMS},
}
NAMES = tuple(_HOME)

OURS = ("tabad-fast", "tabad", "tabad-student")
SHALLOW = ("kNN", "LOF", "IsolationForest", "ECOD", "HBOS", "PCA", "OCSVM", "MCD", "kNN+IF+MCD", "DTE-NP")
DEEP = ("DTE-C", "TCCM", "K-DSM")
MIXED_ONLY = ("kNN-skrub", "kNN-Gower", "IsolationForest-skrub", "MaskDiff-AD-kernel")
MIXED_DEEP = ("MaskDiff-AD",)


def method(name: str) -> Method:
    """The method of that name; its libraries are imported now and not before."""
    if name not in _HOME:
        raise SystemExit(f"no method is called {name!r}; there are: {', '.join(NAMES)}")
    module = importlib.import_module(f"benchmarks.detectors.{_HOME[name]}")
    found: dict[str, Method] = {m.name: m for m in module.METHODS}
    return found[name]

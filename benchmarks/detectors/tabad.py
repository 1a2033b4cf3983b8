"""tabad itself: its public Python API, its defaults, the Rust scorer. Never a research copy.

Clean: every training row is known to be normal, which is said as a user would say it: by a label column.
Contaminated: the table is screened against itself. `tabad-student` is the student's score of the same fit, and the
teacher's where the fit has no student (few rows, a screened table).
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from benchmarks.detectors import MECHANISMS, QUALITIES, Mechanism, Method, Quality, Scored, Task, mechanism_name

_LABEL = "benchmark_label"


def _score(
    task: Task,
    quality: Quality,
    scorer: Literal["teacher", "student"] = "teacher",
    mechanism: Mechanism = "combined",
) -> Scored:
    import tabad

    if scorer == "student" and task.contaminated and "tabad" in task.earlier:
        return Scored(task.earlier["tabad"])
    if task.contaminated:
        answer = tabad.score(
            task.train, quality=quality, mechanism=mechanism, seed=task.seed, explain="none", threads=task.threads
        )
    else:
        model = _fitted(task, quality, mechanism)
        student = scorer == "student" and model.manifest["student"] is not None
        answer = (model.with_scorer("student") if student else model).score(
            task.test, explain="none", threads=task.threads
        )
    scores = answer["tabad_score"].to_numpy().astype(np.float64)
    assert np.isfinite(scores).all(), "a score is never null and never NaN"
    return Scored(scores)


_last: list[tuple[Any, tuple[str, str, int], Any]] = []
"""The last fit and what it was of: teacher and student of one fit are asked for one after the other."""


def _fitted(task: Task, quality: Quality, mechanism: Mechanism) -> Any:
    import tabad

    wanted = (quality, mechanism, task.seed)
    for train, made, model in _last:
        if train is task.train and made == wanted:
            return model
    labelled = task.train.append_column(_LABEL, pa.repeat("normal", task.train.num_rows))
    model = tabad.fit(
        labelled,
        label=_LABEL,
        normal="normal",
        quality=quality,
        mechanism=mechanism,
        seed=task.seed,
        threads=task.threads,
    )
    _last[:] = [(task.train, wanted, model)]
    return model


@cache
def build() -> str:
    """A fingerprint of the compiled module and of what trains the network: other build, other results."""
    import tabad
    from tabad import _core

    home = Path(tabad.__file__).parent
    sources = [Path(_core.__file__), home / "fitting.py", *sorted((home / "diffusion").glob("*.py"))]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _alone(quality: Quality, mechanism: Mechanism) -> Method:
    """One scoring mechanism by itself (`--mechanism`), for comparison with the default."""
    name = mechanism_name(quality, mechanism)
    return Method(name, "raw", lambda task: _score(task, quality, mechanism=mechanism), build)


METHODS = (
    Method("tabad-fast", "raw", lambda task: _score(task, "fast"), build),
    Method("tabad", "raw", lambda task: _score(task, "default"), build),
    Method("tabad-student", "raw", lambda task: _score(task, "default", "student"), build),
    *(_alone(quality, mechanism) for quality in QUALITIES for mechanism in MECHANISMS),
)

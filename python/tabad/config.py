"""Frozen options, as the layers pass them on. They hold choices only; the layer that uses one checks it."""

import math
import operator
from dataclasses import dataclass, field
from typing import Any, Literal

from tabad.errors import UsageError

Quality = Literal["fast", "default", "best"]
Explain = Literal["flagged", "all", "none"]
Device = Literal["auto", "cpu", "cuda"]
Mechanism = Literal["combined", "density", "score-function", "reconstruction", "conditional", "diffusion-time"]

KEPT_ROWS, MORE_KEPT_ROWS = 2048, 8192
"""Rows that a model keeps, and more where they are normal and the quality is not fast: the densities gain by them, at
half the speed. Of rows that may be anomalies more would let these vouch for each other."""
PrivateMethod = Literal["marginals", "dp-sgd"]
Scorer = Literal["teacher", "student"]

QUALITIES: tuple[Quality, ...] = ("fast", "default", "best")
EXPLAINS: tuple[Explain, ...] = ("flagged", "all", "none")
MECHANISMS: tuple[Mechanism, ...] = (
    "combined", "density", "score-function", "reconstruction", "conditional", "diffusion-time",
)  # fmt: skip
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")
PRIVATE_METHODS: tuple[PrivateMethod, ...] = ("marginals", "dp-sgd")
SCORERS: tuple[Scorer, ...] = ("teacher", "student")
MOST_THREADS = 4_096


def one_of(value: str, choices: tuple[str, ...], option: str) -> None:
    """Raise `UsageError` unless `value` is one of `choices`."""
    if value not in choices:
        raise UsageError(
            f"`{option}` is {value!r}, which is not one of {', '.join(choices)}",
            name="option-unknown",
        )


def check_count(count: int, option: str, least: int = 0) -> None:
    """Raise `UsageError` unless `count` is a whole number of at least `least`, 0 or 1."""
    if not _is_whole(count):
        raise UsageError(f"`{option}` is {count!r}, which is no whole number", name="option-range")
    if count < least:
        said = "cannot be negative" if least == 0 else "must be 1 or more"
        raise UsageError(f"`{option}` is {count}, and {said}", name="option-range")


def check_seed(seed: int) -> None:
    """Raise `UsageError` unless a seed is a number of 64 bits."""
    if not _is_whole(seed):
        raise UsageError(f"`seed` is {seed!r}, which is no whole number", name="option-range")
    if not 0 <= seed < 2**64:
        raise UsageError(f"`seed` is {seed}, outside 0 to 2^64 - 1", name="option-range")


def check_guidance(guidance: float) -> None:
    """Raise `UsageError` unless `guidance` is a finite number of at least 0."""
    if not 0.0 <= guidance < math.inf:
        raise UsageError(f"`guidance` is {guidance:g}, and must be a finite number of 0 or more", name="option-range")


def _is_whole(value: Any) -> bool:
    try:
        return operator.index(value) is not None
    except TypeError:
        return False


def check_threads(threads: int) -> None:
    """Raise `UsageError` unless so many threads can be started; 0: one a core."""
    if not 0 <= threads <= MOST_THREADS:
        raise UsageError(f"`threads` is {threads}, outside 0 to {MOST_THREADS:,}", name="option-range")


def label_text(value: Any) -> str:
    """A label as the text it is told by: `1` of 1, 1.0 and "1", `true` of True."""
    if isinstance(value, str):
        return value
    import pyarrow as pa

    from tabad import _core

    return str(_core.label_texts(pa.table({"label": pa.array([value])}))[0])


@dataclass(frozen=True, kw_only=True)
class PrivateOptions:
    """How private: one (epsilon, delta) for the whole fit, of a row or of a unit with so many rows at most."""

    epsilon: float
    delta: float = 1e-6
    bounds: str | None = None
    """A file of public bounds and vocabularies."""
    unit: str | None = None
    unit_rows: int = 1
    method: PrivateMethod = "marginals"
    noise_seed: int | None = None
    """For tests: with a seed the noise protects nobody, and the model says so."""

    def __post_init__(self) -> None:
        one_of(self.method, PRIVATE_METHODS, "private method")
        if not 0 < self.epsilon <= 50:
            raise UsageError(
                f"epsilon is {self.epsilon:g}, and must be above 0 and at most 50",
                name="option-range",
                hint="1 is strong, 3 is usual, above 10 protects little",
            )
        if not 0 < self.delta < 0.01:
            raise UsageError(
                f"delta is {self.delta:g}, and must be above 0 and below 0.01",
                name="option-range",
                hint="take one far below 1 / rows, such as 1e-6",
            )
        if not 1 <= self.unit_rows <= 1_000:
            raise UsageError(f"`unit_rows` is {self.unit_rows}, and must be 1 to 1,000", name="option-range")
        if self.method == "dp-sgd" and self.unit_rows > 1:
            raise UsageError(
                f"dp-sgd draws rows, not units: it protects one row of each, and `unit_rows` is {self.unit_rows}",
                name="options-conflict",
                hint="take the method marginals, or one row of each unit",
            )
        if self.unit is None and self.unit_rows != 1:
            raise UsageError(
                "`unit_rows` says how many rows of a unit count, and no unit is named", name="unit-missing"
            )


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to fit: what the columns are, what to leave out, how much work to spend."""

    kinds: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    label: str | None = None
    normal: str | None = None
    feedback: str | None = None
    given: tuple[str, ...] = ()
    mechanism: Mechanism = "combined"
    quality: Quality = "default"
    memory: int | None = None
    """Rows that the model keeps; None leaves it to the quality."""
    constraints: tuple[str, ...] = ()
    """What rows obey, as text, beside what is found; `none` finds nothing."""
    seed: int = 0
    device: Device = "auto"
    threads: int = 0
    unit: str | None = None
    """The column that says whose row it is: rows of one value are held out together or not at all."""
    all_rows: bool = False
    """Hold nothing out: for models that generate, and for a table that is screened against itself."""
    private: PrivateOptions | None = None

    def __post_init__(self) -> None:
        one_of(self.quality, QUALITIES, "quality")
        one_of(self.device, DEVICES, "device")
        one_of(self.mechanism, MECHANISMS, "mechanism")
        if self.normal is not None and self.label is None:
            raise UsageError(
                f"normal={self.normal!r} needs a label column to read it from",
                name="normal-without-label",
                hint="name the column with --label (label=...)",
            )
        if self.memory is not None and self.memory < 0:
            raise UsageError(f"`memory` is {self.memory}, and cannot be negative", name="option-range")
        check_seed(self.seed)
        check_threads(self.threads)
        if self.private is not None:
            self._refuse_beside_private()

    def _refuse_beside_private(self) -> None:
        beside = {
            "memory": self.memory, "feedback": self.feedback, "kinds": self.kinds, "all_rows": self.all_rows,
            "unit": self.unit,
        }  # fmt: skip
        given = [name for name, on in beside.items() if on]
        if given:
            raise UsageError(
                f"{' and '.join(given)} {'does' if len(given) == 1 else 'do'} not go with a private fit",
                name="options-conflict",
                hint="it keeps no rows of the table and holds none out; kinds come from --public-bounds and the types "
                "of the columns, and whom it protects is said in PrivateOptions(unit=...)",
            )

    @property
    def kept_rows(self) -> int:
        """Rows that the model keeps at most: more of them only where they are known to be normal."""
        if self.memory is not None:
            return self.memory
        return KEPT_ROWS if self.quality == "fast" or self.normal is None else MORE_KEPT_ROWS


@dataclass(frozen=True)
class Decision:
    """What makes a row flagged: at most one of a p-value, a false discovery rate, a number of rows."""

    level: float | None = None
    fdr: float | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("level", "fdr", "top") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(
                f"{' and '.join(given)} are given together, and each decides alone which rows are flagged",
                name="options-conflict",
                hint="keep one of them",
            )
        for name in ("level", "fdr"):
            share = getattr(self, name)
            if share is not None and not 0 < share < 1:
                raise UsageError(f"`{name}` is {share:g}, which is not between 0 and 1", name="option-range")
        if self.top is not None and self.top < 1:
            raise UsageError(f"`top` is {self.top}, and must be at least 1", name="option-range")

    @property
    def whole_table(self) -> bool:
        """True when the table must be read once before the first row can be decided."""
        return self.fdr is not None or self.top is not None


@dataclass(frozen=True)
class ScoreOptions:
    """How to score: the decision, and what to say about the rows."""

    decision: Decision = Decision()
    explain: Explain = "flagged"
    reasons: int = 3
    prefix: str = "tabad_"
    oddest: int = 10
    threads: int = 0
    drift: bool = False
    """Weigh p-values for the mix of rows that the table has."""

    def __post_init__(self) -> None:
        one_of(self.explain, EXPLAINS, "explain")
        if self.reasons < 1:
            raise UsageError(f"`reasons` is {self.reasons}, and must be at least 1", name="option-range")
        check_threads(self.threads)

    @property
    def whole_table(self) -> bool:
        """True when the table must be read once before the first row can be decided."""
        return self.decision.whole_table or self.drift

    @property
    def columns(self) -> tuple[str, str, str, str]:
        """Names of the four columns that scoring adds."""
        p = self.prefix
        return (f"{p}score", f"{p}p_value", f"{p}flag", f"{p}reasons")


@dataclass(frozen=True)
class AuditOptions:
    """How to audit: what to leave out, a class to look at by itself, how many rows the attacks look at."""

    label: str | None = None
    value: str | None = None
    """The class: what the label column reads."""
    kinds: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    rows: int = 10_000
    seed: int = 0
    threads: int = 0
    unit: str | None = None
    """The column that says whose row it is: one row of each is looked at."""

    def __post_init__(self) -> None:
        if (self.label is None) != (self.value is None):
            given, lacking = ("label", "class") if self.value is None else ("class", "label")
            raise UsageError(
                f"a {given} is given without a {lacking}, and only both say which rows to look at by themselves",
                name="audit-class",
                hint="for example --label is_fraud --class 1 (label='is_fraud', class_value='1')",
            )
        if self.rows < 20:
            raise UsageError(f"`rows` is {self.rows}, and must be at least 20", name="option-range")
        check_seed(self.seed)
        check_threads(self.threads)

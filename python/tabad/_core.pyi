"""The documented face of the compiled module.

Tables cross as Arrow streams (the PyCapsule interface), blocks as buffers (`pyarrow.Buffer` out, anything with the
buffer protocol in): `x_BN` float32 and `c_BC` uint16, row-major, little-endian. Words: see CONTRIBUTING.md. Every
method that works on rows releases the GIL, and stops at Ctrl-C between two batches.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol, Self, final, type_check_only

from typing_extensions import Buffer

__all__ = [
    "DEBUG",
    "SEED_ROWS",
    "Fit",
    "Generator",
    "Model",
    "ScoreStream",
    "Splice",
    "TypedStream",
    "__version__",
    "label_texts",
    "network_energies",
]

@type_check_only
class ArrowStream(Protocol):
    """Anything with the Arrow PyCapsule stream interface, and not yet consumed."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

__version__: str
"""Version of the compiled module; equals `tabad.__version__`."""

DEBUG: bool
"""True in a debug build, which benchmarks refuse to time."""

SEED_ROWS: int
"""Rows that `Generator.sample` draws by one seed."""

def label_texts(stream: ArrowStream) -> Any:
    """pyarrow.StringArray of the first column of a stream: the text by which labels are told; null stays null."""

def network_energies(
    config: str, weights: bytes, rows: int, x: bytes, c: bytes, noised: int | None = None
) -> tuple[bytes, bytes]:
    """`(joint_BJF, conditional_BF)` float32 of a network alone, to hold Rust, torch and numpy together in tests.

    `noised`: joint energies of rows under one of four corruptions, as reconstruction asks them.
    """

@final
class Fit:
    """One fit: observe the table once, then prepare, then finish.

    `screen=True` fits for self-screening: nothing is held out, p-values are rank shares, and a row
    never votes for itself. `normal` needs `label`: only rows whose label reads `normal` feed
    the memory, the tails and the calibration.
    """

    def __new__(
        cls,
        *,
        kinds: dict[str, str] | None = None,
        ignore: list[str] | None = None,
        label: str | None = None,
        normal: str | None = None,
        feedback: str | None = None,
        memory: int = 2048,
        seed: int = 0,
        screen: bool = False,
        given: list[str] | None = None,
        mechanism: str = "combined",
        rules: bool = True,
        unit: str | None = None,
        threads: int = 0,
    ) -> Self:
        """`kinds`: column -> number|category|boolean|datetime|text|key|id. `memory`: rows kept, 0 for none.

        `given`: context columns, which rows are judged by and never for. `mechanism`: combined|density|score-function|
        reconstruction|conditional|diffusion-time. `rules`: orders, sums and products are looked for. `unit`: the column
        whose values are held out whole; not modelled.
        Raises `UsageError` for an unknown kind or mechanism, for `normal` without `label`, and for a `unit` that is the
        label, feedback, context, or beside `screen`.
        """

    def observe(self, stream: ArrowStream) -> int:
        """Read a stream to its end, in one pass; return the number of rows seen so far.

        May be called again with a further stream of the same schema. Raises `InputError` for nested
        columns (all of them named) and for columns named in `kinds`, `ignore` or `label` that are not there.
        """

    def prepare(self) -> str:
        """Freeze the codecs, split the sample, build the memory. Returns the manifest so far as JSON.

        Raises `InputError` where the rows are too few (fewer than 20 to screen or fit), where no
        column is left to model, and where `normal` matches no row.
        """

    def training_block(self) -> tuple[int, Buffer, Buffer, bytes]:
        """`(rows, x_BN, c_BC, labels)` of the training part; `labels` is uint16 per row (empty without a label)."""

    def held_out_block(self) -> tuple[int, Buffer, Buffer, bytes]:
        """The same of the reference part, for early stopping."""

    def set_network(self, config: str, weights: bytes) -> None:
        """Give the fit a trained network: its JSON config and a safetensors file of float32 weights."""

    def constraints(self) -> str:
        """The orders, sums and products that the rows of the sample obey, all but one in a hundred: JSON as below."""

    def set_constraints(self, text: str) -> None:
        """Give the fit what its rows obey, or nearly all of them, instead of what it found: a JSON list of `rule`,
        `columns`, `given`, `broken` (rows that broke it, or null), `rows` (of how many) and `pairs`. Rows that break
        one are raised, those that calibrate among them.

        Raises `UsageError` for what is no such list.
        """

    def judge(self) -> bool:
        """Compute reference statistics and calibration; whether a student may be taught: not where the fit screens its
        own table, has fewer than 500 (normal) rows, or follows feedback."""

    def teach(self, rows: int, x: Buffer, c: Buffer) -> tuple[Buffer, Buffer]:
        """`(score_B, tail_BF)` float32 of encoded rows by the teacher, in nats; a kept row does not vote for itself.

        A tail is the root of the mean squared tail of a feature over the denoisers. Raises `UsageError` for blocks
        of another shape."""

    def set_student(self, config: str, weights: bytes) -> None:
        """Give a judged fit a trained student, which is calibrated by its own scores: its JSON config and a safetensors
        file of float32 weights. Raises `ModelFileError` where they do not fit."""

    def finish(self) -> Model:
        """The model, with reference statistics and calibration by the scorers that will be used."""

@final
class Model:
    """A fitted model. Immutable; safe to share between threads."""

    @staticmethod
    def from_bytes(data: bytes) -> Model:
        """Read a model file. Raises `ModelFileError` that says what is damaged; never runs code."""

    def to_bytes(self) -> bytes:
        """The model file. The same model gives the same bytes."""

    def with_scorer(self, scorer: str) -> Model:
        """The same model where `teacher` or `student` scores. Raises `UsageError` where it does not have that one."""

    def with_energies(
        self, function: Callable[[int, bytes, bytes, int, bool, bool], tuple[bytes, bytes, bytes, bytes]] | None
    ) -> Model:
        """The same model where a function computes the teacher's energies, a batch at a time; None: the denoisers do.

        It is called with `(rows, x_BN, c_BC, wide_from, roots, conditional)` and answers with float32: the memory's row
        energies [B, R] and conditional ones [B, F], the network's joint [B, J, F] and conditional ones [B, F]; empty
        for what the model lacks, the last unless `conditional`. Raises `UsageError` for a student and for mechanisms
        that ask for more.
        """

    def memory(self) -> tuple[str, Buffer, Buffer] | None:
        """`(facts, x_NM, c_CM)` of the kept rows, column by column, for `diffusion.memory`. None without them."""

    def student_alone(self) -> Model:
        """The model without its teacher and kept rows. Raises `UsageError` where it has no student."""

    def redacted(self, key: bytes) -> Model:
        """The student alone, with keyed hashes where the model held values; open to score.

        Raises `UsageError` for a key under 16 bytes, and for a model that is private, redacted or has no student.
        """

    def with_key(self, key: bytes) -> Model:
        """A redacted model, open to score. Raises `UsageError` for another key and for a model that is not redacted.

        Without it every method that looks values up (`score`, `survey`, `encode`, `energies`) is refused."""

    def manifest(self) -> str:
        """The canonical JSON manifest: format, version, columns, sizes, splits, seed, calibration.

        `columns`: list of `{"name", "type", "kind", "features": [{"part", "number"|"category", ...}]}` in the
        table's order, ids and ignored columns included (`kind` "id" / "ignored").
        `calibration`: "held-out" | "cross-fitted" | "self"; `calibration_rows`, `reference_rows`,
        `training_rows`, `kept_rows`: integers. `level_ppm`: default level in parts per million.
        `unseen`: codes that are never to be generated, counted over all category columns in a row.
        `mechanism`: what the score is made of. `groups`: calibration rows of each group of `given` values, those of no
        group of their own last; empty without. `strata`: how many a drift is told by, or 0. `label`: null or
        `{"column", "values", "normal"}`.
        `network`: null or its config. `scorer`: "teacher" | "student", the one in use, whose calibration is the one
        told; `teacher`: whether there is one; `student`: null or its config.
        `redacted`: whether values are under a keyed hash. `holds`: what of the training data is in the file; of each
        column `values` in clear and `hashed`, `kept` to generate from, `numbers` that are all that occur, those that
        many rows share (`shared`), whether the smallest and the largest are there (`range`), and `counts` of values:
        "readable" by an unkeyed hash, "veiled" under the key, or null.
        `constraints`: list of `{"rule", "columns", "given", "broken", "rows", "checked", "pairs": how many}`, and
        `"of_normal": true` where these rows are those known to be normal and some of the others break it.
        """

    def constraints(self) -> str:
        """What rows obey, as JSON: a list of `{"rule", "columns", "given", "broken", "rows", "pairs": [[from, to]]}`.

        `rule`: at_most | sum | product | determines | null_together | null_with | null_by. `broken`: how many of the
        `rows` that the fit looked at broke it, null where that is not known; a scored row that breaks an order, a sum
        or a product that few broke, or a rule about nulls that none did, is raised. Pairs are values as text, of
        null_by with `null` or `there`. A product may have `decimals`, to which it is rounded; `of_normal` is true where
        normal rows obey and others do not.
        """

    def schema(self) -> Any:
        """pyarrow.Schema of the modelled columns as they were when fitted, ids included."""

    def threshold(self, level: float | None = None) -> float | None:
        """The smallest score with a p-value up to the level, groups of `given` aside; None where no score has one.

        Without a level: up to that at which the model flags.
        """

    def score(
        self,
        stream: ArrowStream,
        *,
        level: float | None = None,
        threshold: float | None = None,
        explain: Literal["flagged", "all", "none"] = "flagged",
        reasons: int = 3,
        prefix: str = "tabad_",
        append: bool = True,
        oddest: int = 10,
        first_row: int = 0,
        threads: int = 0,
        rows: int | None = None,
        strata: list[int] | None = None,
        levels: list[float] | None = None,
    ) -> ScoreStream:
        """THE scoring path: batches in, the same batches plus four columns out, lazily.

        The added columns are `{prefix}score` float64, `{prefix}p_value` float64, `{prefix}flag` bool and
        `{prefix}reasons` list<struct<column: utf8, seen: utf8, expected: utf8, share: float32>>.
        `append=False` gives only those four. A row is flagged when `p_value <= level`; with `threshold`
        when `score >= threshold`; with neither, by the model's own rule: a self-calibrated model flags
        the rows that stand out among `rows` rows (default: as many as it was fitted on), any other model uses
        its default level. `strata`: rows of the whole table in each stratum, as `survey` counts them: p-values are
        weighed for this mix of rows, and with `levels` a row is flagged when its p-value is up to that of its stratum.
        Raises `UsageError` where the model cannot weigh, and `InputError` when a column is missing or has another type
        (all of them named), or when a column already has one of the four names.
        """

    def check_drift(self) -> None:
        """Raises `UsageError` where p-values cannot be weighed for a drift: the model has no strata."""

    def survey(
        self, stream: ArrowStream, *, top: int = 0, drift: bool = False, fdr: float | None = None, threads: int = 0
    ) -> str:
        """First pass for `--fdr`, `--top` and `--drift`: JSON `{"rows", "p_values", "threshold", "drift"}`.

        `p_values`: pairs of a p-value and the number of rows that have it, ascending; `threshold` is the score of the
        `top`-th oddest row (null when `top` is 0 or the table is empty). With `drift` the p-values are weighed, and
        `drift` is `{"rows": in each stratum, "smallest": p-value in each, "level": the default one,
        "effective_rows", "distance", "selection"}`, else null. With `fdr` the selection is `{"levels": p-value up to
        which rows of each stratum are selected, 0 for none, "passed": rows selected before pruning}`, else null.
        Raises `UsageError` where the model has no strata.
        """

    def updated(self, stream: ArrowStream, *, memory: int = 2048, seed: int = 0, threads: int = 0) -> Model:
        """A new model after further rows: codecs and network as they were, memory of both, calibration of the new rows.

        Raises `InputError` where the table does not fit, or has fewer than 500 (normal) rows, and `UsageError` for
        a model that is calibrated on the table it screened.
        """

    def encode(self, stream: ArrowStream, *, threads: int = 0) -> tuple[int, Buffer, Buffer]:
        """`(rows, x_BN, c_BC)` of a table."""

    def decode(self, rows: int, x: Buffer, c: Buffer, *, first_row: int = 0) -> Any:
        """pyarrow.RecordBatch in the fitted schema (without ignored columns and label): the inverse of `encode`."""

    def nearest(
        self,
        rows: tuple[int, Buffer, Buffer],
        reference: tuple[int, Buffer, Buffer],
        *,
        k: int = 1,
        columns: list[str] | None = None,
        exclude_self: bool = False,
        threads: int = 0,
    ) -> tuple[Buffer, Buffer]:
        """`(distance_BK float32, row_BK uint32)`: the `k` rows of `reference` nearest to each of `rows`, nearest first.

        Both are blocks as `encode` gives them. Squared Euclidean, a category as its one-hot code over sqrt 2: a
        mismatch costs 1 (less in a column of several parts). Exact; the earlier row wins a tie; infinite and
        2^32 - 1 where `reference` has fewer than `k` rows. `columns`: only these count. `exclude_self`: the two
        blocks are one, and a row is not its own neighbour. Raises `UsageError` for unknown columns and for blocks
        of another shape.
        """

    def energies(self, stream: ArrowStream, *, threads: int = 0) -> str:
        """For study and tests: JSON of every component and feature energy, row by row. Slow."""

    def network(self) -> tuple[str, bytes] | None:
        """The network's config (JSON) and weights (safetensors), or None."""

    def with_release(self, facts: str, numbers: bytes) -> Model:
        """This model with what a private fit gives away: a JSON object without floats, and finite float64 numbers.

        Raises `ModelFileError` for facts with floats and for numbers that are not finite.
        """

    def release(self) -> tuple[str, bytes] | None:
        """The facts (JSON) and numbers (float64) of a private fit, or None."""

@final
class Generator:
    """A network of masked categories, ready to draw rows on a processor.

    `config` and `weights` are what `Model.network` gives; `bfloat16`: products are rounded where the processor
    multiplies that natively, which halves their time. Raises `ModelFileError` where they are damaged, `UsageError`
    where the categories are not masked.
    """

    def __new__(cls, config: str, weights: bytes, *, bfloat16: bool = True) -> Self: ...
    def sample(
        self,
        rows: int,
        *,
        seeds: list[int],
        forbidden: Buffer,
        label: int | None = None,
        guidance: float = 1.0,
        given: tuple[Buffer, Buffer, Buffer] | None = None,
        ties: tuple[list[int], list[int], Buffer, Buffer] | None = None,
        steps: int = 20,
        noise: float = 0.3,
        threads: int = 0,
    ) -> tuple[Any, Any]:
        """`(x_BN, c_BC)` of new rows on the network's scale, as two `pyarrow.Buffer`: float32 and uint16.

        The categories of atoms come last, an absent number is 0. `forbidden` has a byte for every code, `given` holds
        `x_BN`, `c_BC` and, a byte for every table column, which of them stand [B, P]. `ties` are categories that are
        null together: which, the code of each that says null, and two squares of bytes: whose null implies whose, and
        who is bound to whom. There is a seed for each `SEED_ROWS` rows; the same seeds give the same rows, whatever the
        number of threads. Raises `UsageError` where the parts do not fit the network.
        """

@final
class Splice:
    """A parquet file of the columns of others, copied as they are, and new ones. Raises OSError."""

    @staticmethod
    def plan(paths: list[str], template: bytes) -> Splice | None:
        """The columns of `paths` and behind them those that `template`, a parquet file without rows, has more.

        None where chunks cannot be copied: files of different parquet schemas or writers, chunks that lie in other
        files, statistics in an order of their own, row groups of more than 4,194,304 rows.
        """

    def start(self, out: str) -> None:
        """Begin the file at `out`, which exists."""

    def rows(self) -> list[int]:
        """Rows of each row group to come; groups without rows are left out."""

    def add(self, columns: bytes) -> None:
        """Write the next row group; `columns`: a parquet file of one, with a page index, that holds its new columns."""

    def finish(self) -> None:
        """Write the footer. An error where row groups are missing."""

@final
class ScoreStream:
    """Scored batches; consumed once through `__arrow_c_stream__`."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def failure(self) -> BaseException | None:
        """Why the stream ended early, told once: a consumer of the stream gets a text alone."""

    def summary(self) -> str:
        """JSON of what has been scored so far.

        `{"rows", "flagged", "rule": "level"|"threshold"|"stands-out", "level", "oddest": [{"row" (from 0), "score",
        "p_value", "flag", "reasons": [{"column", "part", "seen", "expected", "share"}]}], "first_reasons": [{"column",
        "rows"}]}`, oddest first; `first_reasons` counts flagged rows by their first reason, where they have reasons.
        """

@final
class TypedStream:
    """A stream whose marked columns of text are read; consumed once through `__arrow_c_stream__`.

    A mark is a type in the field's metadata, `tabad.reads` (int64 | float64 | date32 | timestamp[..]); `tabad.point`
    may be a comma. A cell that is none is a stray, and null here. `Model.score` and `survey` read marked columns by
    themselves: they raise a row with a stray, and give it as a reason.
    """

    def __new__(cls, stream: ArrowStream) -> Self:
        """Raises `InputError` for another mark."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def strays(self) -> dict[str, int]:
        """How many strays each column has had so far; columns without any are left out."""

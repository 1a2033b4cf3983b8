"""A fitted model: load, save, score (the one path), generate, inspect.

The work is in `tabad._core`. Here a table is opened with the model's types, a decision such as `fdr` becomes
a level, and the scored stream goes back in the form in which the table came.
"""

# ruff: noqa: A002  (`format` is what everyone calls it)
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tabad import _core, tables
from tabad._lazy import need
from tabad.conditions import Condition, conditions
from tabad.config import (
    DEVICES,
    SCORERS,
    Decision,
    Device,
    Explain,
    ScoreOptions,
    Scorer,
    check_count,
    check_guidance,
    check_seed,
    label_text,
    one_of,
)
from tabad.constraints import DETERMINES, PRODUCT, Constraint, check_columns, check_types, from_text, parse
from tabad.errors import ModelFileError, TabadWarning, TableNotFound, UsageError
from tabad.key_file import KeySource, read_key
from tabad.run import Run
from tabad.tables import Table

if TYPE_CHECKING:
    from tabad.diffusion.impute import Filling

__all__ = ["Model"]

_Where = Mapping[str, Any] | Iterable[str] | str


class Model:
    """What `tabad.fit` returns and `Model.load` reads. Immutable; safe to share between threads."""

    __slots__ = ("_core", "_key", "_manifest")

    def __init__(self, core: _core.Model, key: bytes | None = None) -> None:
        self._core = core
        self._key = key
        self._manifest: dict[str, Any] | None = None

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, scorer: Scorer | None = None, key: KeySource | None = None
    ) -> "Model":
        """The model in the file `path`. Raises `TableNotFound` and `ModelFileError`; never runs code.

        `scorer`: see `with_scorer`; the file says which one it is unless told otherwise. `key`: see `with_key`; a
        redacted model scores with it alone.

        >>> tabad.Model.load("payments.tabad")  # doctest: +SKIP
        """
        try:
            content = Path(path).read_bytes()
        except FileNotFoundError as error:
            raise TableNotFound(
                f"there is no model file {os.fspath(path)}",
                name="model-not-found",
                hint="make one with: tabad fit TABLE -o MODEL",
            ) from error
        except OSError as error:
            raise UsageError(f"cannot open {os.fspath(path)}: {error.strerror}", name="model-not-found") from error
        try:
            model = cls.from_bytes(content)
        except ModelFileError as error:
            raise ModelFileError(f"{os.fspath(path)}: {error}", name=error.name, hint=error.hint) from error
        if key is not None:
            model = model.with_key(key)
        return model if scorer is None else model.with_scorer(scorer)

    def with_scorer(self, scorer: Scorer) -> "Model":
        """The same model where the `teacher` (all denoisers) or the `student` (one pass, many times as fast) scores.

        Every door that is given this model follows it, and a file keeps it. Each has p-values of its own. Raises
        `UsageError` where the model has no such scorer.
        """
        one_of(scorer, SCORERS, "scorer")
        return Model(self._core.with_scorer(scorer), self._key)

    def on(self, device: Device) -> "Model":
        """The same model, whose energies are computed on a GPU (`cuda`) in torch, or on the processor (`cpu`).

        `auto` is the processor: it needs no torch. Scores differ by less than 1e-4 of their size. A file or a pickle of
        the model does not keep the device. Raises `UsageError` where torch sees no GPU, for a student, and for the
        mechanisms density, reconstruction and diffusion-time.

        >>> model.on("cuda").score("payments.parquet", output="scored.parquet")  # doctest: +SKIP
        """
        one_of(device, DEVICES, "device")
        if device != "cuda":
            return Model(self._core.with_energies(None), self._key)
        need("torch", extra="train", purpose="score on a GPU")
        from tabad.diffusion.device import pick
        from tabad.diffusion.scoring import Elsewhere

        return Model(self._core.with_energies(Elsewhere(self._core, pick(device))), self._key)

    def redacted(self, key: KeySource) -> "Model":
        """A copy to pass on: the student alone, without kept rows, with values under a keyed hash.

        It scores as `with_scorer("student")` does, to the bit, for whoever has `key` (a key file, or its content),
        which is in no model file. It cannot generate, fill or be updated. What it still holds of the table is in
        `inspect()`: ranges and quantiles of numbers, how common each value is, the network. Raises `UsageError` where
        the model has no student, is private, or is redacted already.

        >>> model.redacted("payments.key").save("payments-redacted.tabad")  # doctest: +SKIP
        """
        secret = read_key(key)
        return Model(self._core.redacted(secret), secret)

    def with_key(self, key: KeySource) -> "Model":
        """The same redacted model, able to score. `key`: the key file that it was redacted with, or its content.

        Raises `UsageError` for another key, and for a model that is not redacted. A copy that is pickled for worker
        processes carries the key.
        """
        secret = read_key(key)
        return Model(self._core.with_key(secret), secret)

    @property
    def scorer(self) -> Scorer:
        """Who scores: `teacher` or `student`."""
        return "student" if self.manifest["scorer"] == "student" else "teacher"

    @classmethod
    def from_bytes(cls, content: bytes) -> "Model":
        """The model in the content of a model file. Raises `ModelFileError`."""
        return cls(_core.Model.from_bytes(content))

    def to_bytes(self) -> bytes:
        """The content of a model file; the same model gives the same bytes."""
        return self._core.to_bytes()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, whole or not at all. Raises `WriteError`, and `UsageError` for `-`."""
        tables.write_bytes(self.to_bytes(), os.fspath(path))

    @property
    def manifest(self) -> dict[str, Any]:
        """What the model says of itself: columns and kinds, sizes, calibration. A copy."""
        if self._manifest is None:
            self._manifest = json.loads(self._core.manifest())
        return json.loads(json.dumps(self._manifest))  # type: ignore[no-any-return]

    @property
    def schema(self) -> pa.Schema:
        """The table as it was when fitted, ids and ignored columns included."""
        return self._core.schema()

    @property
    def core(self) -> _core.Model:
        """The compiled model, for callers that work on encoded rows."""
        return self._core

    def inspect(self) -> dict[str, Any]:
        """The manifest and the size of the model file: what `tabad inspect` shows."""
        return {**self.manifest, "bytes": len(self.to_bytes())}

    def score(
        self,
        data: Any,
        *,
        level: float | None = None,
        fdr: float | None = None,
        top: int | None = None,
        drift: bool = False,
        explain: Explain = "flagged",
        reasons: int = 3,
        prefix: str = "tabad_",
        output: str | os.PathLike[str] | None = None,
        format: str | None = None,
        output_format: str | None = None,
        threads: int = 0,
    ) -> Any:
        """The table with four more columns, in the form in which it came: a frame for a frame.

        `data`: a path, a pyarrow, polars or pandas table, a DuckDB relation, anything with
        `__arrow_c_stream__`. At most one of `level` (flag p-values up to it), `fdr` (Benjamini-Hochberg over
        this table) and `top` (the N oddest rows). `drift` weighs p-values for the mix of rows that this table has, and
        `fdr` is then weighted conformal selection. With `output` the scored table is written there, and the
        path comes back. Raises `InputError` where the table does not fit the model.

        >>> model.score(df, level=0.01)  # doctest: +SKIP
        """
        options = ScoreOptions(Decision(level, fdr, top), explain, reasons, prefix, threads=threads, drift=drift)
        table = tables.open_table(data, format=format, output=output)
        if options.whole_table:
            table = table.spool()
        run = self.run(table, options)
        if output is None:
            result = table.answer(run)
        else:
            run.write(os.fspath(output), output_format)
            result = Path(output)
        for note in [*dict.fromkeys(table.notes), *run.notes]:
            warnings.warn(note, TabadWarning, stacklevel=2)
        return result

    def updated(self, rows: Any, *, memory: int, seed: int, threads: int) -> "Model":
        """A new model after a stream of further rows; what `tabad.fit(data, update=model)` does."""
        return Model(self._core.updated(rows, memory=memory, seed=seed, threads=threads))

    def run(self, table: Table, options: ScoreOptions) -> "Run":
        """A scoring about to happen; `score` for callers that also want its summary."""
        return Run(self, table, options)

    def run_rows(self, rows: Any, options: ScoreOptions, rule: dict[str, Any]) -> pa.Table:
        """The four added columns alone, for rows that any Arrow stream gives. `rule`: what `Run.rule` says, or nothing.

        The way of the row doors (SQL, lazy frames, estimators): a score depends on its row only.
        """
        scored = self._core.score(
            rows,
            append=False,
            explain=options.explain,
            reasons=options.reasons,
            prefix=options.prefix,
            oddest=0,
            threads=options.threads,
            level=rule.get("level"),
            threshold=rule.get("threshold"),
            strata=rule.get("strata"),
            levels=rule.get("levels"),
        )
        try:
            return pa.table(scored)
        except pa.ArrowException as error:
            raise scored.failure() or error from None

    def generate(
        self,
        n: int,
        *,
        label: str | None = None,
        where: _Where | None = None,
        guidance: float = 1.0,
        constraints: Iterable[str] | str | None = (),
        seed: int = 0,
        device: str = "auto",
        output: str | os.PathLike[str] | None = None,
        output_format: str | None = None,
    ) -> Any:
        """A pyarrow Table of `n` rows like those the network was trained on; with `output`, the path written.

        `label`: rows of this class of the label column. Without it the rows of a labelled model are of the normal
        class where the fit knew it, else of every class, as common as among the fitted rows; the label is among the
        columns, but for rows of any class that hold columns at a value. `where` holds columns at a value, and the
        others follow from them: `{"country": "FR"}`, or texts such as `"amount > 1000"`, for which rows are drawn again
        until enough obey. `guidance` leans on the label: 1 is the network as trained, more makes rows more typical of
        their class. The rows obey the model's constraints, and further ones given here
        ("start <= end", "total = net + tax", "net = quantity * price"); None: no constraints at all. The same seed
        gives the same rows on one machine. Raises `UsageError` where the model has no network or does not know what is
        asked for, `InputError` where fewer than one row in 500 obeys, and `MissingDependency` without torch.

        >>> model.generate(1000, where={"country": "FR"}, seed=1)  # doctest: +SKIP
        """
        check_count(n, "n")
        check_seed(seed)
        check_guidance(guidance)
        one_of(device, DEVICES, "device")
        label = None if label is None else label_text(label)
        if output is not None:
            tables.check_destination(os.fspath(output), output_format)
        if self._draws_privately():
            rules = self._generated_obey(constraints)
            schema, batches = self._private_rows(n, label, conditions(where), guidance, rules, seed)
        else:
            network = self.need_network("generates rows", "generate rows")
            from tabad.diffusion.generate import generated

            schema, batches = generated(
                self._core,
                network,
                n,
                seed=seed,
                device=device,
                label=label,
                where=conditions(where),
                guidance=guidance,
                constraints=self._generated_obey(constraints),
            )
        if output is None:
            return pa.Table.from_batches(batches, schema).unify_dictionaries()
        tables.write(pa.RecordBatchReader.from_batches(schema, batches), os.fspath(output), output_format)
        return Path(output)

    def _generated_obey(self, further: Iterable[str] | str | None) -> list[Constraint]:
        """Constraints of generated rows; of a labelled table those that no row broke: a class may be the exceptions."""
        found = self.constraints(further)
        if self.manifest["label"]:
            return [one for one in found if one.given or not (one.broken or one.of_normal)]
        return found

    def constraints(self, further: Iterable[str] | str | None = ()) -> list[Constraint]:
        """What rows obey, or nearly all of them (`broken`): the model's own constraints and these; none for None.

        Raises `UsageError` for unfit ones.
        """
        if further is None:
            return []
        own = from_text(self._core.constraints())
        more = parse([further] if isinstance(further, str) else further)
        known = [c["name"] for c in self.manifest["columns"] if c["kind"] not in ("id", "ignored", "label")]
        check_columns(more, known, "the model")
        check_types(more, self.schema)
        have = {(one.rule, one.columns) for one in own}
        more = [self._rounded(one) for one in more if (one.rule, one.columns) not in have]
        unknown = next((one for one in more if one.rule == DETERMINES), None)
        if unknown is not None:
            raise UsageError(
                f"`{unknown}`: which value comes with which is in the table, and the model was fitted without asking",
                name="constraint-unlearned",
                hint=f"give it to the fit: tabad fit TABLE --constraint '{unknown}' -o MODEL",
            )
        return [*own, *more]

    def _rounded(self, one: Constraint) -> Constraint:
        """A product with the decimals of its total."""
        if one.rule != PRODUCT:
            return one
        total = next(column for column in self.manifest["columns"] if column["name"] == one.columns[0])
        whole = 0 if pa.types.is_integer(self.schema.field(one.columns[0]).type) else None
        return replace(one, decimals=total.get("decimals", whole))

    def with_release(self, facts: str, numbers: bytes) -> "Model":
        """This model with what a private fit gives away (`tabad.private.stored`)."""
        return Model(self._core.with_release(facts, numbers))

    def _draws_privately(self) -> bool:
        """True where rows are drawn from a private release itself, which knows more of the table than the network."""
        return bool((self.manifest.get("private") or {}).get("steps"))

    def _private_rows(
        self,
        n: int,
        label: str | None,
        where: list[Condition],
        guidance: float,
        constraints: list[Constraint],
        seed: int,
    ) -> tuple[pa.Schema, Any]:
        need("numpy", extra="private", purpose="generate rows")
        from tabad.diffusion.obey import Obedience
        from tabad.private.generate import generated
        from tabad.private.stored import unpack

        if guidance != 1.0:
            raise UsageError("a private release has no guidance: its rows follow its own counts", name="option-range")
        facts, numbers = self._core.release() or ("{}", b"")
        column = (self.manifest["label"] or {}).get("column")
        if label is not None and column is None:
            raise UsageError(
                f"rows of class `{label}` were asked for, but the model was fitted without a label column",
                name="class-without-label",
                hint="fit it with --label COLUMN (label=...), or ask for --where COLUMN=VALUE",
            )
        wanted = [] if label is None else [Condition(str(column), "=", label)]
        kinds = {column["name"]: column["kind"] for column in self.manifest["columns"]}
        obedience = Obedience(constraints, kinds)
        release = unpack(json.loads(facts), numbers, self.schema)
        return generated(release, n, seed=seed, where=[*wanted, *where], rules=obedience or None)

    def impute(
        self,
        data: Any,
        *,
        columns: Iterable[str] | str = (),
        seed: int = 0,
        device: str = "auto",
        output: str | os.PathLike[str] | None = None,
        format: str | None = None,
        output_format: str | None = None,
    ) -> Any:
        """The table with its missing cells filled, in the form in which it came; with `output`, the path written.

        Missing is what is null, and NaN in a column of floats. Each cell is drawn from what the network expects given
        the present cells of its row, which stay as they are; `columns` fills these alone. The same seed fills the same
        table in the same way, whatever its batches. Raises `UsageError` where the model has no network or does not
        model a column, `InputError` where the table does not fit it, and `MissingDependency` without torch.

        >>> model.impute(df, columns=["age"])  # doctest: +SKIP
        """
        if output is not None:
            tables.check_destination(os.fspath(output), output_format)
        table = tables.open_table(data, format=format, output=output)
        filling = self.filling(columns, seed=seed, device=device)
        result = filling.answer(table) if output is None else filling.write(table, os.fspath(output), output_format)
        for note in filling.notes():
            warnings.warn(note, TabadWarning, stacklevel=2)
        return result

    def filling(self, columns: Iterable[str] | str = (), *, seed: int = 0, device: str = "auto") -> "Filling":
        """A filling about to happen; `impute` for callers that also want to say what was filled."""
        check_seed(seed)
        one_of(device, DEVICES, "device")
        network = self.need_network("knows what is missing", "fill missing cells")
        from tabad.diffusion.impute import Filling

        names = (columns,) if isinstance(columns, str) else tuple(columns)
        return Filling(self._core, network, names, seed=seed, device=device)

    def anomalies(
        self,
        data: Any,
        n: int,
        *,
        columns: Iterable[str] | str | int = 1,
        prefix: str = "tabad_",
        seed: int = 0,
        device: str = "auto",
        output: str | os.PathLike[str] | None = None,
        format: str | None = None,
        output_format: str | None = None,
    ) -> Any:
        """A pyarrow Table of `n` usual rows of a table, some cells of each moved; with `output`, the path written.

        Test data for rules and detectors: a moved cell has a value that the training rows know and that is odd beside
        the others. `columns`: which to move in every row, or how many, drawn by how odd they can be made. Added are
        `tabad_changed` (the columns moved) and `tabad_original` (JSON of what they were). Raises `UsageError` where the
        model has no network or a column cannot be moved, and `InputError` where the table does not fit the model.

        >>> model.anomalies("payments.parquet", 500, columns=2)  # doctest: +SKIP
        """
        named = (columns,) if isinstance(columns, str) else columns
        if isinstance(named, Iterable):
            named = tuple(named)
        else:
            check_count(named, "columns", least=1)
        check_count(n, "n")
        check_seed(seed)
        one_of(device, DEVICES, "device")
        if output is not None:
            tables.check_destination(os.fspath(output), output_format)
        network = self.need_network("knows which cells depend on which", "make anomalies")
        from tabad.diffusion.anomalies import anomalies

        table = tables.open_table(data, format=format, output=output)
        rows = anomalies(self._core, network, table, n, columns=named or 1, prefix=prefix, seed=seed, device=device)
        if output is None:
            return rows
        tables.write(rows.to_reader(), os.fspath(output), output_format)
        return Path(output)

    def need_network(self, does: str, purpose: str) -> tuple[str, bytes]:
        """The network's config and weights; raises `UsageError` where the model has none. `does`: only a network ..."""
        if self.manifest["redacted"]:
            raise UsageError(
                f"the model is redacted: it holds hashes of values, and no values to {purpose} with",
                name="model-redacted",
                hint="use the model that it was made from",
            )
        network = self._core.network()
        if network is None:
            raise UsageError(
                f"the model has no network, and only a network {does}",
                name="model-without-network",
                hint="fit it with --quality default (quality='default'), which needs pip install \"tabad[train]\"",
            )
        need("torch", extra="train", purpose=purpose)
        return network

    def __repr__(self) -> str:
        facts = self.manifest
        modelled = sum(column["kind"] not in ("id", "ignored", "label") for column in facts["columns"])
        network = "network" if facts.get("network") else "no network"
        return f"<tabad.Model: {modelled} columns, {facts.get('kept_rows', 0)} rows kept, {network}>"

    def __reduce__(self) -> tuple[Any, tuple[bytes, bytes | None]]:
        # For worker processes; a model on disk is always a `.tabad` file.
        return (_again, (self.to_bytes(), self._key))


def _again(content: bytes, key: bytes | None) -> Model:
    model = Model.from_bytes(content)
    return model if key is None else model.with_key(key)

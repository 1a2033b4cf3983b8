"""The verbs: fit, score, generate, impute, anomalies. They settle which arguments go together, and pass on.

`run_fit`, `run_score` and `run_impute` are the same verbs for callers that also want to say what happened: the
command line.
"""

# ruff: noqa: A002  (`format` is what everyone calls it)
import os
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabad import tables
from tabad._lazy import need
from tabad.config import DEVICES, Decision, Device, Explain, FitOptions, Quality, ScoreOptions, one_of
from tabad.errors import TabadWarning, UsageError
from tabad.fitting import Fitted, OnProgress, fit_table
from tabad.model import Model, Run, check_decision
from tabad.tables import Table

if TYPE_CHECKING:
    from tabad.synthesis.augment import Outcome
    from tabad.synthesis.compare import Comparison

__all__ = [
    "Imputed",
    "Scored",
    "anomalies",
    "augment",
    "compare",
    "fit",
    "generate",
    "impute",
    "run_fit",
    "run_impute",
    "run_score",
    "score",
]

_Path = str | os.PathLike[str]
_INTERRUPTED = "training was interrupted: the model holds the best network so far"


@dataclass(frozen=True)
class Scored:
    """The outcome of a scoring: the answer, its summary, and what the caller should hear."""

    data: Any
    summary: dict[str, Any]
    model: Model
    table: Table
    fitted: Fitted | None = None
    notes: list[str] = field(default_factory=list)
    seconds: tuple[float, float] = (0.0, 0.0)
    """What the fit and the scoring took."""


@dataclass(frozen=True)
class Imputed:
    """The outcome of a filling: the answer, how many cells of which column were filled, and what to hear."""

    data: Any
    rows: int
    filled: dict[str, int]
    notes: list[str]


def fit(
    data: Any,
    *,
    quality: Quality = "default",
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    label: str | None = None,
    normal: str | None = None,
    memory: int = 2048,
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    format: str | None = None,
    threads: int = 0,
) -> Model:
    """A model of a table.

    `quality`: fast needs no torch; default and best also train a network, which generates rows. `kinds`
    overrides what columns are (`{"zip": "category"}`), `ignore` leaves columns out. `label` names a column
    that holds the answer: it is never modelled; with `normal` only rows of that label say what is normal.
    `memory` is the number of rows that the model keeps. `output` saves the model file. Raises `InputError`
    for a table that cannot be fitted, `MissingDependency` without torch, `UsageError` for wrong arguments.

    >>> model = tabad.fit("payments.parquet", quality="fast", ignore=["note"])  # doctest: +SKIP
    """
    options = FitOptions(dict(kinds or {}), _names(ignore), label, normal, quality, memory, seed, device, threads)
    fitted = run_fit(data, options, output=output, format=format)
    if fitted.interrupted:
        warnings.warn(_INTERRUPTED, TabadWarning, stacklevel=2)
    return fitted.model


def score(
    data: Any,
    model: Model | _Path | None = None,
    *,
    level: float | None = None,
    fdr: float | None = None,
    top: int | None = None,
    explain: Explain = "flagged",
    reasons: int = 3,
    prefix: str = "tabad_",
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
    save_model: _Path | None = None,
    quality: Quality | None = None,
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    label: str | None = None,
    normal: str | None = None,
    memory: int | None = None,
    seed: int | None = None,
    device: Device = "auto",
    threads: int = 0,
) -> Any:
    """The table with four more columns, in the form in which it came; with `output`, the path written.

    Without a model the table is screened against itself: the fit arguments of `tabad.fit` apply (quality fast
    unless told otherwise) and `save_model` keeps the model that scored. With one they are refused. At most
    one of `level`, `fdr`, `top` decides which rows are flagged. Raises `InputError` where the table cannot be
    read or does not fit the model, and `UsageError` for arguments that do not go together.

    >>> tabad.score("payments.parquet", top=20)  # doctest: +SKIP
    """
    options = ScoreOptions(Decision(level, fdr, top), explain, reasons, prefix, threads=threads)
    if model is not None:
        given = {
            "quality": quality, "kinds": kinds, "ignore": _names(ignore) or None, "label": label, "normal": normal,
            "memory": memory, "seed": seed, "save_model": save_model,
        }  # fmt: skip
        refuse_fit_options([name for name, value in given.items() if value is not None])
    fit_options = FitOptions(
        dict(kinds or {}),
        _names(ignore),
        label,
        normal,
        quality or "fast",
        2048 if memory is None else memory,
        seed or 0,
        device,
        threads,
    )
    outcome = run_score(
        data,
        model,
        fit_options=fit_options,
        options=options,
        output=output,
        format=format,
        output_format=output_format,
        save_model=save_model,
    )
    for note in outcome.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return outcome.data


def generate(
    model: Model | _Path,
    n: int,
    *,
    label: str | None = None,
    where: Mapping[str, Any] | Iterable[str] | str | None = None,
    guidance: float = 1.0,
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    output_format: str | None = None,
) -> Any:
    """A pyarrow Table of `n` generated rows; with `output`, the path written. See `Model.generate`.

    >>> tabad.generate("payments.tabad", 1000, seed=1)  # doctest: +SKIP
    """
    return as_model(model).generate(
        n,
        label=label,
        where=where,
        guidance=guidance,
        seed=seed,
        device=device,
        output=output,
        output_format=output_format,
    )


def impute(
    data: Any,
    model: Model | _Path,
    *,
    columns: Iterable[str] | str = (),
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
) -> Any:
    """The table with its missing cells filled by the model's network. See `Model.impute`.

    >>> tabad.impute("payments.parquet", "payments.tabad", output="filled.parquet")  # doctest: +SKIP
    """
    outcome = run_impute(
        data,
        model,
        columns=_names(columns),
        seed=seed,
        device=device,
        output=output,
        format=format,
        output_format=output_format,
    )
    for note in outcome.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return outcome.data


def anomalies(
    data: Any,
    model: Model | _Path,
    n: int,
    *,
    columns: Iterable[str] | str | int = 1,
    prefix: str = "tabad_",
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
) -> Any:
    """`n` usual rows of a table with cells moved to legal but odd values, and the truth. See `Model.anomalies`.

    >>> tabad.anomalies("payments.parquet", "payments.tabad", 500, columns=2)  # doctest: +SKIP
    """
    return as_model(model).anomalies(
        data,
        n,
        columns=columns,
        prefix=prefix,
        seed=seed,
        device=device,
        output=output,
        format=format,
        output_format=output_format,
    )


def augment(
    data: Any,
    *,
    label: str,
    rare: str,
    force: bool = False,
    prefix: str = "tabad_",
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
) -> Any:
    """The table with generated rows of a rare class added where they help a classifier, else the table as it was.

    Either way a column `tabad_synthetic` is added, true for added rows. `force` adds rows even where nothing is gained;
    a `TabadWarning` then says so. Some twenty small networks are fitted: minutes for 10,000 rows. Raises `InputError`
    for fewer than 20 rows of the rare value, `MissingDependency` without torch and scikit-learn.

    >>> tabad.augment("payments.parquet", label="is_fraud", rare="1", output="more.parquet")  # doctest: +SKIP
    """
    outcome, result = run_augment(
        data,
        label=label,
        rare=rare,
        force=force,
        prefix=prefix,
        kinds=kinds,
        ignore=_names(ignore),
        seed=seed,
        device=device,
        output=output,
        format=format,
        output_format=output_format,
    )
    if not outcome.gain:
        added = f"{outcome.added:,} rows were added all the same" if outcome.added else "nothing was added"
        warnings.warn(f"no gain from generated rows of `{rare}`: {added}", TabadWarning, stacklevel=2)
    for note in outcome.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return result


def run_augment(
    data: Any,
    *,
    label: str,
    rare: str,
    force: bool = False,
    prefix: str = "tabad_",
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
    progress: OnProgress | None = None,
) -> "tuple[Outcome, Any]":
    """`augment`, with what its comparison found."""
    one_of(device, DEVICES, "device")
    if output is not None:
        tables.check_destination(os.fspath(output), output_format)
    need("sklearn", extra="sklearn", purpose="judge generated rows by a classifier")
    from tabad.synthesis.augment import augmented
    from tabad.synthesis.loop import Plan

    table = tables.open_table(data, format=format)
    plan = Plan(label, rare, dict(kinds or {}), tuple(ignore), seed=seed, device=device)
    outcome = augmented(table, plan, force=force, prefix=prefix, progress=progress)
    if output is None:
        return outcome, table.like(outcome.rows)
    tables.write(outcome.rows.to_reader(), os.fspath(output), output_format)
    return outcome, Path(output)


def compare(
    real: Any,
    generated: Any,
    *,
    label: str | None = None,
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    seed: int = 0,
    format: str | None = None,
) -> "Comparison":
    """How far a generated table is from a real one: shapes, pairs, C2ST, manifold; beside two halves of the real one.

    `label` parts the rows for precision and recall. See `tabad.synthesis.compare` for every formula. Raises
    `InputError` where the tables do not go together, and `MissingDependency` without scikit-learn.

    >>> tabad.compare("payments.parquet", "made.parquet").generated.shape  # doctest: +SKIP
    """
    need("sklearn", extra="sklearn", purpose="tell generated rows from real ones")
    from tabad.synthesis.compare import compared

    return compared(
        tables.open_table(real, format=format).spool(),
        tables.open_table(generated, format=format).spool(),
        label=label,
        kinds=dict(kinds or {}),
        ignore=_names(ignore),
        seed=seed,
    )


def run_fit(
    data: Any,
    options: FitOptions,
    *,
    output: _Path | None = None,
    format: str | None = None,
    progress: OnProgress | None = None,
) -> Fitted:
    """`fit`, with what the caller should hear. A table that cannot be written to fails before the work."""
    if output is not None:
        tables.check_destination(os.fspath(output), "arrow")
    table = tables.open_table(data, format=format)
    fitted = fit_table(table, options, progress=progress)
    if output is not None:
        fitted.model.save(output)
    return fitted


def run_score(
    data: Any,
    model: Model | _Path | None,
    *,
    fit_options: FitOptions,
    options: ScoreOptions,
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
    save_model: _Path | None = None,
    answer: bool = True,
    progress: OnProgress | None = None,
) -> Scored:
    """`score`, with its summary. `answer=False`: for the summary alone, where nothing is written."""
    if model is None:
        check_decision(options.decision, "self")
    loaded = None if model is None else as_model(model)
    for path, kind in ((output, output_format), (save_model, "arrow")):
        if path is not None:
            tables.check_destination(os.fspath(path), kind)
    table = tables.open_table(data, format=format)
    fitted = None
    began = time.monotonic()
    if loaded is None:
        table = table.spool()
        fitted = fit_table(table, fit_options, screen=True, progress=progress)
        loaded = fitted.model
        if save_model is not None:
            loaded.save(save_model)
    elif options.decision.whole_table:
        table = table.spool()
    run = loaded.run(table, options)
    fitted_at = time.monotonic()
    if progress is not None:
        table.on_rows = lambda rows: progress("score", rows, table.rows, "")
    result = _deliver(run, output, output_format, answer)
    summary = run.summary() if output is not None or not answer else {}
    notes = [*dict.fromkeys(table.notes), *run.notes]
    if fitted is not None and fitted.interrupted:
        notes.append(_INTERRUPTED)
    seconds = (fitted_at - began, time.monotonic() - fitted_at)
    return Scored(result, summary, loaded, table, fitted, notes, seconds)


def run_impute(
    data: Any,
    model: Model | _Path,
    *,
    columns: Iterable[str] = (),
    seed: int = 0,
    device: Device = "auto",
    output: _Path | None = None,
    format: str | None = None,
    output_format: str | None = None,
    progress: OnProgress | None = None,
) -> Imputed:
    """`impute`, with what was filled."""
    one_of(device, DEVICES, "device")
    if output is not None:
        tables.check_destination(os.fspath(output), output_format)
    filling = as_model(model).filling(columns, seed=seed, device=device)
    table = tables.open_table(data, format=format)
    if progress is not None:
        table.on_rows = lambda rows: progress("fill", rows, table.rows, "")
    result = filling.answer(table) if output is None else filling.write(table, os.fspath(output), output_format)
    return Imputed(result, filling.rows, dict(filling.filled), [*dict.fromkeys(table.notes), *filling.notes()])


def _deliver(run: Run, output: _Path | None, output_format: str | None, answer: bool) -> Any:
    if output is not None:
        run.write(os.fspath(output), output_format)
        return output if os.fspath(output) == "-" else Path(output)
    if answer:
        return run.table.answer(run)
    run.read()
    return None


def as_model(model: Model | _Path) -> Model:
    """The model itself, or the one in that file."""
    return model if isinstance(model, Model) else Model.load(model)


def refuse_fit_options(given: list[str]) -> None:
    """Raise `UsageError` for options of a fit beside a model that is already fitted."""
    if given:
        raise UsageError(
            f"{', '.join(given)} {'says' if len(given) == 1 else 'say'} how to fit, and a fitted model was given",
            name="options-conflict",
            hint="leave the model out to screen the table against itself, or fit again with these options",
        )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)

"""Fit and score: which arguments go together. `run_fit` and `run_score` also tell what the caller should hear."""

# ruff: noqa: A002  (`format` is what everyone calls it)
import os
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tabad import tables
from tabad.api.shared import FilePath, as_model, names, same_place
from tabad.config import (
    SCORERS,
    Decision,
    Device,
    Explain,
    FitOptions,
    Mechanism,
    PrivateOptions,
    Quality,
    ScoreOptions,
    Scorer,
    label_text,
    one_of,
)
from tabad.drift import check_drift
from tabad.errors import TabadWarning, UsageError
from tabad.fitting import Fitted, OnProgress, fit_private, fit_table, update_model
from tabad.key_file import KeySource
from tabad.model import Model
from tabad.run import Run, check_decision
from tabad.tables import Table

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


def fit(
    data: Any,
    *,
    quality: Quality = "default",
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    label: str | None = None,
    normal: str | None = None,
    feedback: str | None = None,
    given: Iterable[str] | str = (),
    mechanism: Mechanism = "combined",
    update: Model | FilePath | None = None,
    memory: int | None = None,
    constraints: Iterable[str] | str = (),
    seed: int = 0,
    device: Device = "auto",
    output: FilePath | None = None,
    format: str | None = None,
    threads: int = 0,
    unit: str | None = None,
    all_rows: bool = False,
    private: float | PrivateOptions | None = None,
) -> Model:
    """A model of a table.

    `quality`: fast needs no torch; default and best also train a network, which generates rows. `kinds`
    overrides what columns are (`{"zip": "category"}`), `ignore` leaves columns out. `label` names a column
    that holds the answer: it is never modelled; with `normal` only rows of that label say what is normal.
    `feedback` names a column that says of few rows what they are (anomaly or normal, true or false, 1 or 0; null
    where nobody looked): known anomalies never count as usual, and both guide the score.
    `given` names context columns: a row is judged given them (who, where, when) and never for them, and p-values
    compare it with rows of the same values where those are many. `mechanism` is what the score is made of: combined, or
    density, score-function, reconstruction, conditional or diffusion-time alone (arXiv 2506.09368).
    `update` is a model that further rows come to: columns, vocabularies and network stay, the kept rows become rows of
    both tables, and thresholds come from the new rows (500 or more).
    `constraints` are rules of the rows and of those that are generated ("start <= end", "total = net + tax",
    "net = quantity * price", "zip -> city"), beside the ones that are found; "none" finds none.
    `unit` names a column that says whose row it is (a customer): rows of one value are held out together or not at all,
    so that p-values say how odd a row of somebody new is; it is not modelled.
    `all_rows` holds nothing out, for models that generate: every row is learned from, p-values are rank shares among
    the rows fitted, and there is no student.
    `private` is an epsilon, or `tabad.PrivateOptions`: the model then holds nothing of the table but what a
    differentially private mechanism gave away (`pip install "tabad[private]"`).
    `memory` is the number of rows that the model keeps (at most 2,048; 8,192 with `normal` and a quality above fast).
    `output` saves the model file. Raises `InputError` for a table that cannot be fitted, `MissingDependency` without
    torch, `UsageError` for wrong arguments.

    >>> model = tabad.fit("payments.parquet", quality="fast", ignore=["note"])  # doctest: +SKIP
    """
    options = FitOptions(
        kinds=dict(kinds or {}),
        ignore=names(ignore),
        label=label,
        normal=None if normal is None else label_text(normal),
        feedback=feedback,
        given=names(given),
        mechanism=mechanism,
        quality=quality,
        memory=memory,
        constraints=names(constraints),
        seed=seed,
        device=device,
        threads=threads,
        unit=unit,
        all_rows=all_rows,
        private=PrivateOptions(epsilon=private) if isinstance(private, int | float) else private,
    )
    fitted = run_fit(data, options, update=update, output=output, format=format)
    if fitted.interrupted:
        warnings.warn(_INTERRUPTED, TabadWarning, stacklevel=2)
    for note in fitted.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return fitted.model


def score(
    data: Any,
    model: Model | FilePath | None = None,
    *,
    scorer: Scorer | None = None,
    level: float | None = None,
    fdr: float | None = None,
    top: int | None = None,
    drift: bool = False,
    explain: Explain = "flagged",
    reasons: int = 3,
    prefix: str = "tabad_",
    output: FilePath | None = None,
    format: str | None = None,
    output_format: str | None = None,
    save_model: FilePath | None = None,
    quality: Quality | None = None,
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    label: str | None = None,
    normal: str | None = None,
    feedback: str | None = None,
    given: Iterable[str] | str = (),
    mechanism: Mechanism | None = None,
    constraints: Iterable[str] | str = (),
    memory: int | None = None,
    seed: int | None = None,
    device: Device = "auto",
    threads: int = 0,
    key: KeySource | None = None,
) -> Any:
    """The table with four more columns, in the form in which it came; with `output`, the path written.

    Without a model the table is screened against itself: the fit arguments of `tabad.fit` apply (quality fast
    unless told otherwise) and `save_model` keeps the model that scored. With one they are refused, and `scorer` says
    which of its scorers works: the teacher, or the student in one fast pass (default: what the model says); `device`
    "cuda" computes energies on a GPU (see `Model.on`); `key` is the key file of a redacted model, or its content.
    At most one of `level`, `fdr`, `top` decides which rows are flagged. `drift` weighs p-values for the mix of rows
    that the table has, where that is another than in the fit. Raises `InputError` where the table cannot be read or
    does not fit the model, and `UsageError` for arguments that do not go together.

    >>> tabad.score("payments.parquet", top=20)  # doctest: +SKIP
    """
    options = ScoreOptions(Decision(level, fdr, top), explain, reasons, prefix, threads=threads, drift=drift)
    if scorer is not None:
        one_of(scorer, SCORERS, "scorer")
    if model is not None:
        fitting = {
            "quality": quality, "kinds": kinds, "ignore": names(ignore) or None, "label": label, "normal": normal,
            "feedback": feedback, "given": names(given) or None, "mechanism": mechanism,
            "constraints": names(constraints) or None, "memory": memory, "seed": seed, "save_model": save_model,
        }  # fmt: skip
        refuse_fit_options([name for name, value in fitting.items() if value is not None])
    fit_options = FitOptions(
        kinds=dict(kinds or {}),
        ignore=names(ignore),
        label=label,
        normal=None if normal is None else label_text(normal),
        feedback=feedback,
        given=names(given),
        mechanism=mechanism or "combined",
        quality=quality or "fast",
        constraints=names(constraints),
        memory=memory,
        seed=seed or 0,
        device=device,
        threads=threads,
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
        scorer=scorer,
        key=key,
    )
    for note in outcome.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return outcome.data


def run_fit(
    data: Any,
    options: FitOptions,
    *,
    update: Model | FilePath | None = None,
    output: FilePath | None = None,
    format: str | None = None,
    progress: OnProgress | None = None,
) -> Fitted:
    """`fit`, with what the caller should hear. A table that cannot be written to fails before the work."""
    before = None if update is None else as_model(update)
    if before is not None:
        _refuse_beside_update(options)
    if output is not None:
        tables.check_model_destination(os.fspath(output))
    table = tables.open_table(data, format=format)
    _refuse_onto_data(output, table)
    if before is None and options.private is not None:
        fitted = fit_private(table, options, progress=progress)
    elif before is None:
        fitted = fit_table(table, options, progress=progress)
    else:
        fitted = update_model(before, table, options, progress=progress)
    if output is not None:
        fitted.model.save(output)
    return fitted


def run_score(
    data: Any,
    model: Model | FilePath | None,
    *,
    fit_options: FitOptions,
    options: ScoreOptions,
    output: FilePath | None = None,
    format: str | None = None,
    output_format: str | None = None,
    save_model: FilePath | None = None,
    scorer: Scorer | None = None,
    key: KeySource | None = None,
    answer: bool = True,
    progress: OnProgress | None = None,
) -> Scored:
    """`score`, with its summary. `answer=False`: for the summary alone, where nothing is written."""
    if model is None:
        check_decision(options.decision, "self")
        check_drift(options.drift, "self")
        refuse_scorer(scorer)
        refuse_key(key)
    loaded = None if model is None else as_model(model, scorer, key)
    if output is not None:
        tables.check_destination(os.fspath(output), output_format)
    if save_model is not None:
        tables.check_model_destination(os.fspath(save_model))
    table = tables.open_table(data, format=format, output=output)
    _refuse_onto_data(save_model, table)
    fitted = None
    began = time.monotonic()
    if loaded is None:
        table = table.spool()
        fitted = fit_table(table, replace(fit_options, all_rows=True), screened=True, progress=progress)
        loaded = fitted.model
        if save_model is not None:
            loaded.save(save_model)
    elif options.whole_table:
        table = table.spool()
    scoring = loaded.on("cuda") if fit_options.device == "cuda" else loaded
    run = scoring.run(table, options)
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


def _refuse_onto_data(model: FilePath | None, table: Table) -> None:
    """Raise `UsageError` where a model would be written over the rows that it is fitted on, or over other data."""
    if model is not None and any(same_place(os.fspath(model), path) for path in table.paths):
        raise UsageError(
            f"{os.fspath(model)} is the table itself, and a model would be written over it",
            name="model-onto-table",
            hint="write the model elsewhere, for example to a file that ends in .tabad",
        )
    if model is not None:
        tables.refuse_onto_data(os.fspath(model))


def _deliver(run: Run, output: FilePath | None, output_format: str | None, answer: bool) -> Any:
    if output is not None:
        run.write(os.fspath(output), output_format)
        return output if os.fspath(output) == "-" else Path(output)
    if answer:
        return run.table.answer(run)
    run.read()
    return None


_COLUMN_OPTIONS = ("kinds", "ignore", "label", "normal", "feedback", "given", "mechanism", "private", "constraints")
_NETWORK_OPTIONS = ("quality", "device")
_KEPT = (
    (("all_rows",), "that no row is held out", "needs some for its thresholds"),
    (("unit",), "which rows are held out together", "follows the model's own unit"),
    (_COLUMN_OPTIONS, "what columns are", "keeps them"),
    (_NETWORK_OPTIONS, "how a network is trained", "keeps the network"),
)


def _refuse_beside_update(options: FitOptions) -> None:
    plain = FitOptions()
    for fixed, what, why in _KEPT:
        given = [name for name in fixed if getattr(options, name) != getattr(plain, name)]
        if given:
            raise UsageError(
                f"{', '.join(given)} {'says' if len(given) == 1 else 'say'} {what}, and an update {why}",
                name="options-conflict",
                hint="leave them out, or fit again on all rows",
            )


def refuse_scorer(scorer: Scorer | None) -> None:
    """Raise `UsageError` for a student of a table that is screened against itself."""
    if scorer == "student":
        raise UsageError(
            "a student is part of a fitted model, and here the table is screened against itself",
            name="scorer-missing",
            hint="fit a model first (tabad fit OTHER -o m.tabad), or leave out --scorer",
        )


def refuse_key(key: KeySource | None) -> None:
    """Raise `UsageError` for a key without a model."""
    if key is not None:
        raise UsageError(
            "a key belongs to a redacted model, and here the table is screened against itself",
            name="key-unneeded",
            hint="give the model (-m MODEL), or leave out the key",
        )


def refuse_fit_options(given: list[str]) -> None:
    """Raise `UsageError` for options of a fit beside a model that is already fitted."""
    if given:
        raise UsageError(
            f"{', '.join(given)} {'says' if len(given) == 1 else 'say'} how to fit, and a fitted model was given",
            name="options-conflict",
            hint="leave the model out to screen the table against itself, or fit again with these options",
        )

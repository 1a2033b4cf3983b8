"""The order of a fit: observe the table, prepare, train the network (unless fast), teach a student, finish.

Steps and their order only: statistics are in `tabad._core`, the network is in `tabad.diffusion`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tabad import _core
from tabad._lazy import expect, need
from tabad.config import KEPT_ROWS, FitOptions
from tabad.constraints import OF_AMOUNTS, Constraint, from_text, parse
from tabad.errors import UsageError
from tabad.model import Model
from tabad.schema import spot_labels, spot_numbers
from tabad.tables import Table, open_table, refuse_text
from tabad.tables.strays import Read, spotted
from tabad.tables.views import without_views

__all__ = ["Fitted", "OnProgress", "fit_private", "fit_table", "update_model"]

OnProgress = Callable[[str, int, int | None, str], None]
"""Told the stage (read, train, distil, score), how far it is, the total where it is known, and a remark."""

_LEAST_DRAWN, _MOST_DRAWN = 500, 50_000
"""Rows drawn from a private release for the ordinary fit."""
_NO_TORCH = 'pip install "tabad[train]", or fit without a network: --quality fast (quality="fast")'


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what the caller should hear about how it came about."""

    model: Model
    interrupted: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    """Columns that look like a label and were modelled all the same, with what was seen."""
    notes: list[str] = field(default_factory=list)
    """What the caller should hear of constraints that were given."""
    rows: int | None = None
    """Rows of the table that came to an earlier model; None where the model knows no others."""


def fit_table(
    table: Table,
    options: FitOptions,
    *,
    preset: str | None = None,
    screened: bool = False,
    progress: OnProgress | None = None,
) -> Fitted:
    """A model of the table. `preset`: of the network, where it is not the one of the quality.

    Without held-out rows the model is for generation, unless the table is `screened` against itself.

    Raises `InputError` for a table that cannot be fitted, and `MissingDependency` where a network is wanted
    and torch is not there; that is checked before anything is read. Ctrl-C while the network trains ends the
    training and keeps the best network so far.
    """
    if options.quality != "fast":
        expect("torch", extra="train", purpose=f"train the network (quality {options.quality})", hint=_NO_TORCH)

    given = parse(text for text in options.constraints if text != "none")
    if given and options.quality == "fast":
        _refuse_unchecked(given)
        need("numpy", extra="train", purpose="count the rows that break a rule", hint="pip install numpy")
    # What a column holds that is asked for by its values, or said to be of a kind, is left to its type.
    answers = [name for name in (options.label, options.feedback) if name is not None]
    said = (name for name, kind in options.kinds.items() if kind not in ("number", "datetime"))
    table.as_text = frozenset((*answers, options.unit or "", *options.ignore, *said))
    watch = None
    strays: dict[str, int] = {}

    def observed() -> _core.Fit:
        nonlocal watch, strays
        fit = _core.Fit(
            kinds=dict(options.kinds),
            ignore=list(options.ignore),
            label=options.label,
            normal=options.normal,
            feedback=options.feedback,
            memory=options.kept_rows,
            seed=options.seed,
            screen=options.all_rows,
            given=list(options.given),
            mechanism=options.mechanism,
            rules="none" not in options.constraints,
            unit=options.unit,
            threads=options.threads,
        )
        read = Read(table.open(marking=screened or table.may_retype))
        rows = read.rows
        if given or options.quality != "fast":
            from tabad.constraints.watch import Watch

            watch = Watch(given, search=options.quality != "fast" and "none" not in options.constraints)
            rows = watch.through(rows)
        seen = fit.observe(rows)
        strays = read.strays()
        table.keep_marks(strays, seen)
        return fit

    if progress is not None:
        table.on_rows = lambda rows: progress("read", rows, table.rows, "")
    fit: _core.Fit = table.reread(observed)
    table.on_rows = None
    manifest = json.loads(fit.prepare())
    if watch is not None:
        fit.set_constraints(_all_rules(watch.found(manifest["columns"]), from_text(fit.constraints())))
    interrupted = False
    if options.quality != "fast":
        parts = _Parts.of(fit, manifest)
        generates = options.all_rows and not screened
        interrupted = _train_network(fit, parts, options, preset or options.quality, generates, progress)
        # No student where nothing is held out, of a small table, of a model that follows feedback, of brief networks.
        if preset is None and not (options.all_rows or interrupted):
            interrupted = _teach_student(fit, parts, options, progress)
    model = Model(fit.finish())
    ignored = [c["name"] for c in model.manifest["columns"] if c["kind"] == "ignored"]
    labels, dressed = {}, {}
    if table.head is not None:
        skip = (*ignored, *answers, *strays)
        labels, dressed = spot_labels(table.head, skip, told=bool(answers)), spot_numbers(table.head, skip)
        if not (screened or table.may_retype):
            table.notes.extend(
                f"column `{name}` is text, though nearly all of its cells are numbers or dates ('{seen}' is none): as"
                " numbers or dates a model sees more in it (pandas: pd.to_numeric, pd.to_datetime, errors='coerce')"
                for name, seen in spotted(table.head, (*skip, *table.as_text)).items()
            )
    for name, seen in dressed.items():
        table.notes.append(f"column `{name}` is text such as '{seen}': only plain numbers (1234.5) are read as numbers")
    if scored := [name for name in ignored if name not in (*options.ignore, *answers, options.unit)]:
        table.notes.append(f"{', '.join(scored)} are left out: an earlier scoring added them")
    if not screened and not options.all_rows:
        table.notes.extend(_stray_notes(model, strays))
    table.notes.extend(_unkept(model, given))
    return Fitted(model, interrupted, labels, list(dict.fromkeys([*table.notes, *(watch.notes() if watch else ())])))


def _stray_notes(model: Model, strays: dict[str, int]) -> list[str]:
    """What to hear of cells that are not what their columns are; who screens a table hears it of the rows."""
    judged = {c["name"] for c in model.manifest["columns"] if c["kind"] not in ("id", "ignored", "label")}
    told = ", ".join(f"{count:,} of `{name}`" for name, count in strays.items() if name in judged)
    if not told:
        return []
    return [f"cells that are no number or date: {told}; for the model they are missing, and a scoring names them"]


def _refuse_unchecked(given: list[Constraint]) -> None:
    """Raise `UsageError` for a rule that no row is judged by: it is for rows that a network generates."""
    for one in given:
        if one.rule not in OF_AMOUNTS:
            raise UsageError(
                f"`{one}` is for rows that are generated, and quality fast trains no network to generate any",
                name="constraint-without-network",
                hint="fit with --quality default, or leave it out: rows are judged by orders, sums and products",
            )


def _all_rules(watched: list[Constraint], found: list[Constraint]) -> str:
    """Those that were given, then orders, sums and products, then the others that were seen in passing."""
    given = [one for one in watched if one.given]
    known = {(one.rule, one.columns) for one in given}
    fresh = [one for one in found if (one.rule, one.columns) not in known]
    return json.dumps([one.to_json() for one in [*given, *fresh, *(one for one in watched if not one.given)]])


def _unkept(model: Model, given: list[Constraint]) -> list[str]:
    """Which of the rules that were given say nothing, and why."""
    kept = [(c["rule"], tuple(c["columns"])) for c in model.manifest["constraints"]]
    kinds = {column["name"]: column["kind"] for column in model.manifest["columns"]}
    notes = []
    for one in given:
        if (one.rule, one.columns) in kept:
            continue
        ids = [name for name in one.columns if kinds[name] == "id"]
        left = [name for name in one.columns if kinds[name] in ("ignored", "label")]
        if left:
            why = f"`{left[0]}` is {'the label' if kinds[left[0]] == 'label' else 'left out'}, and not modelled"
        elif ids and one.rule in OF_AMOUNTS:
            says = " ".join(f"--kind {name}=number" for name in ids)
            why = f"{' and '.join(f'`{name}`' for name in ids)} as an id only names the row; {says} says otherwise"
        else:
            why = "the model does not hold the values of its columns"
        notes.append(f"`{one}` was given and is not kept: {why}")
    return notes


def fit_private(table: Table, options: FitOptions, progress: OnProgress | None = None) -> Fitted:
    """A model of rows drawn from a private release of the table, which is kept in it: `tabad.private`.

    After the release nothing looks at the table. Raises `InputError` for text files, whose types depend on their
    values, `UsageError` for bounds and columns that do not go together, `MissingDependency` without `tabad[private]`.
    """
    import numpy as np
    import pyarrow as pa

    from tabad.private.process import make_release
    from tabad.private.stored import pack

    private = options.private
    if private is None:
        raise AssertionError("a private fit needs its options")
    refuse_text(table)
    if options.quality != "fast":
        expect("torch", extra="train", purpose=f"train the network (quality {options.quality})", hint=_NO_TORCH)
    trainer = None
    if private.method == "dp-sgd":
        expect("torch", extra="train", purpose="train a network privately")
        from tabad.diffusion.private import train_private

        trainer = partial(train_private, seed=private.noise_seed)
    if progress is not None:
        table.on_rows = lambda rows: progress("read", rows, table.rows, "")
    rows = table.reread(lambda: without_views(table.open()).read_all())
    table.on_rows = None
    release, facts, drawn = make_release(rows, private, label=options.label, ignore=options.ignore, trainer=trainer)
    del rows
    count = min(max(round(release.total), _LEAST_DRAWN), _MOST_DRAWN)
    made = drawn if drawn is not None else release.rows(count, np.random.default_rng(options.seed))
    kinds = {column.name: column.kind for column in release.columns if column.name != options.label}
    inner = replace(options, private=None, ignore=(), kinds=kinds)
    fitted = fit_table(open_table(pa.Table.from_batches([made])), inner, progress=progress)
    return replace(fitted, model=fitted.model.with_release(*pack(release, facts)), labels={})


def update_model(model: Model, table: Table, options: FitOptions, progress: OnProgress | None = None) -> Fitted:
    """The model after further rows of its table: see `_core.Model.updated`."""
    if progress is not None:
        table.on_rows = lambda rows: progress("read", rows, table.rows, "")
    kept = max(KEPT_ROWS, model.manifest["kept_rows"]) if options.memory is None else options.memory
    strays: dict[str, int] = {}

    def updated() -> Model:
        nonlocal strays
        read = Read(table.open(types=model.schema, marking=True))
        after = model.updated(read.rows, memory=kept, seed=options.seed, threads=options.threads)
        strays = read.strays()
        return after

    after: Model = table.reread(updated)
    table.on_rows = None
    return Fitted(after, notes=[*dict.fromkeys(table.notes), *_stray_notes(after, strays)], rows=table.rows)


@dataclass(frozen=True)
class _Parts:
    """What a network is trained on and judged by: numbers, codes, labels where there are any."""

    layout: Any
    training: tuple[Any, Any, Any]
    held_out: tuple[Any, Any, Any]
    label: dict[str, Any]

    @classmethod
    def of(cls, fit: _core.Fit, manifest: dict[str, Any]) -> "_Parts":
        from tabad.diffusion.layout import Layout

        layout = Layout.of(*_shape(manifest))
        training, held_out = (_arrays(part, layout) for part in (fit.training_block(), fit.held_out_block()))
        return cls(layout, training, held_out, manifest.get("label") or {"values": [], "normal": None})


def _train_network(
    fit: _core.Fit, parts: _Parts, options: FitOptions, size: str, generates: bool, progress: OnProgress | None
) -> bool:
    """Train a network on the fit's training part and give it to the fit; True when Ctrl-C ended it early."""
    from tabad.diffusion.device import pick
    from tabad.diffusion.export import export
    from tabad.diffusion.presets import preset
    from tabad.diffusion.train import train

    x, c, labels = parts.training
    label = parts.label

    def report(step: Any) -> None:
        if progress is not None:
            progress("train", step.step, step.total, f"loss {step.loss:.3f}, {step.seconds_left:.0f} s left")

    trained = train(
        x,
        c,
        parts.layout,
        preset=preset(size, len(x), generates=generates),
        device=pick(options.device),
        seed=options.seed,
        labels=labels,
        classes=len(label["values"]),
        scored_label=label["values"].index(label["normal"]) if label["normal"] in label["values"] else None,
        held_out=parts.held_out if len(parts.held_out[0]) else None,
        progress=report,
    )
    fit.set_network(*export(trained))
    return trained.interrupted


def _teach_student(fit: _core.Fit, parts: _Parts, options: FitOptions, progress: OnProgress | None) -> bool:
    """Judge the fit, distil it into a student and give it that; True when Ctrl-C ended it: then there is none."""
    import numpy as np

    from tabad.diffusion.device import pick
    from tabad.diffusion.distill import FEWEST_ROWS, distill, size_for

    if not fit.judge() or len(parts.training[0]) < FEWEST_ROWS:
        return False

    def teach(x: Any, c: Any) -> tuple[Any, Any]:
        said: tuple[Any, Any] = fit.teach(len(x), x.tobytes(), c.tobytes())
        scores, tails = said
        return np.frombuffer(scores, "<f4"), np.frombuffer(tails, "<f4").reshape(len(x), -1)

    def report(step: int, total: int) -> None:
        if progress is not None:
            progress("distil", step, total, "")

    size = size_for(options.quality, len(parts.training[0]))
    try:
        student = distill(
            parts.training[:2],
            parts.held_out[:2],
            parts.layout,
            teach,
            size=size,
            seed=options.seed,
            device=pick(options.device),
            progress=report,
        )
    except KeyboardInterrupt:
        return True
    fit.set_student(*student)
    return False


def _arrays(part: tuple[int, Any, Any, bytes], layout: Any) -> tuple[Any, Any, Any]:
    """A part of the sample as numpy arrays: numbers, codes, labels where there are any."""
    import numpy as np

    rows, x, c, labels = part
    return (
        np.frombuffer(x, "<f4").reshape(rows, layout.numbers),
        np.frombuffer(c, "<u2").reshape(rows, layout.categories),
        np.frombuffer(labels, "<u2") if labels else None,
    )


def _shape(manifest: dict[str, Any]) -> tuple[list[int], list[int], list[int]]:
    """Sizes of the category columns, status column per number, table column per feature (numbers first)."""
    numbers: dict[int, tuple[int, int]] = {}
    categories: dict[int, tuple[int, int]] = {}
    for column, facts in enumerate(manifest["columns"]):
        for feature in facts["features"]:
            if "number" in feature:
                numbers[feature["number"]] = (feature["status"], column)
            else:
                categories[feature["category"]] = (feature["size"], column)
    in_order = [numbers[dim] for dim in sorted(numbers)], [categories[index] for index in sorted(categories)]
    return (
        [size for size, _ in in_order[1]],
        [status for status, _ in in_order[0]],
        [column for part in in_order for _, column in part],
    )

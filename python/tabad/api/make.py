"""What the network makes: new rows, missing cells, anomalies with the truth beside them."""

# ruff: noqa: A002  (`format` is what everyone calls it)
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabad import tables
from tabad._lazy import need
from tabad.api.check import refuse_alarms, run_audit, shown_attacks
from tabad.api.shared import FilePath, as_model, names
from tabad.config import DEVICES, AuditOptions, Device, one_of
from tabad.errors import TabadWarning, UsageError
from tabad.fitting import OnProgress
from tabad.model import Model


@dataclass(frozen=True)
class Imputed:
    """The outcome of a filling: the answer, how many cells of which column were filled, and what to hear."""

    data: Any
    rows: int
    filled: dict[str, int]
    notes: list[str]


def generate(
    model: Model | FilePath,
    n: int,
    *,
    label: str | None = None,
    where: Mapping[str, Any] | Iterable[str] | str | None = None,
    guidance: float = 1.0,
    constraints: Iterable[str] | str | None = (),
    seed: int = 0,
    device: Device = "auto",
    train: Any = None,
    holdout: Any = None,
    redraw_copies: bool = False,
    redraw_near: float = 0.0,
    output: FilePath | None = None,
    output_format: str | None = None,
) -> Any:
    """A pyarrow Table of `n` generated rows; with `output`, the path written. See `Model.generate`.

    With `train` and `holdout` the rows are audited (`tabad.audit`) before they are handed out: `Refused` where an
    attack raises an alarm, and nothing is written. `redraw_copies` draws rows again that equal a row of `train`,
    `redraw_near` those too that are nearer to one than this share of the training rows are to each other. Neither makes
    a table private: what is missing tells something too, so that an audit still has to pass.

    >>> tabad.generate("payments.tabad", 1000, seed=1)  # doctest: +SKIP
    """
    made = as_model(model)
    options: dict[str, Any] = {
        "label": label,
        "where": where,
        "guidance": guidance,
        "constraints": constraints,
        "device": device,
    }
    if not 0.0 <= redraw_near < 1.0:
        raise UsageError(f"`redraw_near` is {redraw_near:g}, and must be 0 or a share below 1", name="option-range")
    redraw = redraw_copies or redraw_near > 0
    if train is None and holdout is None and not redraw:
        return made.generate(n, seed=seed, output=output, output_format=output_format, **options)
    if train is None or (holdout is None and not redraw):
        lacking = "train" if train is None else "holdout"
        raise UsageError(
            f"generated rows are to be checked against real ones, and `{lacking}` is not given",
            name="check-without-table",
            hint="an audit needs --train T --holdout H, drawing copies again needs --train T",
        )
    if output is not None:
        tables.check_destination(os.fspath(output), output_format)
    near = redraw_near if redraw else None
    return _checked(made, n, train, holdout, near, seed, options, output, output_format)


def _checked(
    model: Model,
    n: int,
    train: Any,
    holdout: Any,
    near: float | None,
    seed: int,
    options: dict[str, Any],
    output: FilePath | None,
    output_format: str | None,
) -> Any:
    """Generated rows without copies (`near`: None for with) that pass an audit (`holdout`), in memory until they do."""
    need("numpy", extra="train", purpose="audit a table")
    from tabad.privacy.redraw import without_copies

    opened = tables.open_table(train).spool()
    rows = model.generate(n, seed=seed, **options)
    if near is not None:
        ids = {column["name"] for column in model.manifest["columns"] if column["kind"] == "id"}
        columns = [column for column in rows.column_names if column not in ids]
        real = opened.reread(lambda: opened.open(types=model.schema).read_all())
        # Seeds are apart by more than any caller counts up.
        again = lambda count, turn: model.generate(count, seed=(seed + turn * 2**40) % 2**64, **options)  # noqa: E731
        rows, _ = without_copies(rows, real, columns, again, opened.name, near)
    if holdout is not None:
        there = opened.open().schema.names
        ignore = tuple(name for name in there if name not in rows.column_names)
        result = run_audit(rows, opened, holdout, AuditOptions(ignore=ignore, seed=seed))
        refuse_alarms(result, withheld=True)
        few = [f"too few rows to tell: {shown_attacks(result.untold)}"] if result.untold else []
        for note in (*result.notes, *few):
            warnings.warn(note, TabadWarning, stacklevel=4)
    if output is None:
        return rows
    tables.write(rows.to_reader(), os.fspath(output), output_format)
    return Path(output)


def impute(
    data: Any,
    model: Model | FilePath,
    *,
    columns: Iterable[str] | str = (),
    seed: int = 0,
    device: Device = "auto",
    output: FilePath | None = None,
    format: str | None = None,
    output_format: str | None = None,
) -> Any:
    """The table with its missing cells filled by the model's network. See `Model.impute`.

    >>> tabad.impute("payments.parquet", "payments.tabad", output="filled.parquet")  # doctest: +SKIP
    """
    outcome = run_impute(
        data,
        model,
        columns=names(columns),
        seed=seed,
        device=device,
        output=output,
        format=format,
        output_format=output_format,
    )
    for note in outcome.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return outcome.data


def run_impute(
    data: Any,
    model: Model | FilePath,
    *,
    columns: Iterable[str] = (),
    seed: int = 0,
    device: Device = "auto",
    output: FilePath | None = None,
    format: str | None = None,
    output_format: str | None = None,
    progress: OnProgress | None = None,
) -> Imputed:
    """`impute`, with what was filled."""
    one_of(device, DEVICES, "device")
    if output is not None:
        tables.check_destination(os.fspath(output), output_format)
    filling = as_model(model).filling(columns, seed=seed, device=device)
    table = tables.open_table(data, format=format, output=output)
    if progress is not None:
        table.on_rows = lambda rows: progress("fill", rows, table.rows, "")
    result = filling.answer(table) if output is None else filling.write(table, os.fspath(output), output_format)
    return Imputed(result, filling.rows, dict(filling.filled), [*dict.fromkeys(table.notes), *filling.notes()])


def anomalies(
    data: Any,
    model: Model | FilePath,
    n: int,
    *,
    columns: Iterable[str] | str | int = 1,
    prefix: str = "tabad_",
    seed: int = 0,
    device: Device = "auto",
    output: FilePath | None = None,
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

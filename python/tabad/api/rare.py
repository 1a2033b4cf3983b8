"""Rare classes, and how good generated rows are: `augment`, `compare`."""

# ruff: noqa: A002  (`format` is what everyone calls it)
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabad import tables
from tabad._lazy import need
from tabad.api.shared import FilePath, names
from tabad.config import DEVICES, Device, check_seed, label_text, one_of
from tabad.errors import TabadWarning
from tabad.fitting import OnProgress

if TYPE_CHECKING:
    from tabad.synthesis.augment import Outcome
    from tabad.synthesis.compare import Comparison


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
    output: FilePath | None = None,
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
        ignore=names(ignore),
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
    output: FilePath | None = None,
    format: str | None = None,
    output_format: str | None = None,
    progress: OnProgress | None = None,
) -> "tuple[Outcome, Any]":
    """`augment`, with what its comparison found."""
    one_of(device, DEVICES, "device")
    check_seed(seed)
    if output is not None:
        tables.check_destination(os.fspath(output), output_format)
    need("sklearn", extra="sklearn", purpose="judge generated rows by a classifier")
    from tabad.synthesis.augment import augmented
    from tabad.synthesis.loop import Plan

    table = tables.open_table(data, format=format, output=output)
    plan = Plan(label, label_text(rare), dict(kinds or {}), tuple(ignore), seed=seed, device=device)
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
        ignore=names(ignore),
        seed=seed,
    )

"""What a synthetic table gives away: `audit`."""

# ruff: noqa: A002  (`format` is what everyone calls it)
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tabad import tables
from tabad._lazy import need
from tabad.api.shared import names
from tabad.config import AuditOptions, label_text
from tabad.errors import Refused, TabadWarning

if TYPE_CHECKING:
    from tabad.privacy import Audit
    from tabad.privacy.result import Finding


def audit(
    synthetic: Any,
    train: Any,
    holdout: Any,
    *,
    label: str | None = None,
    class_value: Any = None,
    kinds: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    rows: int = 10_000,
    seed: int = 0,
    format: str | None = None,
    threads: int = 0,
    unit: str | None = None,
) -> "Audit":
    """What attacks find out about the training rows of a generator from the synthetic table alone, with a verdict each.

    `train` holds the rows that the generator was trained on, `holdout` rows of the same source that it has never
    seen, best drawn at random: what an attack finds only counts where it finds more about the former. `label` and
    `class_value` name a class to audit by itself as well. The attacks look at `rows` rows of each table, copies are
    looked for in all. `unit` names a column that says whose row it is (a customer): the attacks then look at one row of
    each, and no unit may be in both tables. Raises `InputError` for tables that cannot be compared or a holdout that
    overlaps the training rows, `UsageError` for columns or a class that are not there, `MissingDependency` without
    numpy.

    >>> tabad.audit("made.parquet", "train.parquet", "holdout.parquet").passed  # doctest: +SKIP
    """
    value = None if class_value is None else label_text(class_value)
    options = AuditOptions(label, value, dict(kinds or {}), names(ignore), rows, seed, threads, unit)
    result = run_audit(synthetic, train, holdout, options, format=format)
    for note in result.notes:
        warnings.warn(note, TabadWarning, stacklevel=2)
    return result


def run_audit(synthetic: Any, train: Any, holdout: Any, options: AuditOptions, *, format: str | None = None) -> "Audit":
    """`audit`, silent about notes: they stand in the result. `format` is that of the synthetic table."""
    need("numpy", extra="train", purpose="audit a table")
    from tabad.privacy import audit_tables

    opened = tables.open_table(synthetic, format=format), tables.open_table(train), tables.open_table(holdout)
    return audit_tables(*opened, options)


def refuse_alarms(result: "Audit", *, withheld: bool = False) -> None:
    """Raise `Refused` where an attack raised an alarm or none could tell. `withheld`: the table was to be written, and
    was not."""
    if result.passed:
        return
    if result.alarms:
        name, said = "audit-alarm", f"the synthetic table gives training rows away: {shown_attacks(result.alarms)}"
        hint = (
            "train on more rows, for fewer steps or on a smaller network, and audit again; "
            "dropping the rows that were found hides the leak and does not close it"
        )
    else:
        name, said = "audit-untold", "the tables have too few rows for any attack to tell"
        hint = "give more rows of all three tables, some hundreds of each at least"
    refusal = Refused(said + ("; nothing was written" if withheld else ""), name=name, hint=hint)
    refusal.answered = not withheld
    raise refusal


def shown_attacks(findings: "Iterable[Finding]") -> str:
    """Names of attacks, with the group where it is a class."""
    return ", ".join(f"{f.attack} ({f.group})" if f.group != "all rows" else f.attack for f in findings)

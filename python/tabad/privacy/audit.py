"""The order of an audit: read three tables, refuse what cannot be compared, encode, attack, judge.

All verdicts together err in at most 2 % of the tables that leak nothing: the attacks share that level (Bonferroni),
and each pays for its own looks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tabad.privacy import checks
from tabad.privacy.attacks import inference, linkability
from tabad.privacy.copies import exact_copies, near_copies
from tabad.privacy.distances import closest_records
from tabad.privacy.membership import membership
from tabad.privacy.records import encode, row_codes, value_codes
from tabad.privacy.result import ALARM, INFORMATIVE, PASS, TOO_FEW, Audit, Figure, Finding, Verdict
from tabad.privacy.singling import singling_out
from tabad.privacy.units import once_a_unit, one_of_each, unit_codes
from tabad.tables.views import without_views

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from tabad.config import AuditOptions
    from tabad.privacy.records import Records, Space
    from tabad.tables import Table

__all__ = ["ATTACKS", "FAMILY", "audit_tables"]

FAMILY = 0.02
"""Chance of any alarm where there is no leak. Of 100 clean tables more than 5 then raise one in 1.5 % of the trials; at
5 % it would be in 38 % of them."""
ENOUGH = 100
"""Rows below which no alarm says nothing: even one row in ten given away would mostly be missed."""

ATTACKS = (
    "copies", "distances", "membership", "singling out by one column", "singling out by several columns",
    "linkability", "attribute inference",
)  # fmt: skip
_SHARES = dict.fromkeys(ATTACKS, 1) | {"copies": 3, "distances": 0}
"""Shares of the level: a few copies are the plainest leak, and the hardest to tell from chance."""
_EXACT, _NEAR = 4 / 3, 4
"""What the two looks for copies cost: three quarters of their level for the exact ones."""
_NAMES = ("train", "holdout", "synthetic")

Outcome = tuple[float | None, list[Figure]]


def audit_tables(synthetic: Table, train: Table, holdout: Table, options: AuditOptions) -> Audit:
    """What the attacks find in `synthetic`, whose generator was trained on `train` and has never seen `holdout`.

    Raises `InputError` for tables that cannot be compared and a holdout that overlaps the training rows or shares units
    with them, and `UsageError` for columns or a class that are not there.
    """
    tables, names, notes = _read({"train": train, "holdout": holdout, "synthetic": synthetic})
    units, ignored = {}, options.ignore
    if options.unit is not None:
        units = unit_codes(tables, names, options.unit)
        ignored = tuple(dict.fromkeys([*ignored, options.unit]))
    tables = checks.alike(tables, names, ignored)
    checks.enough_rows(tables, names)
    in_class = None
    if options.label is not None and options.value is not None:
        in_class = checks.class_rows(tables, names, options.label, options.value)
    draw = np.random.default_rng([options.seed, 0])
    of_all = {name: _drawn(np.arange(t.num_rows), units.get(name), options.rows, draw) for name, t in tables.items()}
    of_class = {}
    if in_class:
        chosen = {name: np.flatnonzero(in_class[name]) for name in tables}
        of_class = {name: _drawn(chosen[name], units.get(name), options.rows, draw) for name in tables}
    used = {name: np.concatenate([of_all[name], of_class.get(name, of_all[name][:0])]) for name in tables}
    space, records = encode(tables, of_all, used, options)
    modelled = [column.name for column in space.columns]
    rows = row_codes(value_codes(tables, modelled))
    checks.no_overlap(rows["train"], rows["holdout"], names)

    groups = 2 if in_class else 1
    level = FAMILY / groups
    whole = {name: part.take(slice(len(of_all[name]))) for name, part in records.items()}
    findings = _group("all rows", space, whole, _witnesses(rows, units), level, options.seed)
    if in_class:
        part = {name: part.take(slice(len(of_all[name]), None)) for name, part in records.items()}
        codes = {name: rows[name][in_class[name]] for name in tables}
        inside = {name: codes_B[in_class[name]] for name, codes_B in units.items()}
        group = f"{options.label} = {options.value}"
        findings += _group(group, space, part, _witnesses(codes, inside), level, options.seed)
    left_out = [c for c in tables["train"].column_names if c not in modelled]
    return Audit(
        findings=tuple(findings),
        rows={name: table.num_rows for name, table in tables.items()},
        used={name: len(part) for name, part in of_all.items()},
        columns=tuple(modelled),
        left_out=(*left_out, *ignored),
        notes=tuple(notes),
    )


def _read(given: dict[str, Table]) -> tuple[dict[str, pa.Table], dict[str, str], list[str]]:
    """All rows; CSV and JSON lines with the types of the training table."""
    tables: dict[str, pa.Table] = {}
    notes: dict[str, None] = {}
    for name, table in given.items():
        types = tables["train"].schema if "train" in tables else None
        tables[name] = table.reread(partial(_all_rows, table, types))
        notes.update(dict.fromkeys(table.notes))
    names = {
        name: f"the {what} table" for name, what in zip(_NAMES, ("training", "held-out", "synthetic"), strict=True)
    }
    shown = {name: table.name if table.kind == "path" else names[name] for name, table in given.items()}
    return tables, shown, list(notes)


def _all_rows(table: Table, types: pa.Schema | None) -> pa.Table:
    return without_views(table.open(types=types)).read_all()


def _drawn(chosen: Any, units: Any, most: int, draw: np.random.Generator) -> Any:
    """At most so many of the chosen rows, in random order; one of each unit where there are units."""
    order = draw.permutation(chosen)
    return (order if units is None else one_of_each(order, units))[:most]


def _witnesses(rows: dict[str, Any], units: dict[str, Any]) -> dict[str, Any]:
    """The row codes that copies are looked for with: per unit, each once."""
    return {name: once_a_unit(codes, units[name]) if name in units else codes for name, codes in rows.items()}


def _group(
    group: str, space: Space, records: dict[str, Records], rows: dict[str, Any], level: float, seed: int
) -> list[Finding]:
    """Every attack on some rows. `rows`: row codes of all of them, `records`: those that are looked at."""
    three = (records["synthetic"], records["train"], records["holdout"])
    fewest = min(len(part) for part in three)

    def draw(attack: str) -> np.random.Generator:
        return np.random.default_rng([seed, 2, ATTACKS.index(attack)])

    def copies() -> Outcome:
        exact, figures = exact_copies(rows["synthetic"], rows["train"], rows["holdout"])
        near, more = near_copies(space, *three)
        return min(1.0, _EXACT * exact, _NEAR * near), [*figures, *more]

    attacks: dict[str, Callable[[], Outcome]] = {
        "copies": copies,
        "distances": lambda: (None, closest_records(space, *three)),
        "membership": lambda: membership(space, *three, draw("membership")),
        "singling out by one column": lambda: singling_out(
            space, *three, draw("singling out by one column"), several=False
        ),
        "singling out by several columns": lambda: singling_out(
            space, *three, draw("singling out by several columns"), several=True
        ),
    }
    if len(space.columns) > 1:
        attacks["linkability"] = lambda: linkability(space, *three, draw("linkability"))
        attacks["attribute inference"] = lambda: inference(space, *three, draw("attribute inference"))
    findings = []
    for name in ATTACKS:
        if name in attacks and fewest < checks.LEAST_ROWS:
            findings.append(Finding(name, group, TOO_FEW, None, None))
        elif name in attacks:
            tail, figures = attacks[name]()
            part = level * _SHARES[name] / sum(_SHARES.values())
            verdict = _verdict(tail, part, fewest)
            findings.append(Finding(name, group, verdict, tail, None if tail is None else part, tuple(figures)))
    return findings


def _verdict(tail: float | None, level: float, fewest: int) -> Verdict:
    if tail is None:
        return INFORMATIVE
    if tail <= level:
        return ALARM
    return TOO_FEW if fewest < ENOUGH else PASS

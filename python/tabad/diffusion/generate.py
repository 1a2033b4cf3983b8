"""Rows out of a model's network, batch by batch, in the fitted types.

Columns that equal a value are held clean at every step and come back as they were given; a label steers by
classifier-free guidance (Ho and Salimans 2022). Other conditions (ranges, `!=`) are met by drawing again: rows that
obey are kept, so that they follow the network's own distribution given the condition, with no heap at the bound. So
are the rows that the model's constraints cannot mend (`obey`).
Axes: B rows, P table columns.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from tabad.arrow_types import is_text
from tabad.errors import InputError, TabadWarning, UsageError

from .classes import Classes
from .obey import Obedience
from .rows import Sampler
from .sample import Given
from .ties import Ties

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tabad import _core
    from tabad.conditions import Condition
    from tabad.constraints import Constraint

__all__ = ["generated"]

BATCH = 16_384
REDRAWN = 4_096
"""Rows drawn at a time where some are thrown away."""
LEAST_SHARE = 0.002
"""Below this share of rows that obey, conditions are given up."""
_PATIENCE = 5
"""How many times `1 / LEAST_SHARE` rows are drawn before that is decided."""
_FEW, _TRIED = 0.1, 8_192
"""Where fewer of so many rows drawn obey the constraints, cells in the wrong order are exchanged."""
_APART = 1e-3
"""Standard deviations by which a value that is known may come back otherwise, by rounding."""
_UNORDERED = ("category", "boolean", "text", "key")


def generated(
    core: _core.Model,
    network: tuple[str, bytes],
    rows: int,
    *,
    seed: int,
    device: str,
    label: str | None = None,
    where: Sequence[Condition] = (),
    guidance: float = 1.0,
    constraints: Sequence[Constraint] = (),
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of `rows` new rows, the label column among them (see `Classes`).

    `network` is the model's (`core.network()`), `constraints` are what the rows obey. The same seed gives the same
    rows, however many are taken. Raises `UsageError` for a label, column or value that the model does not know, and
    `InputError` from the stream where fewer than one row in 500 obeys.
    """
    sampler = Sampler(core, network, device)
    manifest = sampler.manifest
    values = _values(sampler, where)
    held = _standing(values)
    classes = Classes(sampler, label, held=bool(held), seed=seed)
    if classes.one is None and guidance != 1.0:
        raise UsageError(
            "guidance leans on a class, and none is asked for",
            name="options-conflict",
            hint="add --class VALUE (label=...), or leave --guidance out",
        )
    tests = [(one, value) for one, value in values if one.operator != "="]
    fields = []
    for column in manifest["columns"]:
        if classes.field is not None and column["name"] == classes.field.name:
            fields.append(classes.field)
        elif column["kind"] not in ("ignored", "label"):
            fields.append(core.schema().field(column["name"]))
    schema = pa.schema(fields)
    _check_ids(manifest, schema, rows)
    demands = _Demands(sampler, tests, constraints, held)
    for one in demands.obedience.contradicted(held):
        shown = ", ".join(f"`{name} = {held[name][0]}`" for name in one.columns)
        raise UsageError(
            f"{shown} cannot stand in one row, of which `{one}`",
            name="where-contradiction",
            hint="ask for values that obey it, or draw without rules: --no-constraints (constraints=None)",
        )
    given = _held(sampler, held) if held else None
    notes = [] if given is None else _unknown(sampler, held, given)
    if classes.held_back:
        notes.append(
            f"label column `{manifest['label']['column']}` is left out: how common its values are among rows that are "
            "held at a value is not known; ask for one by --class VALUE (label=...)"
        )
    for note in notes:
        warnings.warn(note, TabadWarning, stacklevel=2)

    def batches() -> Iterator[pa.RecordBatch]:
        done = drawn = obeyed = 0
        while done < rows:
            count = REDRAWN if tests else min(BATCH, rows - done)
            if demands and drawn:
                count = max(count, min(REDRAWN, 256))
            x_BN, c_BC, class_B = classes.draw(
                sampler,
                count,
                given=None if given is None else _repeated(given, count),
                guidance=guidance,
                ties=demands.ties,
            )
            made = classes.beside(sampler.decode(x_BN, c_BC, first_row=done), class_B)
            if demands:
                drawn += count
                last = drawn > _TRIED and obeyed < _FEW * drawn
                made = demands.met(made, (x_BN, c_BC), done, last=last)
                obeyed += made.num_rows
                _give_up(obeyed, drawn, demands)
                made = made.slice(0, rows - done)
            done += made.num_rows
            yield _complete(made, schema, held)

    return schema, batches()


def _check_ids(manifest: dict[str, Any], schema: pa.Schema, rows: int) -> None:
    """Raise `UsageError` where an id has too narrow a type for so many rows."""
    for name in [column["name"] for column in manifest["columns"] if column["kind"] == "id"]:
        kind = schema.field(name).type
        if pa.types.is_integer(kind):
            most = 2 ** (kind.bit_width - pa.types.is_signed_integer(kind)) - 1
            if rows > most:
                raise UsageError(
                    f"{rows:,} rows are asked for, and id column `{name}` is {kind}, which numbers {most:,}",
                    name="option-range",
                    hint=f"ask for fewer, or fit with --ignore {name}",
                )


def _values(sampler: Sampler, where: Sequence[Condition]) -> list[tuple[Condition, pa.Array]]:
    """The conditions with their values, each an array of one."""
    columns = {column["name"]: column for column in sampler.manifest["columns"]}
    for one in where:
        kind = columns.get(one.column, {}).get("kind")
        if kind in (None, "id", "ignored", "label"):
            found = "is no column of the model" if kind is None else f"is not modelled ({kind})"
            raise UsageError(
                f"`{one.column}` cannot be held at a value: it {found}",
                name="where-column",
                hint=f"modelled columns are {', '.join(f'`{name}`' for name in sampler.owners[:10])}; "
                "a class is asked for by --class",
            )
        # A date that is written as text is compared as text, where 9.1.2024 is later than 10.1.2024.
        words = is_text(sampler.core.schema().field(one.column).type)
        if one.ordered and (kind in _UNORDERED or words):
            raise UsageError(
                f"`{one}`: the values of column `{one.column}` have no order ({'text' if words else kind})",
                name="where-order",
                hint="compare it with = or !=",
            )
    return [(one, one.read(sampler.core.schema().field(one.column))) for one in where]


def _standing(values: list[tuple[Condition, pa.Array]]) -> dict[str, pa.Array]:
    """The columns that are held at a value. Raises `UsageError` where one is to be two things at once."""
    held: dict[str, pa.Array] = {}
    for one, value in values:
        if one.operator != "=":
            continue
        if one.column in held and not held[one.column].equals(value):
            raise UsageError(
                f"`{one.column}` cannot be `{held[one.column][0]}` and `{one.value}` at once",
                name="where-contradiction",
                hint="ask for one value, and again for the other",
            )
        held[one.column] = value
    return held


def _held(sampler: Sampler, held: dict[str, pa.Array]) -> Given:
    """One row with the values that stand, on the network's scale."""
    x_BN, c_BC = sampler.encode(pa.table(list(held.values()), names=list(held)))
    return Given(x_BN, c_BC, sampler.given(list(held), 1))


def _unknown(sampler: Sampler, held: dict[str, pa.Array], given: Given) -> list[str]:
    """What to hear of held values that the network has no word for: another comes back for them."""
    columns = [c for c in sampler.manifest["columns"] if c["name"] in held and c["kind"] in ("number", "category")]
    x_BN, c_BC = given.x_BN, given.c_BC
    made = sampler.decode(x_BN, c_BC, first_row=0)
    back_BN, back_BC = sampler.encode(pa.table([made.column(name) for name in held], names=list(held)))
    notes = []
    for column in columns:
        name = column["name"]
        value, known = held[name][0], made.column(name)[0]
        for feature in column["features"]:
            if "number" in feature and abs(x_BN[0, feature["number"]] - back_BN[0, feature["number"]]) > _APART:
                notes.append(f"`{name}` of {value} is beyond what the model knows: rows are made as for {known}")
            elif "number" not in feature and c_BC[0, feature["category"]] != back_BC[0, feature["category"]]:
                notes.append(f"no row of the fit has {value} in `{name}`: rows are made as for any such value")
    return notes


def _repeated(held: Given, rows: int) -> Given:
    return Given(held.x_BN.repeat(rows, 1), held.c_BC.repeat(rows, 1), held.given_BP.repeat(rows, 1))


class _Demands:
    """What rows must obey: conditions that are met by drawing again, and the constraints of the table."""

    def __init__(
        self,
        sampler: Sampler,
        tests: list[tuple[Condition, pa.Array]],
        constraints: Sequence[Constraint],
        held: dict[str, pa.Array],
    ) -> None:
        self.sampler, self.tests, self.held = sampler, tests, held
        kinds = {column["name"]: column["kind"] for column in sampler.manifest["columns"]}
        self.obedience = Obedience(constraints, kinds)
        self.ties = Ties(constraints, sampler.owners, sampler.index)
        self.ids = [name for name, kind in kinds.items() if kind == "id"]

    @property
    def said(self) -> list[str]:
        """The conditions, and the constraints that rows break."""
        return [*(f"`{test}`" for test, _ in self.tests), *self.obedience.said]

    def __bool__(self) -> bool:
        return bool(self.tests or self.obedience)

    def met(
        self, made: pa.RecordBatch, block: tuple[torch.Tensor, torch.Tensor], done: int, *, last: bool
    ) -> pa.RecordBatch:
        """The rows that obey, mended where they can be, their ids without gaps."""
        obeys = np.ones(made.num_rows, bool)
        # What the network holds is near what was asked for, and not always the same: a key stands for all as common.
        for name, value in self.held.items():
            place = made.schema.get_field_index(name)
            made = made.set_column(place, made.schema.field(place), _all(value, made.num_rows))
        if self.obedience:
            made, obeys = self.obedience.mended(made, held=self.held, last=last)
        for one, value in self.tests:
            obeys &= one.test(made.column(one.column), value).to_numpy(zero_copy_only=False)
        if obeys.all():
            return made
        kept = made.filter(pa.array(obeys))
        if self.ids and kept.num_rows:
            at = torch.tensor(np.flatnonzero(obeys), device=self.sampler.index.device)
            numbered = self.sampler.decode(block[0][at], block[1][at], first_row=done)
            for name in self.ids:
                place = kept.schema.get_field_index(name)
                kept = kept.set_column(place, kept.schema.field(place), numbered.column(name))
        return kept


def _give_up(found: int, drawn: int, demands: _Demands) -> None:
    """Raise `InputError` where too few of the rows drawn so far obey."""
    if drawn >= _PATIENCE / LEAST_SHARE and found < LEAST_SHARE * drawn:
        raise InputError(
            f"{found:,} of {drawn:,} rows drawn obey {' and '.join(demands.said[:10])}: too few to go on",
            name="where-rare",
            hint="widen the condition, or hold a column at a value with =, which needs no drawing again",
        )


def _complete(made: pa.RecordBatch, schema: pa.Schema, fixed: dict[str, pa.Array]) -> pa.RecordBatch:
    """The batch with what stands as it was given, and the label where it belongs."""
    columns = [
        _all(fixed[field.name], made.num_rows) if field.name in fixed else made.column(field.name) for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _all(value: pa.Array, rows: int) -> pa.Array:
    """An array of one, so many times."""
    return value.take(pa.array(np.zeros(rows, np.int64)))

"""Rows out of a model's network, batch by batch, in the fitted types.

What stands (`where`) is held clean at every step and comes back as it was given; a label steers by classifier-free
guidance (Ho and Salimans 2022). Sampling itself is `sample`.
Axes: B rows, N numbers, C category columns, P table columns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from tabad.errors import UsageError

from .device import pick
from .export import load
from .layout import Index
from .sample import Given, Plan, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tabad import _core

    from .denoiser import Denoiser

__all__ = ["generated"]

BATCH = 16_384


def generated(
    core: _core.Model,
    network: tuple[str, bytes],
    rows: int,
    *,
    seed: int,
    device: str,
    label: str | None = None,
    where: Mapping[str, Any] | None = None,
    guidance: float = 1.0,
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of `rows` new rows; the label column is among them where a label is asked for.

    `network` is the model's (`core.network()`). The same seed gives the same rows, however many are taken. Raises
    `UsageError` for a label, column or value that the model does not know.
    """
    manifest = json.loads(core.manifest())
    net = load(*network, pick(device))
    class_of, label_column = _class_of(manifest, net, label)
    values = _values(core, manifest, where or {})
    fixed = dict(values)
    fields = []
    for column in manifest["columns"]:
        if label_column is not None and column["name"] == label_column:
            fields.append(_label_field(column))
            fixed[label_column] = _array(label, fields[-1])
        elif column["kind"] not in ("ignored", "label"):
            fields.append(core.schema().field(column["name"]))
    schema = pa.schema(fields)

    def batches() -> Iterator[pa.RecordBatch]:
        index = Index(net.config.layout, net.knot.device)
        generator = torch.Generator(device=index.device).manual_seed(seed)
        forbidden_S = torch.zeros(net.config.layout.codes, dtype=torch.bool, device=index.device)
        # What no training row has is not drawn: nulls stay in the columns that had them.
        forbidden_S[manifest["unseen"]] = True
        held = _held(core, manifest, values, net)
        for first in range(0, rows, BATCH):
            count = min(BATCH, rows - first)
            x_BN, c_BC = sample(
                net,
                count,
                index,
                net.config.kind,
                generator=generator,
                untold=net.config.classes,
                label=class_of,
                given=None if held is None else _repeated(held, count),
                forbidden_S=forbidden_S,
                plan=Plan(guidance=guidance),
            )
            x = net.scale.value(x_BN).to("cpu", torch.float32).contiguous().numpy().tobytes()
            c = c_BC.to("cpu").numpy().astype("<u2").tobytes()
            made = core.decode(count, x, c, first_row=first)
            yield _complete(made, schema, fixed)

    return schema, batches()


def _class_of(manifest: dict[str, Any], net: Denoiser, label: str | None) -> tuple[int | None, str | None]:
    """The class that is generated and, where it was asked for, the column that says so."""
    scored = net.config.scored_label
    if label is None:
        return None if scored == net.config.classes else scored, None
    known = manifest.get("label")
    if not known or not net.config.classes:
        raise UsageError(
            f"rows of class `{label}` were asked for, but the model was fitted without a label column",
            name="class-without-label",
            hint="fit it with --label COLUMN (label=...), or hold a column at a value: --where COLUMN=VALUE",
        )
    if label not in known["values"]:
        shown = ", ".join(f"`{value}`" for value in known["values"][:10])
        raise UsageError(
            f"label column `{known['column']}` has no value `{label}`",
            name="class-unknown",
            hint=f"its values are {shown}",
        )
    return known["values"].index(label), known["column"]


def _label_field(column: dict[str, Any]) -> pa.Field:
    """The label as a column: a model knows its type by name only, and what is no plain type comes back as text."""
    try:
        return pa.field(column["name"], pa.type_for_alias(column["type"]))
    except ValueError:
        return pa.field(column["name"], pa.string())


def _values(core: _core.Model, manifest: dict[str, Any], where: Mapping[str, Any]) -> dict[str, pa.Array]:
    """The values that stand, each an array of one."""
    kinds = {column["name"]: column["kind"] for column in manifest["columns"]}
    for name in where:
        if kinds.get(name) in (None, "id", "ignored", "label"):
            found = "is no column of the model" if name not in kinds else f"is not modelled ({kinds[name]})"
            modelled = [f"`{name}`" for name, kind in kinds.items() if kind not in ("id", "ignored", "label")]
            raise UsageError(
                f"`{name}` cannot be held at a value: it {found}",
                name="where-column",
                hint=f"modelled columns are {', '.join(modelled[:10])}; a class is asked for by --class",
            )
    return {name: _array(value, core.schema().field(name)) for name, value in where.items()}


def _array(value: Any, field: pa.Field) -> pa.Array:
    """One value in the type of its column; text is read as that type."""
    wanted = field.type
    plain = wanted.value_type if pa.types.is_dictionary(wanted) else wanted
    try:
        try:
            array = pa.array([value], plain)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            array = pa.array([str(value)]).cast(plain)
        return array.dictionary_encode().cast(wanted) if plain is not wanted else array
    except pa.ArrowException:
        raise UsageError(
            f"`{value}` is not a value of column `{field.name}`, which is {wanted}", name="where-value"
        ) from None


def _held(core: _core.Model, manifest: dict[str, Any], fixed: dict[str, pa.Array], net: Denoiser) -> Given | None:
    """One row with the values that stand, on the network's scale."""
    if not fixed:
        return None
    modelled = [column["name"] for column in manifest["columns"] if column["kind"] not in ("ignored", "label")]
    fields = [core.schema().field(name) for name in modelled]
    columns = [fixed.get(field.name, pa.nulls(1, field.type)) for field in fields]
    _, x, c = core.encode(pa.Table.from_arrays(columns, schema=pa.schema(fields)))
    layout, device = net.config.layout, net.knot.device
    numbers = np.frombuffer(bytes(x), "<f4").reshape(1, layout.numbers)
    codes = np.frombuffer(bytes(c), "<u2").reshape(1, layout.categories).astype(np.int64)
    x_BN, c_BC = torch.tensor(numbers, device=device), torch.tensor(codes, device=device)
    owners = [column["name"] for column in manifest["columns"] if column["features"]]
    given_BP = torch.tensor([[name in fixed for name in owners]], device=device)
    return Given(net.scale.middle(x_BN), c_BC, given_BP)


def _repeated(held: Given, rows: int) -> Given:
    return Given(held.x_BN.repeat(rows, 1), held.c_BC.repeat(rows, 1), held.given_BP.repeat(rows, 1))


def _complete(made: pa.RecordBatch, schema: pa.Schema, fixed: dict[str, pa.Array]) -> pa.RecordBatch:
    """The batch with what stands as it was given, and the label where it belongs."""
    first = pa.array(np.zeros(made.num_rows, np.int64))
    columns = [
        fixed[field.name].take(first) if field.name in fixed else made.column(made.schema.get_field_index(field.name))
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)

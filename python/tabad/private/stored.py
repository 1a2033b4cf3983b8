"""A release as a model file keeps it: facts without floats, finite numbers; and back, with distrust."""

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tabad.errors import ModelFileError
from tabad.private.bounds import KINDS, Column, describe
from tabad.private.graph import Step
from tabad.private.grids import Grid
from tabad.private.release import Release

__all__ = ["pack", "unpack"]

Floats = npt.NDArray[np.float64]

MOST_CELLS = 50_000_000


def pack(release: Release, guarantee: dict[str, Any]) -> tuple[str, bytes]:
    """Facts (JSON) and numbers (float64) of a release and its guarantee, which has no floats."""
    columns = [
        {**describe(column), "type": str(column.type), "leaves": len(grid.start)}
        for column, grid in zip(release.columns, release.grids, strict=True)
    ]
    steps = [{"parents": list(step.parents), "columns": list(step.columns)} for step in release.steps]
    parts = [np.array([release.total])]
    for grid in release.grids:
        parts += [grid.start, grid.width, grid.mass, grid.bin]
    parts += [step.table.ravel() for step in release.steps]
    numbers = np.concatenate([np.asarray(part, "<f8") for part in parts])
    return json.dumps({**guarantee, "columns": columns, "steps": steps}), numbers.tobytes()


def unpack(facts: dict[str, Any], numbers: bytes, schema: pa.Schema) -> Release:
    """The release of a model file, `schema` its table. Raises `ModelFileError` for anything that does not fit."""
    try:
        return _unpack(facts, np.frombuffer(numbers, "<f8"), schema)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError, pa.ArrowException) as error:
        raise ModelFileError("what the model says of its private release is damaged") from error


def _unpack(facts: dict[str, Any], numbers: Floats, schema: pa.Schema) -> Release:
    at = 0

    def take(count: int) -> Floats:
        nonlocal at
        if not 0 <= count <= len(numbers) - at:
            raise ValueError("too few numbers")
        at += count
        return np.asarray(numbers[at - count : at], np.float64)

    total = float(take(1)[0])
    columns = [_column(told, schema) for told in facts["columns"]]
    grids = []
    for column, told in zip(columns, facts["columns"], strict=True):
        start, width, mass, bins = (take(told["leaves"]) for _ in range(4))
        grid = Grid(start.astype(np.int64), width.astype(np.int64), mass, bins.astype(np.int64), 0.0)
        _check(column, grid)
        grids.append(grid)
    sizes = [grid.bins for grid in grids]
    steps, drawn = [], set[int]()
    for told in facts["steps"]:
        parents, own = tuple(told["parents"]), tuple(told["columns"])
        if not drawn.issuperset(parents) or not drawn.isdisjoint(own) or len({*own, *parents}) < len(own + parents):
            raise ValueError("steps out of order")
        drawn.update(own)
        shape = [_cells([sizes[column] for column in group]) for group in (parents, own)]
        table = take(_cells(shape)).reshape(shape)
        if (table < 0).any() or (table.sum(axis=1) <= 0).any():
            raise ValueError("no distribution")
        steps.append(Step(parents, own, table))
    if at < len(numbers) or (steps and drawn != set(range(len(columns)))):
        raise ValueError("numbers or columns left over")
    return Release(columns, grids, steps, total)


def _cells(sizes: list[int]) -> int:
    """The product, refused where it is beyond any release."""
    cells = 1
    for size in sizes:
        cells *= size
        if cells > MOST_CELLS:
            raise ValueError("too many cells")
    return cells


def _column(told: dict[str, Any], schema: pa.Schema) -> Column:
    values = told.get("values")
    kind = told["kind"]
    if kind not in KINDS:
        raise ValueError("no kind")
    if kind == "boolean":
        values = (False, True)
    elif kind == "category" and not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
        raise ValueError("no vocabulary")
    elif kind == "category" and not values and not told["nullable"]:
        raise ValueError("a vocabulary of nothing, and no null")
    ends = [told.get(key) for key in ("lower", "upper", "scale")]
    if kind in ("number", "datetime") and not (all(isinstance(end, int) for end in ends) and int(told["scale"]) > 0):
        raise ValueError("no bounds")
    return Column(told["name"], _type(told, schema), kind, bool(told["nullable"]),
                  None if values is None else tuple(values), *ends)  # fmt: skip


def _type(told: dict[str, Any], schema: pa.Schema) -> pa.DataType:
    """As the model's schema says; a label is not in it, and has the type that is written here."""
    return schema.field(told["name"]).type if told["name"] in schema.names else _parsed(told["type"])


def _parsed(text: str) -> pa.DataType:
    """The type of what `str` made of one that a private fit models."""
    if zoned := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", text):
        return pa.timestamp(zoned[1], zoned[2])
    if decimal := re.fullmatch(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)", text):
        return getattr(pa, f"decimal{decimal[1]}")(int(decimal[2]), int(decimal[3]))
    if packed := re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>", text):
        return pa.dictionary(pa.type_for_alias(packed[2]), _parsed(packed[1]), packed[3] == "1")
    return pa.type_for_alias(text)


def _check(column: Column, grid: Grid) -> None:
    """Leaves that lie in order within the column's codes, and bins without gaps."""
    present = grid.start[:-1] if column.nullable else grid.start
    codes = len(column.values or ()) if column.kind in ("category", "boolean") else column.ticks
    width = grid.width[: len(present)]
    some = len(present) > 0 or (column.values == () and column.nullable)
    steady = (width > 0).all() and (present >= 0).all() and (present + width <= codes).all()
    if not some or not steady or (np.diff(present) <= 0).any() or (grid.mass < 0).any():
        raise ValueError("leaves out of order")
    if column.nullable and (grid.start[-1], grid.width[-1]) != (-1, 1):
        raise ValueError("no leaf for what is missing")
    if not np.array_equal(np.unique(grid.bin), np.arange(grid.bin.max() + 1)):
        raise ValueError("bins with gaps")

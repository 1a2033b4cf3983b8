"""tabad's encoding written as polars expressions, for a comparison of the same work.

Numbers: `u = (v - mean) / std`, logarithmic beyond 3, at most 30, and a status; categories: null, unseen, then the
values; timestamps: position, hour, weekday, month. Which features there are is read from the model's manifest.
Means and deviations are those of the first rows: their exact values do not change the cost.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa


def expressions(head: pa.Table, model: Path) -> Callable[[pa.Table], Any]:
    """A function from an Arrow table to a float32 and a uint16 matrix."""
    from tabad import _core

    columns = json.loads(_core.Model.from_bytes(model.read_bytes()).manifest())["columns"]
    first = pl.DataFrame(head)
    assert isinstance(first, pl.DataFrame)
    numbers: list[pl.Expr] = []
    codes: list[pl.Expr] = []
    for column in columns:
        for feature in column["features"]:
            expression = _feature(column, feature["part"], first)
            name = f"{column['name']} {feature['part']}"
            (numbers if "number" in feature else codes).append(expression.alias(name))

    def transform(table: pa.Table) -> tuple[Any, Any]:
        frame = pl.DataFrame(table)
        encoded = frame.lazy().select(*numbers, *codes).collect()
        return encoded.select(encoded.columns[: len(numbers)]).to_numpy(), encoded.select(
            encoded.columns[len(numbers) :]
        ).to_numpy()

    return transform


def _feature(column: dict[str, Any], part: str, first: pl.DataFrame) -> pl.Expr:
    name, kind = column["name"], column["kind"]
    values = pl.col(name)
    if part == "status":
        return _status(values, first[name].dtype)
    if part in ("hour", "weekday", "month"):
        cycle: pl.Expr = getattr(values.dt, part)()
        return (cycle + 2).fill_null(0).cast(pl.UInt16)
    if kind == "datetime" or part == "position":
        return _number(values.to_physical(), first[name].to_physical())
    if kind in ("category", "boolean"):
        return _codes(values, first[name])
    return _number(values, first[name])


def _number(values: pl.Expr, first: pl.Series) -> pl.Expr:
    mean, deviation = float(first.mean() or 0), float(first.std() or 1)  # type: ignore[arg-type]
    u = (values.cast(pl.Float64) - mean) / deviation
    size = u.abs()
    far = pl.min_horizontal(3 + 3 * (size / 3).log(), pl.lit(30.0)) * u.sign()
    return pl.when(size <= 3).then(u).otherwise(far).fill_nan(0).fill_null(0).cast(pl.Float32)


def _status(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    known: pl.Expr = pl.lit(0)
    if dtype.is_float():
        infinite = pl.when(values > 0).then(3).otherwise(4)
        known = pl.when(values.is_nan()).then(2).when(values.is_infinite()).then(infinite).otherwise(0)
    return pl.when(values.is_null()).then(1).otherwise(known).cast(pl.UInt16)


def _codes(values: pl.Expr, first: pl.Series) -> pl.Expr:
    if first.dtype == pl.Boolean:
        return (values.cast(pl.UInt16) + 2).fill_null(0)
    levels = first.drop_nulls().value_counts(sort=True)[first.name].to_list()[:254]
    # An Enum is polars' fastest way from strings to codes: unseen strings become null, as nulls do.
    codes = values.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.UInt16) + 2
    return pl.when(values.is_null()).then(0).otherwise(codes.fill_null(1)).cast(pl.UInt16)

"""The order of a private fit: public columns, what has yet to be paid for, grids, the mechanism, the guarantee.

All that looks at the table is here or called from here with the budget in hand; whatever happens with the release
afterwards (codecs, kept rows, calibration, a network) sees rows drawn from it only, and costs nothing.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tabad.arrow_types import is_text
from tabad.config import PrivateOptions
from tabad.errors import InputError, TabadWarning, UsageError
from tabad.private.bounds import Column, declared, read_bounds
from tabad.private.budget import Budget, epsilon_of, mu_for
from tabad.private.codes import MISSING, to_array, to_codes
from tabad.private.discovery import discover, needs_delta
from tabad.private.graph import Marginal
from tabad.private.grids import Grid, measure_grid
from tabad.private.marginals import Plan, marginals
from tabad.private.noise import Noise
from tabad.private.release import Release
from tabad.private.units import bounded

__all__ = ["Encoded", "Trainer", "make_release"]

Codes = npt.NDArray[np.int64]

_DISCOVERY = 0.1
"""Share of the budget for bounds and vocabularies that no file gives, and of delta for the vocabularies."""
_ENCODER = 0.15
"""Share of epsilon for the encoder, where the rest is for DP-SGD."""


_LOST = 0.05
"""Share of missing cells from which a column whose values were found is pointed out."""


@dataclass(frozen=True)
class Encoded:
    """A table as bins, and what that is made of."""

    columns: list[Column]
    grids: list[Grid]
    bins: list[Codes]

    @property
    def sizes(self) -> list[int]:
        return [grid.bins for grid in self.grids]


Trainer = Callable[[Encoded, float, float], tuple[Any, dict[str, Any]]]
"""DP-SGD: bins, epsilon and delta to `(rows of bins drawn from the network, facts)`."""


def make_release(
    table: pa.Table,
    options: PrivateOptions,
    *,
    label: str | None,
    ignore: tuple[str, ...],
    trainer: Trainer | None = None,
) -> tuple[Release, dict[str, Any], pa.RecordBatch | None]:
    """A private release of a table and its guarantee; with a `trainer` (DP-SGD) also rows drawn from its network.

    Raises `UsageError` for bounds that do not fit the table and columns that it does not have, `InputError` for columns
    of types that cannot be modelled.
    """
    for name in (label, options.unit, *ignore):
        if name is not None and name not in table.column_names:
            raise UsageError(f"the table has no column `{name}`", name="column-absent")
    if label is not None and label in (options.unit, *ignore):
        what = "the unit" if label == options.unit else "ignored"
        raise UsageError(f"label column `{label}` is {what} too: it is modelled", name="options-conflict")
    table = _plain(table)
    public = {} if options.bounds is None else read_bounds(options.bounds)
    ignore = (*ignore, *(() if options.unit is None else (options.unit,)))
    columns = declared(table.schema, public, ignore)
    if not columns:
        raise InputError("no column is left to model", name="nothing-to-model")
    noise = Noise(options.noise_seed)
    rows = 1 if options.unit is None else options.unit_rows
    if options.unit is not None:
        table = bounded(table, options.unit, options.unit_rows)
    hidden = any(needs_delta(column) for column in columns)
    delta_found = _DISCOVERY * options.delta if hidden else 0.0
    share_of_training = 0.0 if trainer is None else 1.0 - _ENCODER
    delta_trained = 0.0 if trainer is None else 0.5 * options.delta
    delta = options.delta - delta_found - delta_trained
    epsilon = options.epsilon * (1.0 - share_of_training)
    budget = Budget(mu_for(epsilon, delta) ** 2)
    encoded, found = _encode(table, columns, budget, noise, rows, delta_found, alone=trainer is not None)
    trained: dict[str, Any] | None = None
    drawn = None
    if trainer is None:
        places = [column.name for column in columns]
        first = [Marginal((at,), grid.counts(), grid.noise()) for at, grid in enumerate(encoded.grids)]
        at = None if label is None else places.index(label)
        estimated = marginals(encoded.bins, encoded.sizes, first, at, budget, noise, plan=Plan(), sensitivity=rows)
        release = Release(encoded.columns, encoded.grids, estimated.steps(), estimated.total)
    else:
        total = float(np.mean([grid.mass.sum() for grid in encoded.grids]))
        release = Release(encoded.columns, encoded.grids, [], total)
        bins, trained = trainer(encoded, options.epsilon * share_of_training, delta_trained)
        drawn = release.decoded(bins, np.random.default_rng(0))
    if options.delta >= 1.0 / max(release.total, 1.0):
        warnings.warn(
            f"delta is {options.delta:g}, and of about {release.total:,.0f} rows one in every 1 / delta may be given"
            " away whole: take one far below 1 / rows",
            TabadWarning,
            stacklevel=2,
        )
    empty = [column.name for column in encoded.columns if column.values == ()]
    if empty:
        warnings.warn(
            f"no value of {', '.join(f'`{name}`' for name in empty[:10])} is common enough to be told from noise: the "
            "model has none. Name its values in --public-bounds, or leave it out with --ignore",
            TabadWarning,
            stacklevel=2,
        )
    _warn_of_lost(encoded, found)
    ranges = _ranges(encoded.columns, found)
    facts = _guarantee(options, budget, delta, delta_found, found, ranges, noise, trained, rows)
    return release, facts, drawn


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries of anything but text as what they hold; text that is no UTF-8 as missing, cell by cell."""
    for place, field in enumerate(table.schema):
        column, kind = table.column(place), field.type
        if is_text(kind):
            table = table.set_column(place, field, pa.chunked_array([_texts(chunk) for chunk in column.chunks], kind))
        elif pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            table = table.set_column(place, field.with_type(column.type), column)
    return table


def _texts(column: Any) -> Any:
    if isinstance(column, pa.DictionaryArray):
        return pa.DictionaryArray.from_arrays(
            column.indices, _texts(column.dictionary), ordered=column.type.ordered, safe=False
        )
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        cells = column.cast(pa.large_binary()).to_pylist()
        return pa.array([_decoded(cell) for cell in cells], column.type)
    return column


def _decoded(cell: bytes | None) -> str | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return None


def _encode(
    table: pa.Table, columns: list[Column], budget: Budget, noise: Noise, rows: int, delta: float, *, alone: bool
) -> tuple[Encoded, list[str]]:
    """The table as bins; `alone`: nothing else spends this budget."""
    unknown = [column for column in columns if not column.known]
    texts = sum(needs_delta(column) for column in unknown)
    each = _DISCOVERY * budget.total / max(1, len(unknown))
    settled = [
        discover(column, table[column.name], budget, noise, share=each, delta=delta / max(1, texts), rows=rows)
        for column in columns
    ]
    plan = Plan()
    share = (budget.left if alone else plan.grids * budget.left) / len(settled) * (1 - 1e-9)
    codes = [to_codes(column, table[column.name]) for column in settled]
    grids = [
        measure_grid(column, code, budget, noise, share=share, sensitivity=rows, most=plan.bins)
        for column, code in zip(settled, codes, strict=True)
    ]
    bins = [grid.bins_of(code) for grid, code in zip(grids, codes, strict=True)]
    return Encoded(settled, grids, bins), [column.name for column in unknown]


def _warn_of_lost(encoded: Encoded, found: list[str]) -> None:
    """Say which columns come out without many of their values; by what is released alone."""
    lost = []
    for column, grid in zip(encoded.columns, encoded.grids, strict=True):
        missing = grid.mass[-1] / max(grid.mass.sum(), 1.0) if grid.start[-1] == MISSING else 0.0
        if column.name in found and column.values and missing >= _LOST:
            lost.append(f"`{column.name}` ({len(column.values)} values found, {missing:.0%} of the cells missing)")
    if lost:
        shown = ", ".join(lost[:10])
        warnings.warn(
            f"values too rare to be told from noise are generated as missing, as what is missing: {shown}. Name the "
            "values in --public-bounds",
            TabadWarning,
            stacklevel=3,
        )


def _ranges(columns: list[Column], found: list[str]) -> list[str]:
    """The bounds that were found, as texts."""
    ranges = []
    for column in columns:
        if column.name in found and column.kind in ("number", "datetime"):
            first, last = to_array(column, np.array([0, column.ticks - 1])).to_pylist()
            ranges.append(f"{column.name} {first} to {last}")
    return ranges


def _guarantee(
    options: PrivateOptions,
    budget: Budget,
    delta: float,
    delta_found: float,
    found: list[str],
    ranges: list[str],
    noise: Noise,
    trained: dict[str, Any] | None,
    rows: int,
) -> dict[str, Any]:
    """The guarantee in full. Numbers are texts: a manifest holds no floats."""
    parts = [{key: part[key] if isinstance(part[key], str | int) else f"{part[key]:g}" for key in part}
             for part in budget.composition()]  # fmt: skip
    one = "row" if options.unit is None else f"value of `{options.unit}`, with at most {rows} rows"
    return {
        "version": 1,
        "epsilon": f"{options.epsilon:g}",
        "delta": f"{options.delta:g}",
        "method": options.method,
        "adjacency": f"one {one} added or removed",
        "unit": options.unit,
        "unit_rows": rows,
        "rows_public": False,
        "secret_noise": noise.secret,
        "bounds_public": options.bounds is not None,
        "paid_for": found,
        "ranges_found": ranges,
        "accountant": {
            "gaussian": {
                "mu": f"{budget.used**0.5:.9g}",
                "epsilon": f"{epsilon_of(budget.used**0.5, delta):.6g}",
                "delta": f"{delta:g}",
                "mechanisms": parts,
            },
            "vocabularies": {"delta": f"{delta_found:g}"} if delta_found else None,
            "dp_sgd": trained,
        },
    }

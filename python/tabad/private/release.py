"""A private distribution of rows: what a private fit gives away, and all that rows are drawn from.

Public columns, the leaves and bins of each, and a chain of tables over bins. Nothing here sees a table.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tabad.private.bounds import Column
from tabad.private.codes import to_array
from tabad.private.graph import Step
from tabad.private.grids import Grid

__all__ = ["Release"]

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Release:
    """Columns, their grids, and the chain of tables over their bins."""

    columns: list[Column]
    grids: list[Grid]
    steps: list[Step]
    total: float
    """Estimated number of rows."""

    def rows(self, count: int, draw: np.random.Generator) -> pa.RecordBatch:
        """So many rows, drawn independently, in the types of the table."""
        return self.decoded(self._bins(count, draw), draw)

    def decoded(self, bins: list[Codes], draw: np.random.Generator) -> pa.RecordBatch:
        """Rows of bins per column as values: a leaf by its mass, then any of its values."""
        arrays = [
            to_array(column, _within(grid, bins[place], draw))
            for place, (column, grid) in enumerate(zip(self.columns, self.grids, strict=True))
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the modelled columns."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])

    def _bins(self, count: int, draw: np.random.Generator) -> list[Codes]:
        bins: list[Codes] = [np.zeros(count, np.int64) for _ in self.columns]
        sizes = [grid.bins for grid in self.grids]
        for step in self.steps:
            parent = np.zeros(count, np.int64)
            for column in step.parents:
                parent = parent * sizes[column] + bins[column]
            cell = _categorical(step.table, parent, draw)
            for column in reversed(step.columns):
                bins[column] = cell % sizes[column]
                cell = cell // sizes[column]
        return bins


def _categorical(table: npt.NDArray[np.float64], row: Codes, draw: np.random.Generator) -> Codes:
    """One place per row [B], drawn from that row of the table."""
    ends = np.cumsum(table, axis=1)
    # Rows lie one behind the other, each on its own unit interval: one search finds all places.
    ends = np.minimum(ends / ends[:, -1:], 1.0)
    line = (ends + np.arange(len(ends))[:, None]).ravel()
    found = np.searchsorted(line, row + draw.random(len(row)), side="right") - row * table.shape[1]
    return np.asarray(np.clip(found, 0, table.shape[1] - 1), np.int64)


def _within(grid: Grid, bins: Codes, draw: np.random.Generator) -> Codes:
    """A code per bin: a leaf by its mass, then any of its codes."""
    counts = np.zeros((grid.bins, len(grid.bin)))
    counts[grid.bin, np.arange(len(grid.bin))] = grid.mass
    empty = counts.sum(axis=1) <= 0
    counts[grid.bin, np.arange(len(grid.bin))] += np.where(empty[grid.bin], 1.0, 0.0)
    leaf = _categorical(counts / counts.sum(axis=1, keepdims=True), bins, draw)
    return np.asarray(grid.start[leaf] + (draw.random(len(leaf)) * grid.width[leaf]).astype(np.int64))

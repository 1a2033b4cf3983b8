"""A parquet table written with further columns: its own chunks are copied as they are, only the new ones are encoded.

Its row groups, encodings, compression and statistics stay what they were.
"""

from collections.abc import Callable, Sequence
from typing import Self

import pyarrow as pa

from tabad import _core
from tabad.errors import InputError
from tabad.tables.sources import FileTable
from tabad.tables.table import Table
from tabad.tables.writing import destination_format, is_device, parquet_options, replacing, write_batches

__all__ = ["write_joined"]


def write_joined(
    table: Table,
    added: Callable[[pa.Schema], pa.RecordBatchReader],
    destination: str,
    format: str | None = None,  # noqa: A002 (`format` is what everyone calls it)
    repeated: Sequence[str] = (),
) -> int | None:
    """Write the table and, behind its own columns, those of `added(schema)`; returns the number of rows.

    None, and nothing is written, where the table is not one of parquet files that allow it, or `destination` is none.
    `repeated` names the added columns of floats that have few values, which are written by a dictionary. Raises what
    `write` raises.
    """
    if not isinstance(table, FileTable) or destination == "-" or is_device(destination):
        return None
    schema = table.parquet_schema()
    if schema is None or destination_format(destination, format) != "parquet":
        return None
    reader = added(schema)
    whole = pa.schema([*schema, *reader.schema], schema.metadata)
    # Not `whole.empty_table()`, which imports pandas.
    splice = _core.Splice.plan(list(table.files.paths), _parquet_bytes(pa.Table.from_batches([], whole), ()))
    if splice is None:
        return None
    with replacing(destination) as path:
        groups = _Groups(table, splice, reader.schema, path, repeated)
        return write_batches(reader, destination, lambda stack: stack.enter_context(groups).write)


class _Groups:
    """Gathers batches of the new columns until a row group of the table is full, and writes that."""

    def __init__(
        self, table: FileTable, splice: _core.Splice, schema: pa.Schema, path: str, repeated: Sequence[str]
    ) -> None:
        self._table, self._splice, self._schema, self._repeated = table, splice, schema, repeated
        self._rows = splice.rows()
        self._parts: list[pa.RecordBatch] = []
        self._left = self._rows[0] if self._rows else 0
        self._done = 0
        self._path = path

    def __enter__(self) -> Self:
        self._splice.start(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self._finish()

    def write(self, batch: pa.RecordBatch) -> None:
        while batch.num_rows:
            if not self._left:
                raise self._changed()
            part = batch.slice(0, self._left)
            batch = batch.slice(part.num_rows)
            self._parts.append(part)
            self._left -= part.num_rows
            if not self._left:
                rows = pa.Table.from_batches(self._parts, self._schema)
                self._splice.add(_parquet_bytes(rows, self._repeated))
                self._parts.clear()
                self._done += 1
                self._left = self._rows[self._done] if self._done < len(self._rows) else 0

    def _finish(self) -> None:
        if self._done < len(self._rows):
            raise self._changed()
        self._splice.finish()

    def _changed(self) -> InputError:
        return InputError(
            f"{self._table.name} changed while it was read",
            name="table-changed",
            hint="run it again when nothing writes to it",
        )


def _parquet_bytes(rows: pa.Table, repeated: Sequence[str]) -> bytes:
    """The rows as a parquet file of at most one row group."""
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    options = parquet_options(rows.schema)
    options["use_dictionary"] = [*options["use_dictionary"], *repeated]
    # A footer names the pages of all chunks or of none, and the table's may have theirs named.
    with pyarrow.parquet.ParquetWriter(sink, rows.schema, write_page_index=True, **options) as writer:
        if rows.num_rows:
            writer.write_table(rows, row_group_size=rows.num_rows)
    content: bytes = sink.getvalue().to_pybytes()
    return content

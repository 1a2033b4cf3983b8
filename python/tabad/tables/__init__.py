"""Any table in, Arrow batches through, the caller's own kind of table out.

Reading and writing is pyarrow's; what is here is which files, which types, what to say when it goes wrong,
and that nothing half-written is left behind. On the way of every command only pyarrow, its parquet, CSV, JSON and IPC
parts are imported, never `pyarrow.dataset` (which imports pandas).
"""

# ruff: noqa: A002  (`format` is what everyone calls it)
import os
from typing import Any

from tabad.errors import InputError, UsageError
from tabad.tables.files import find
from tabad.tables.frames import wrap
from tabad.tables.joined import write_joined
from tabad.tables.sources import FileTable, is_path
from tabad.tables.table import OnRows, Scoring, Table
from tabad.tables.taken import check_taken
from tabad.tables.writing import (
    check_destination,
    check_model_destination,
    destination_format,
    refuse_onto_data,
    write,
    write_bytes,
)

__all__ = [
    "OnRows",
    "Scoring",
    "Table",
    "check_destination",
    "check_model_destination",
    "check_taken",
    "destination_format",
    "open_table",
    "refuse_onto_data",
    "refuse_text",
    "write",
    "write_bytes",
    "write_joined",
]


def open_table(data: Any, *, format: str | None = None, output: str | os.PathLike[str] | None = None) -> Table:
    """The table that `data` names or is: a path, glob, folder, `-`, or an object with rows.

    `format`: parquet, csv, jsonl or arrow, where neither name nor content says it. `output`: where something made of
    the table will be written, which must not be among the files of a folder or a pattern. Raises `TableNotFound`,
    `InputError` and `UsageError`.
    """
    if isinstance(data, Table):
        return data
    if is_path(data):
        files = find(os.fspath(data), format)
        if output is not None and os.fspath(output) != "-":
            files.refuse_among(os.fspath(output))
        return FileTable(files)
    if format is not None:
        raise UsageError(
            f"`format` is {format!r}, but the table is not in a file: a frame has no format",
            name="format-of-frame",
            hint="leave out `format`; the format of what is written is `output_format`",
        )
    return wrap(data)


def refuse_text(table: Table) -> None:
    """Raise `InputError` for a table of CSV or JSON lines: the types of its columns are told by their values."""
    if isinstance(table, FileTable) and table.files.format in ("csv", "jsonl"):
        raise InputError(
            f"{table.name} is text, whose types are told by its values, and those are private",
            name="private-text",
            hint="write it as parquet or Arrow first, with types that you choose",
        )

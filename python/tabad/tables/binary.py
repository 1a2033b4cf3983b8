"""Parquet and Arrow IPC files as record batches: formats that say what their columns are."""

# ruff: noqa: A002  (`format` is what everyone calls it)
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from tabad.errors import InputError

BATCH_ROWS = 65_536


def unreadable(path: str, format: str, error: Exception) -> InputError:
    """The error for a file that is not what its name says, or was cut short."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return InputError(
        f"{path} is not a readable {format} file: {first}",
        name="table-unreadable",
        hint="write or copy it again: a copy cut short looks like this; or name its real format with --format",
    )


def parquet_file(path: str, shown: str) -> pyarrow.parquet.ParquetFile:
    """The opened file, its footer read."""
    try:
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(shown, "parquet", error) from error


def parquet_batches(
    file: pyarrow.parquet.ParquetFile, shown: str, columns: list[str] | None
) -> Iterator[pa.RecordBatch]:
    """Batches of one opened file, which is closed at the end."""
    with file:
        try:
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(shown, "parquet", error) from error


def arrow_reader(path: str, shown: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of one Arrow IPC file or stream, memory-mapped."""
    try:
        source = pa.memory_map(path)
        if source.read(6) == b"ARROW1":
            source.seek(0)
            file = pa.ipc.open_file(source)
            return file.schema, _arrow_file(file, shown)
        source.seek(0)
        stream = pa.ipc.open_stream(source)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise unreadable(shown, "arrow", error) from error
    return stream.schema, _arrow_stream(stream, shown)


def _arrow_file(file: pa.ipc.RecordBatchFileReader, shown: str) -> Iterator[pa.RecordBatch]:
    try:
        for index in range(file.num_record_batches):
            yield file.get_batch(index)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(shown, "arrow", error) from error


def _arrow_stream(stream: pa.RecordBatchReader, shown: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from stream
    except (pa.ArrowException, OSError) as error:
        raise unreadable(shown, "arrow", error) from error


def same_schema(first: pa.Schema, other: pa.Schema, first_path: str, other_path: str) -> None:
    """Raise `InputError` that names the columns in which two files differ."""
    if first.equals(other):
        return
    a, b = {f.name: f.type for f in first}, {f.name: f.type for f in other}
    facts = [f"`{n}` is missing" for n in a if n not in b]
    facts += [f"`{n}` is new" for n in b if n not in a]
    facts += [f"`{n}` is {b[n]} and not {a[n]}" for n in a if n in b and a[n] != b[n]]
    if not facts:
        facts = ["its columns stand in another order"]
    more = f" and {len(facts) - 10} more" if len(facts) > 10 else ""
    raise InputError(
        f"{other_path} has other columns than {os.path.basename(first_path)}: {', '.join(facts[:10])}{more}",
        name="schema-mismatch",
        hint="give files of one schema at a time",
    )

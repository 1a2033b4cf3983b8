"""A stream of batches to a file or to standard output, whole or not at all.

Into a temporary file in the same folder, flushed to the disk, then renamed: a reader of OUT sees the old
file or the new one. The format is told by the ending.
"""

# ruff: noqa: A001, A002  (`format` is what everyone calls it)
import contextlib
import errno
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

import pyarrow as pa

from tabad.errors import UsageError, WriteError
from tabad.tables import plain
from tabad.tables.behind import Behind
from tabad.tables.dictionaries import Dictionaries
from tabad.tables.files import check_format, format_by_name

_Write = Callable[[pa.RecordBatch], None]
_MODEL = b'{"'
"""What a model file has after eight bytes."""


def destination_format(destination: str, format: str | None = None) -> str:
    """The format in which `destination` will be written. Raises `UsageError` where nothing says it."""
    check_format(format)
    if format is not None:
        return format
    if destination == "-":
        return "csv"
    found = format_by_name(destination)
    if found is None or destination.lower().endswith((".bz2", ".lz4", ".br")):
        raise UsageError(
            f"the ending of {destination} names no format that tabad writes",
            name="format-unknown",
            hint="end it in .parquet, .csv, .jsonl or .arrow (CSV and JSON lines also .gz or .zst), "
            "or add --output-format",
        )
    return found


def check_destination(destination: str, format: str | None = None) -> None:
    """Raise now what writing to `destination` would raise after the work: unknown format, no folder, read-only."""
    destination_format(destination, format)
    if destination != "-" and not is_device(destination):
        # Without a name where the system can: an interruption leaves nothing behind.
        with _reason(destination), tempfile.TemporaryFile(dir=_place(os.path.realpath(destination))[0]):
            pass


def check_model_destination(destination: str) -> None:
    """Raise now what writing a model there would raise after the work."""
    _refuse_standard_output(destination)
    check_destination(destination, "arrow")


def refuse_onto_data(destination: str) -> None:
    """Raise `UsageError` where a model would replace a file that is none."""
    if os.path.isfile(destination) and os.path.getsize(destination):
        with _reason(destination), open(destination, "rb") as file:
            head = file.read(10)
        if not head.endswith(_MODEL):
            raise UsageError(
                f"{destination} is there and is no model, and one would be written over it",
                name="model-onto-data",
                hint="write the model elsewhere, for example to a file that ends in .tabad, or remove that file",
            )


def _refuse_standard_output(destination: str) -> None:
    if destination == "-":
        raise UsageError("a model is written to a file, not to standard output", name="model-destination")


def write(reader: pa.RecordBatchReader, destination: str, format: str | None = None, *, whole: bool = False) -> int:
    """Write all batches to `destination` and return the number of rows.

    Raises `WriteError` when that fails; `destination` then still holds what it held before. An error of
    the reader is passed on, with the same promise. `whole`: the reader may fail and be asked again, so that nothing
    goes to standard output or a pipe, which take nothing back, before its last batch has been read.
    """
    format = destination_format(destination, format)
    path = None if destination == "-" else destination

    def begin(file: IO[bytes]) -> Callable[[contextlib.ExitStack], _Write]:
        return partial(_WRITERS[format], file, reader.schema, path)

    if whole and (path is None or is_device(path)):
        with tempfile.TemporaryFile() as held:
            rows = write_batches(reader, f"a temporary file in {tempfile.gettempdir()}", begin(held))
            held.seek(0)
            with _opened(path) as out, _reason(_shown(path)):
                shutil.copyfileobj(held, out)
        return rows
    with _opened(path) as out:
        return write_batches(reader, _shown(path), begin(out))


def _shown(path: str | None) -> str:
    return "standard output" if path is None else path


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[IO[bytes]]:
    """What is written to, None for standard output, flushed when the block ends well."""
    if path is None:
        yield sys.stdout.buffer
        with _reason(_shown(path)):
            sys.stdout.buffer.flush()
    else:
        with _atomically(path) as file:
            yield file


def write_bytes(content: bytes, destination: str) -> None:
    """Write a model file, whole or not at all. Raises `WriteError`, and `UsageError` for `-`."""
    _refuse_standard_output(destination)
    with _atomically(destination) as file, _reason(destination):
        file.write(content)


@contextlib.contextmanager
def _atomically(destination: str) -> Iterator[IO[bytes]]:
    """A file that becomes `destination` when the block ends well, and vanishes when it does not."""
    if is_device(destination):  # a rename would replace /dev/stdout or a named pipe itself
        with _reason(destination), open(destination, "wb") as file:
            yield file
        return
    with replacing(destination) as path:
        with _reason(destination):
            file = open(path, "wb")  # noqa: SIM115 - closed below: a full disk fails here again
        try:
            yield file
            with _reason(destination):
                file.close()
        except BaseException:
            with contextlib.suppress(OSError):  # on a full disk closing fails again, for what is still buffered
                file.close()
            raise


@contextlib.contextmanager
def replacing(destination: str) -> Iterator[str]:
    """The path of an empty file that becomes `destination` when the block ends well, and vanishes when it does not.

    Where `destination` is a link, what it points to is written.
    """
    destination = os.path.realpath(destination)
    with _reason(destination):
        folder, name = _place(destination)
    # The name is known before the file is there: an interrupt at any time finds what is to be removed.
    path = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")
    try:
        with _reason(destination):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield path
        with _reason(destination):
            handle = os.open(path, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            # So far it was private; OUT gets the rights that it had, or those of any new file.
            os.chmod(path, _rights(destination))
            os.replace(path, destination)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        raise


def is_device(destination: str) -> bool:
    """True for what is there and is neither a file nor a folder: a terminal, a named pipe."""
    return os.path.exists(destination) and not (os.path.isfile(destination) or os.path.isdir(destination))


def _place(destination: str) -> tuple[str, str]:
    """Folder and name of a file to be; a folder is refused."""
    if os.path.isdir(destination):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), destination)
    return os.path.split(os.path.abspath(destination))


def _rights(destination: str) -> int:
    try:
        return stat.S_IMODE(os.stat(destination).st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


_HINTS = {
    errno.ENOENT: "write to a folder that exists",
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EACCES: "write to a folder that is yours",
    errno.EPERM: "write to a folder that is yours",
    errno.EROFS: "write to a folder that is yours",
    errno.EISDIR: "name a file in it",
}


@contextlib.contextmanager
def _reason(destination: str) -> Iterator[None]:
    """Turn a failure of the operating system into a `WriteError` that names the place and the fix."""
    try:
        yield
    except (BrokenPipeError, WriteError):
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        folder = os.path.dirname(destination)
        if error.errno == errno.ENOENT and not os.path.isdir(folder or "."):
            reason = f"the folder {folder} does not exist"
        raise WriteError(f"cannot write {destination}: {reason}", hint=_HINTS.get(error.errno or 0)) from error


def write_batches(reader: pa.RecordBatchReader, shown: str, begin: Callable[[contextlib.ExitStack], _Write]) -> int:
    """Write all batches by what `begin` gives and return the number of rows; what it enters in the stack is ended.

    `shown` names the place in a `WriteError`.
    """
    rows = 0
    stack = contextlib.ExitStack()
    behind: Any = None
    try:
        with _reason(shown):
            behind = Behind(begin(stack))
        for batch in reader:  # outside _reason: a failure to read is not a failure to write
            with _reason(shown):
                behind.write(batch)
            rows += batch.num_rows
        with _reason(shown):
            behind.finish()
            stack.close()
    except BaseException as error:
        if behind is not None:
            behind.abandon()
        with contextlib.suppress(OSError):  # a writer that could not write cannot end its file either
            stack.__exit__(type(error), error, error.__traceback__)
        raise
    return rows


def _parquet(file: IO[bytes], schema: pa.Schema, _path: str | None, stack: contextlib.ExitStack) -> _Write:
    import pyarrow.parquet

    writer: Any = stack.enter_context(pyarrow.parquet.ParquetWriter(file, schema, **parquet_options(schema)))
    return lambda batch: writer.write_batch(batch)


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How columns of these types are encoded.

    Dictionaries of floats and times are built for nothing: without them, and at level 1, a file of ordinary rows takes
    less time and a tenth less room.
    """
    plain = [pa.types.is_floating(field.type) or pa.types.is_temporal(field.type) for field in schema]
    coded = [field.name for field, is_plain in zip(schema, plain, strict=True) if not is_plain]
    return {"compression": "zstd", "compression_level": 1, "use_dictionary": coded}


def _arrow(file: IO[bytes], schema: pa.Schema, path: str | None, stack: contextlib.ExitStack) -> _Write:
    new = pa.ipc.new_stream if path is None else pa.ipc.new_file
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    writer: Any = stack.enter_context(new(file, schema, options=options))
    grown = Dictionaries()
    return lambda batch: writer.write_batch(grown.extend(batch))


def _csv(file: IO[bytes], schema: pa.Schema, path: str | None, stack: contextlib.ExitStack) -> _Write:
    import pyarrow.csv

    flat = plain.flat_schema(schema)
    options = pyarrow.csv.WriteOptions(delimiter="\t" if path is not None and ".tsv" in path.lower() else ",")
    writer: Any = stack.enter_context(pyarrow.csv.CSVWriter(_packed(file, stack, path), flat, write_options=options))
    return lambda batch: writer.write_batch(plain.flat_batch(batch, flat))


def _jsonl(file: IO[bytes], _schema: pa.Schema, path: str | None, stack: contextlib.ExitStack) -> _Write:
    out = _packed(file, stack, path)
    return lambda batch: out.write(plain.json_lines(batch)) and None


def _packed(file: IO[bytes], stack: contextlib.ExitStack, path: str | None) -> Any:
    """The file itself, or a compressor in front of it where the ending says so."""
    codec = {".gz": "gzip", ".zst": "zstd"}.get(os.path.splitext((path or "").lower())[1])
    if codec is None:
        return file
    return stack.enter_context(pa.CompressedOutputStream(pa.PythonFile(_KeptOpen(file), "w"), codec))


class _KeptOpen(io.RawIOBase):
    """A file that stays open when pyarrow closes the compressor on top: it must still be flushed to the disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)


_WRITERS: dict[str, Callable[[IO[bytes], pa.Schema, str | None, contextlib.ExitStack], _Write]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "csv": _csv,
    "jsonl": _jsonl,
}

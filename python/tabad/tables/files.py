"""Where a table lies: a path, a glob, a folder or standard input become a list of files of one format.

Formats are told by the ending of the name, or, where there is none, by the first bytes. Globs and flat
folders are expanded here, because `pyarrow.dataset` imports pandas where it is installed (637 ms against
209 ms); hive folders (`day=2026-01-01/...`) are left to it.
"""

# ruff: noqa: A001, A002  (`format` is what everyone calls it)
import fnmatch
import glob
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from typing import BinaryIO

from tabad.errors import InputError, TableNotFound, UsageError, WriteError

ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".br")
_MAGIC = {
    ".gz": rb"\x1f\x8b",
    ".bz2": rb"BZh[1-9]1AY&SY",
    ".zst": rb"\x28\xb5\x2f\xfd",
    ".lz4": rb"\x04\x22\x4d\x18",
}
"""What compressed files begin with; those of Brotli begin with anything."""
_CODECS = {".gz": "gzip", ".zst": "zstd"}
FORMATS = ("parquet", "csv", "jsonl", "arrow")
_FORMAT_HINT = (
    "tabad reads and writes .parquet, .csv, .jsonl (.ndjson) and .arrow (.feather, .ipc); or name one with --format"
)


@dataclass(frozen=True)
class Files:
    """The files of one table. `hive` names the folder when its columns are also in its folder names."""

    name: str
    paths: tuple[str, ...]
    format: str
    hive: str | None = None
    temporary: bool = field(default=False, compare=False)

    def refuse_among(self, path: str) -> None:
        """Raise `UsageError` where a file at `path` would be one of these, or be found with them next time."""
        if os.path.isdir(self.name):
            folder, name = os.path.split(os.path.realpath(path))
            own = os.path.realpath(self.name)
            inside = folder == own or (self.hive is not None and folder.startswith(own + os.sep))
            among = inside and not name.startswith((".", "_")) and format_by_name(name) is not None
            hint = "write it to another folder, or under a name that begins with _"
        else:
            among = glob.has_magic(self.name) and not os.path.exists(self.name) and _would_match(self.name, path)
            hint = "write it to another folder, or under a name that the pattern leaves out"
        if among:
            raise UsageError(
                f"{path} would be read as part of {self.name} the next time", name="output-among-input", hint=hint
            )


def check_format(format: str | None) -> None:
    """Raise `UsageError` unless `format` is None or a format that tabad reads and writes."""
    if format is not None and format not in FORMATS:
        raise UsageError(f"`{format}` is not one of {', '.join(FORMATS)}", name="format-unknown", hint=_FORMAT_HINT)


def format_by_name(path: str) -> str | None:
    """The format that the ending of a name says, `data.csv.gz` included; None when it says nothing."""
    stem = path.lower()
    for ending in COMPRESSED:
        stem = stem.removesuffix(ending)
    return ENDINGS.get(os.path.splitext(stem)[1])


def format_by_bytes(head: bytes) -> str:
    """The format that the first bytes say: parquet, Arrow (file or stream), JSON lines, else CSV."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    return "jsonl" if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "csv"


def compression(head: bytes) -> str | None:
    """The ending that a file with these first bytes should have, where they say that it is compressed."""
    return next((ending for ending, magic in _MAGIC.items() if re.match(magic, head)), None)


def find(path: str, format: str | None = None) -> Files:
    """The files behind `path`: a file, a glob, a folder, or `-`. Raises `TableNotFound`, `InputError`, `UsageError`."""
    check_format(format)
    if path == "-":
        return _from_stdin(format)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"the name {path!a} is not UTF-8, and pyarrow opens no such file",
            name="table-unreadable",
            hint="rename the file",
        ) from None
    if os.path.isdir(path):
        return _folder(path, format)
    if os.path.exists(path):
        return Files(path, (path,), format or _format_of(path))
    if glob.has_magic(path):
        paths = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
        if not paths:
            raise TableNotFound(f"no file matches {path}", hint="quote the pattern, and try it with ls")
        return _same_format(path, paths, format)
    raise TableNotFound(f"there is no file {path}", hint=_nearby(path))


def _would_match(pattern: str, path: str) -> bool:
    """Whether `glob` would find a file at `path`."""

    def fits(wanted: list[str], found: list[str]) -> bool:
        if not wanted or not found:
            return not wanted and not found
        first, name = wanted[0], found[0]
        if first == "**":
            return any(fits(wanted[1:], found[at:]) for at in range(len(found) + 1))
        hidden = name.startswith(".") and not first.startswith(".")
        return not hidden and fnmatch.fnmatchcase(name, first) and fits(wanted[1:], found[1:])

    wanted, found = (os.path.abspath(one).split(os.sep) for one in (pattern, path))
    return fits(wanted, found)


def _nearby(path: str) -> str:
    folder, name = os.path.split(path)
    folder = folder or "."
    if not os.path.isdir(folder):
        return f"the folder {folder} does not exist either"
    import difflib

    close = difflib.get_close_matches(name, sorted(os.listdir(folder)), n=1, cutoff=0.75)
    return f"did you mean {os.path.join(os.path.dirname(path), close[0])}?" if close else "check the path"


def _format_of(path: str) -> str:
    format = format_by_name(path)
    if format is not None:
        return format
    if os.path.splitext(path)[1].lower() in (".xlsx", ".xls", ".ods"):
        raise UsageError(
            f"{path} is a spreadsheet, which tabad does not read",
            name="format-unknown",
            hint="export it as CSV or parquet",
        )
    with readable(path) as file:
        return format_by_bytes(file.read(64))


def readable(path: str) -> BinaryIO:
    """The opened file, or `InputError` that says why it cannot be opened."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}", name="table-unreadable") from error


def not_empty(path: str) -> None:
    """Raise `InputError` for a file of no bytes at all."""
    if os.path.getsize(path) == 0:
        raise InputError(
            f"{path} is empty: the file has 0 bytes",
            name="table-empty",
            hint="look at what was meant to write it; an empty table still has a header or a schema",
        )


def _folder(path: str, format: str | None) -> Files:
    files, hive = [], False
    for entry in os.scandir(path):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            hive = hive or "=" in entry.name
        elif format is not None or format_by_name(entry.name) is not None:
            files.append(entry.path)
    if hive and not files:
        inner = [
            os.path.join(root, name)
            for root, _, names in os.walk(path)
            for name in names
            if not name.startswith((".", "_")) and format_by_name(name) is not None
        ]
        if inner:
            found = _same_format(path, sorted(inner), format)
            return Files(path, found.paths, found.format, hive=path)
    if not files:
        raise TableNotFound(
            f"the folder {path} holds no table", hint="folders may hold .parquet, .csv, .jsonl or .arrow files"
        )
    return _same_format(path, sorted(files), format)


def _same_format(name: str, paths: list[str], format: str | None) -> Files:
    formats = {p: format or _format_of(p) for p in paths}
    if len(set(formats.values())) > 1:
        first: dict[str, str] = {}
        for p, kind in formats.items():
            first.setdefault(kind, p)
        seen = ", ".join(f"{kind} ({os.path.basename(p)})" for kind, p in first.items())
        raise InputError(
            f"{name} holds files of several formats: {seen}",
            name="format-mixed",
            hint="give one format at a time, for example with a glob such as '*.parquet'",
        )
    return Files(name, tuple(paths), formats[paths[0]])


def _from_stdin(format: str | None) -> Files:
    """Standard input, copied to a temporary file: parquet needs its end first, and most work reads twice."""
    import shutil

    with tempfile.NamedTemporaryFile(prefix="tabad-", suffix=".stdin", delete=False) as file:
        try:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
            file.flush()
            size = file.tell()
            with open(file.name, "rb") as copied:
                head = copied.read(64)
            path, head = _unpacked(file.name, head)
        except OSError as error:
            os.unlink(file.name)
            raise WriteError(
                f"cannot copy standard input to {tempfile.gettempdir()}: {error.strerror or error}",
                hint="free some space there, or name another folder in TMPDIR",
            ) from error
        except BaseException:
            os.unlink(file.name)
            raise
    if size == 0:
        os.unlink(file.name)
        raise InputError("standard input is empty: 0 bytes", name="table-empty", hint="pipe a table into it")
    return Files("standard input", (path,), format or format_by_bytes(head), temporary=True)


def _unpacked(path: str, head: bytes) -> tuple[str, bytes]:
    """A copy that is compressed by a name that says so, and what it begins with."""
    ending = compression(head)
    if ending is None:
        return path, head
    import pyarrow as pa

    with open(path, "rb") as packed:
        try:
            head = pa.input_stream(packed, compression=_CODECS.get(ending, ending[1:])).read(64)
        except OSError:  # cut short: whoever reads it all says so
            head = b""
    os.rename(path, path + ending)
    return path + ending, head

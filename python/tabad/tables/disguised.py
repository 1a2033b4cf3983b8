"""Files whose first bytes say that they are no text, though they are to be read as CSV or JSON lines."""

import shlex

from tabad.errors import InputError
from tabad.tables.files import COMPRESSED, compression, format_by_bytes, readable

__all__ = ["refuse_disguised"]

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SPREADSHEET = b"PK\x03\x04"
_WORDS = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "a parquet file", "arrow": "an Arrow file"}


def refuse_disguised(path: str, shown: str, wanted: str) -> None:
    """Raise `InputError` where a file of text is something else: pyarrow would call it a header of strange names."""
    if path.endswith(COMPRESSED):
        return
    with readable(path) as file:
        head = file.read(64)
    found = _found(head, shown)
    if found is not None:
        what, hint = found
        raise InputError(f"{shown} is {what}, not {_WORDS[wanted]}", name="table-unreadable", hint=hint)


def _found(head: bytes, shown: str) -> tuple[str, str] | None:
    """What it is, and what to do."""
    kind = format_by_bytes(head)
    if kind in ("parquet", "arrow"):
        return _WORDS[kind], f"read it as that: --format {kind} (format={kind!r}), or let its name end in .{kind}"
    ending = compression(head)
    if ending is not None:
        return f"compressed ({ending[1:]})", f"let its name end in {ending}: {shown}{ending}"
    if head.startswith(_SPREADSHEET):
        return "a spreadsheet or a zip archive", "export the sheet as CSV, or unpack the archive"
    if head.startswith(_UTF16):
        return "text in UTF-16", f"convert it: iconv -f UTF-16 -t UTF-8 {shlex.quote(shown)} > utf8.csv"
    # A length, and JSON of that length.
    if head[8:9] == b"{" and b"\0" in head[4:8]:
        return "a model", f"name the table, and the model by -m: tabad score TABLE -m {shown}"
    if b"\0" in head:
        return "not text: it holds bytes of 0", "look at how it was written; tabad reads UTF-8"
    return None

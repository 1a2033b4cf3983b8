"""Text formats do not say what their columns are: what is known before and learned while reading them.

pyarrow fixes the types on the first block and stops at the first value that disagrees. `csv_lines` and `json_lines`
turn such a stop into `Retype` (read again with this column as that type) or into an `InputError` that names the line.
"""

import io
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from tabad.arrow_types import without_dictionary
from tabad.errors import InputError
from tabad.tables.files import COMPRESSED

BLOCK = 4 << 20
"""Bytes that fix the types."""


class Retype(Exception):  # noqa: N818  (a request, not an error)
    """Read the file again, with `columns` of these types; `notes` says to the caller what that changes.

    `marks`: what columns of text are marked as (`strays`); None takes a mark away.
    """

    def __init__(
        self,
        columns: dict[str, pa.DataType],
        *,
        notes: tuple[str, ...] = (),
        newlines: bool = False,
        marks: dict[str, str | None] | None = None,
    ) -> None:
        super().__init__(f"read again with {columns}")
        self.columns = columns
        self.notes = notes
        self.newlines = newlines
        self.marks = marks or {}


@dataclass
class Dialect:
    """What is known about a CSV or JSON file before it is read."""

    types: dict[str, pa.DataType] = field(default_factory=dict)
    learned: dict[str, pa.DataType] = field(default_factory=dict)
    newlines: bool = False
    marking: bool = False
    """Whether columns of text may be marked as what they are but for a few cells."""
    marks: dict[str, str] = field(default_factory=dict)
    as_text: frozenset[str] = frozenset()
    """Columns that may not."""


def readable_types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The column types of a model that text can be read as; any other column is read as string."""
    types: dict[str, pa.DataType] = {}
    for column in schema:
        kind = without_dictionary(column.type)
        if pa.types.is_float16(kind):
            kind = pa.float32()
        elif pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
            kind = pa.decimal128(kind.precision, kind.scale)
        simple = (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_date(kind)
            or pa.types.is_time(kind)
            or pa.types.is_timestamp(kind)
            or pa.types.is_duration(kind)
        )
        if not pa.types.is_null(kind):
            types[column.name] = kind if simple else pa.string()
    return types


@contextmanager
def open_text(path: str, shown: str) -> Iterator[io.TextIOWrapper]:
    """The file as text, unpacked where its ending says so; for looking at single lines, not for reading.

    Raises `InputError` where it cannot be read or unpacked.
    """
    try:
        packed = pa.input_stream(path, compression="detect")
        with io.TextIOWrapper(packed, encoding="utf-8-sig", errors="replace", newline="") as file:
            yield file
    except OSError as error:
        raise unreadable(error, shown) from error


def unreadable(error: Exception, shown: str) -> InputError:
    """What a file that cannot be read or unpacked is refused with."""
    hint = "write or copy it again: a copy cut short looks like this" if isinstance(error, OSError) else None
    return InputError(f"cannot read {shown}: {error}", name="table-unreadable", hint=hint)


def show_line(number: int, shown: str) -> str:
    """The command that prints one line of a file."""
    plain = os.path.isfile(shown) and not shown.endswith(COMPRESSED)
    return f"sed -n {number}p {shlex.quote(shown)}" if plain else f"sed -n {number}p"

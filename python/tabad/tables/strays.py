"""Columns of text that are numbers or dates but for a few cells: `12,50` among amounts, a day that no month has.

One such cell makes a column of a CSV file text, of pyarrow and of pandas. Where the first rows leave no doubt what it
is it stays text on its way, so that every cell comes back as it was, and is marked with the type that the compiled
module reads it as.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import chain

import pyarrow as pa
import pyarrow.csv

from tabad import _core
from tabad.arrow_types import is_text
from tabad.tables.text import Retype

__all__ = ["FIRST_ROWS", "Read", "as_marked", "mark", "marked", "settle", "spotted", "type_word"]

FIRST_ROWS = 1_000
"""Rows that say what a column of text is."""
_MARK, _POINT = "tabad.reads", "tabad.point"
_CELLS_OF_ONE = 200
"""A column of which more than one cell in so many is a stray, and more than a few are, is text."""
_ALLOWED = 3
_FEWEST = 100
"""Cells of the first rows that say what a column is; each three hundred of them may hold a stray, and one more."""
_CELLS_OF_A_STRAY = 300
_FEW_VALUES = 10
"""Whole numbers of so few values are codes, and letters among them are too."""
_WHOLE = re.compile(r"-?\d{1,18}")
_NUMBERS = {
    point: re.compile(rf"-?(\d+({mark}\d*)?|{mark}\d+)([eE][-+]?\d+)?") for point, mark in ((".", r"\."), (",", ","))
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")
_NOTHING = frozenset(pyarrow.csv.ConvertOptions().null_values)
_TRIED = 20


def marked(cells: Iterable[str], point: str) -> str | None:
    """The type of all cells but a few strays: int64, float64, date32 or timestamp[s]; None where that is not plain.

    Strays are few and differ: what is written twice is meant.
    """
    told = _told(cells, point)
    return told[0] if told is not None else None


def spotted(head: pa.RecordBatch, skip: Iterable[str]) -> dict[str, str]:
    """Columns of text that are numbers or dates but for a few cells, and one of these, where no reader marked them."""
    found = {}
    for name in head.schema.names:
        if name not in skip and _is_text(head.column(name).type):
            told = _told(_texts(head.column(name)), ".")
            if told is not None and told[1]:
                found[name] = told[1][0]
    return found


def _texts(column: pa.Array) -> list[str]:
    """The first cells; none of a column of bytes that are no text, which is refused where it is encoded."""
    try:
        return [cell for cell in column.slice(0, FIRST_ROWS).to_pylist() if cell is not None]
    except UnicodeDecodeError:
        return []


def _told(cells: Iterable[str], point: str) -> tuple[str, list[str]] | None:
    """The type of all cells but a few, and these."""
    texts = [text for text in map(str.strip, cells) if text not in _NOTHING]
    if len(texts) < _FEWEST:
        return None
    most = 1 + len(texts) // _CELLS_OF_A_STRAY
    kinds: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("int64", _WHOLE.fullmatch), ("float64", _NUMBERS[point].fullmatch),
        ("date32", _is_day), ("timestamp[s]", _is_time),
    )  # fmt: skip
    for word, fits in kinds:
        if sum(not fits(text) for text in texts[:_TRIED]) > most:
            continue
        strays = [text for text in texts if not fits(text)]
        if len(strays) > most:
            continue
        if len(set(strays)) < len(strays) or (word == "int64" and len({*texts} - {*strays}) <= _FEW_VALUES):
            return None
        return word, strays
    return None


def mark(
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    types: pa.Schema | None,
    marks: dict[str, str],
    as_text: frozenset[str],
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """A stream whose types are its own, with marks on columns of text that the first batch shows to have strays.

    `types`: the schema of a model. A column that is a number or a date there is one here, but for a few cells.
    Found marks go into `marks`.
    """
    texts = [c.name for c in schema if _is_text(c.type) and c.name not in as_text and c.name not in marks]
    first = next(batches, None) if texts else None
    if first is not None:
        found = {}
        for name in texts:
            word = marked(_texts(first.column(name)), ".")
            if word is not None and types is not None:
                at = types.get_field_index(name)
                word = type_word(types.field(at).type) if at >= 0 else None
            if word is not None:
                found[name] = word
        if found and types is None:
            read = Read(pa.RecordBatchReader.from_batches(*as_marked(schema, iter([first]), found)))
            read.rows.read_all()
            found = {name: found[name] for name in read.strays()}
        marks.update(found)
        batches = chain([first], batches)
    return as_marked(schema, batches, marks)


def type_word(kind: pa.DataType) -> str | None:
    """How a column of this type is marked; None for types that are not read from text."""
    if pa.types.is_integer(kind):
        return "int64"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float64"
    if pa.types.is_date(kind):
        return "date32"
    return str(kind) if pa.types.is_timestamp(kind) and kind.tz is None else None


def as_marked(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], marks: dict[str, str], point: str = "."
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The stream with marks on the columns of text that have one."""
    whole = schema
    for at, column in enumerate(schema):
        if column.name in marks and _is_text(column.type):
            facts = {_MARK: marks[column.name], **({_POINT: point} if point != "." else {})}
            whole = whole.set(at, column.with_metadata(facts))
    if whole is schema:
        return schema, batches
    return whole, (pa.RecordBatch.from_arrays(batch.columns, schema=whole) for batch in batches)


def _is_marked(schema: pa.Schema) -> bool:
    """Whether some column is."""
    return any(_MARK.encode() in (column.metadata or {}) for column in schema)


class Read:
    """A stream with its marked columns read as what they are; its strays are null, and counted."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self._typed = _core.TypedStream(rows) if _is_marked(rows.schema) else None
        self.rows = rows if self._typed is None else pa.RecordBatchReader.from_stream(self._typed)

    def strays(self) -> dict[str, int]:
        """Of each column that has had some so far."""
        return {} if self._typed is None else self._typed.strays()


def settle(marks: dict[str, str], strays: dict[str, int], rows: int) -> None:
    """Raise `Retype` for columns that have more strays, of so many rows, than mistakes would be.

    What is whole at first may have decimals further down, and what is a number at first may be a code.
    """
    many = [name for name, count in strays.items() if count > max(_ALLOWED, rows // _CELLS_OF_ONE)]
    if not many:
        return
    wider = {name: "float64" if marks.get(name) == "int64" else None for name in many}
    notes = tuple(
        f"column `{name}` looks like {'numbers' if marks[name] == 'float64' else 'dates'} at first, but"
        f" {strays[name]:,} of {rows:,} cells are none: it is read as text"
        for name, word in wider.items()
        if word is None
    )
    raise Retype(dict.fromkeys(wider, pa.string()), notes=notes, marks=wider)


def _is_text(kind: pa.DataType) -> bool:
    """A dictionary was made on purpose."""
    return is_text(kind) and not pa.types.is_dictionary(kind)


def _is_day(text: str) -> bool:
    return _DAY.fullmatch(text) is not None and _made(date, text)


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and _made(datetime, text)


def _made(kind: type[date], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True

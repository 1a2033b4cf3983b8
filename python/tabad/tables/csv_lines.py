"""CSV as record batches.

Only the blank cell is null in a text column: `NA` is Namibia, and the caller's own cells must come back as they were.
So digits that a number would not give back are text: `04097`, `+4930123456`, twenty digits in a row.
"""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv

from tabad.errors import InputError
from tabad.tables.files import COMPRESSED
from tabad.tables.strays import FIRST_ROWS, as_marked, marked, type_word
from tabad.tables.text import BLOCK, Dialect, Retype, open_text, show_line, unreadable

_CONVERSION = re.compile(
    r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error to ([^:]+): invalid value '(.*)'", re.S
)
_LOST = "\ufffd"
"""What stands for bytes that are no UTF-8."""
_POINTED, _COMMAED = (re.compile(rf"\s*[-+]?\d*{mark}\d+([eE][-+]?\d+)?\s*") for mark in (r"\.", ","))
_THOUSANDS = re.compile(r"\s*[-+]?\d{1,3},\d{3}\s*")
_CODE = re.compile(r"0[0-9]+|\+[0-9]+")
_BEGINS_CODE = ("0", "+")
_WHOLE = re.compile(r"u?int\d+")
_MOST_INT = 2**63 - 1
_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
"""A first line for spreadsheets, which names the separator and is none of the table."""
_SPECIAL_INTS = frozenset(("null", "int64"))


def csv_batches(
    path: str, shown: str, dialect: Dialect, columns: list[str] | None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of one CSV file. `shown` is the name for messages."""
    head = _header(path, shown)
    header, delimiter = head.names, head.delimiter
    _no_duplicates(header, shown)
    codes = _codes(head)
    types = {**dict.fromkeys(codes, pa.string()), **dialect.types, **dialect.learned}
    options = pyarrow.csv.ConvertOptions(
        column_types={name: types[name] for name in header if name in types},
        include_columns=[name for name in header if columns is None or name in columns],
        decimal_point=head.point,
    )
    # Of one column an empty line is a row without a value; between rows of several it is nothing.
    parse = pyarrow.csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=dialect.newlines, ignore_empty_lines=len(header) > 1
    )
    above = head.above if head.told or len(header) == 1 else 0
    source: object = path
    if _one_line(path):
        with open(path, "rb") as file:
            source = io.BytesIO(file.read() + b"\n")
    try:
        reader = pyarrow.csv.open_csv(
            source,
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK, skip_rows=above),
            parse_options=parse,
            convert_options=options,
        )
    except (pa.ArrowException, OSError) as error:
        raise _csv_error(error, path, shown, head, dialect) from error
    for column in reader.schema:
        if pa.types.is_binary(column.type):
            raise _not_utf8(shown, column.name)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                yield _blank_to_null(batch)
        except (pa.ArrowException, OSError) as error:
            raise _csv_error(error, path, shown, head, dialect) from error

    if not dialect.marking:
        return reader.schema, batches()
    _mark(reader.schema, head, {*types, *dialect.as_text}, dialect)
    return as_marked(reader.schema, batches(), dialect.marks, head.point)


def _mark(schema: pa.Schema, head: "_Head", known: set[str], dialect: Dialect) -> None:
    """Note which columns of text are numbers or dates but for a few cells."""
    for column in schema:
        if column.name not in known and pa.types.is_string(column.type):
            word = marked(head.cells(column.name), head.point)
            if word is not None:
                dialect.marks[column.name] = word


class _Head(NamedTuple):
    """What the first lines of a file say."""

    names: list[str]
    delimiter: str
    above: int
    """Empty lines above the names, and one that names the separator."""
    told: bool
    """Whether there is such a line."""
    point: str
    """What stands before decimals."""
    rows: list[list[str]]

    def cells(self, name: str) -> list[str]:
        """The cells of a column in the first rows."""
        at = self.names.index(name)
        return [fields[at] for fields in self.rows if at < len(fields)]


def _header(path: str, shown: str) -> _Head:
    """Raises `InputError` for a file without a line."""
    above, told = 0, None
    with open_text(path, shown) as file:
        line = file.readline(1 << 20)
        while line and (not line.strip() or (told is None and (told := _SEPARATOR.fullmatch(line)))):
            above += 1
            line = file.readline(1 << 20)
        if not line:
            raise InputError(
                f"{shown} holds no header and no rows",
                name="table-empty",
                hint="a CSV file starts with its column names",
            )
        bare = re.sub(r'"[^"]*"', "", line)
        delimiter = told[1] if told else max(",;\t|", key=lambda mark: (bare.count(mark), mark == ","))
    with open_text(path, shown) as file:
        if told:
            next(line for line in file if line.strip())
        reader = csv.reader(file, delimiter=delimiter)
        for fields in reader:
            if any(text.strip() for text in fields):
                rows, whole = _first_rows(reader)
                # In a file with commas between the cells "1,234" is a thousand.
                point = "." if delimiter == "," or not whole else _decimal_point(rows)
                return _Head(fields, delimiter, above, told is not None, point, rows)
    raise AssertionError("a line that is not blank was just read")


def _first_rows(reader: Iterator[list[str]]) -> tuple[list[list[str]], bool]:
    """The first rows that can be read, and whether all of them could."""
    rows: list[list[str]] = []
    try:
        rows.extend(islice(reader, FIRST_ROWS))
    except csv.Error:
        return rows, False
    return rows, True


def _decimal_point(rows: list[list[str]]) -> str:
    """A comma where the first rows have numbers with one and none with a point, as much of Europe writes them.

    Where three digits stand behind every comma they may be thousands.
    """
    commas = False
    for fields in rows:
        if any(_POINTED.fullmatch(field) for field in fields):
            return "."
        commas = commas or any(_COMMAED.fullmatch(field) and not _THOUSANDS.fullmatch(field) for field in fields)
    return "," if commas else "."


def _codes(head: _Head) -> set[str]:
    """Columns of which one of the first rows has digits that a number would not give back."""
    return {name for fields in head.rows for name, field in zip(head.names, fields, strict=False) if _is_code(field)}


def _is_code(field: str) -> bool:
    return (field[:1] in _BEGINS_CODE and _CODE.fullmatch(field) is not None) or (
        len(field) > 18 and field.isdecimal() and int(field) > _MOST_INT
    )


def _no_duplicates(header: list[str], shown: str) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(
            f"{shown} has several columns named {', '.join(f'`{name}`' for name in twice[:10])}",
            name="column-twice",
            hint="rename them: a column is told by its name",
        )


def _one_line(path: str) -> bool:
    """True for a header without a line end, which pyarrow takes for an empty file."""
    if os.path.getsize(path) > 1 << 20 or path.endswith(COMPRESSED):
        return False
    with open(path, "rb") as file:
        content = file.read()
    return b"\n" not in content and b"\r" not in content


def _blank_to_null(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow.compute as pc

    for index, column in enumerate(batch.schema):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            values = batch.column(index)
            # No Python value may enter a kernel here: pyarrow would import pandas to convert it.
            filled = pc.binary_length(values).cast(pa.bool_())
            if pc.all(filled).as_py() is False:
                batch = batch.set_column(index, column, pc.if_else(filled, values, pa.nulls(len(values), column.type)))
    return batch


def _not_utf8(shown: str, column: str | None = None) -> InputError:
    where = f"column `{column}` of {shown}" if column else shown
    return InputError(
        f"{where} is not UTF-8 text",
        name="csv-encoding",
        hint="convert it first, for example: iconv -f latin1 -t utf-8",
    )


def _csv_error(error: Exception, path: str, shown: str, head: _Head, dialect: Dialect) -> InputError | Retype:
    message, header = str(error), head.names
    if "invalid UTF8" in message or _LOST in "".join(header):
        return _not_utf8(f"the header of {shown}" if _LOST in "".join(header) else shown)
    found = _CONVERSION.search(message)
    if found is not None:
        return _csv_value(header[int(found[1])], found[2], found[3], path, shown, head, dialect)
    if "CSV parse error" in message:
        return _csv_ragged(message, path, shown, head, dialect)
    return unreadable(error, shown)


def _csv_value(
    column: str, wanted: str, value: str, path: str, shown: str, head: _Head, dialect: Dialect
) -> InputError | Retype:
    at, width = head.names.index(column), len(head.names)
    line = _line_where(
        path,
        shown,
        head,
        lambda fields: len(fields) == width and fields[at].strip() == value.strip(),
    )
    where = f"line {line:,} of {shown}" if line else shown
    if column in dialect.types and _WHOLE.fullmatch(wanted) and _is_float(value):
        # As pandas writes whole numbers of which some are missing: 1.0.
        return Retype({column: pa.float64()})
    if dialect.marking and column not in dialect.as_text:
        fitted = dialect.types.get(column)
        known = dialect.learned.get(column, fitted) if fitted is not None else None
        word = marked(head.cells(column), head.point) if known is None else type_word(known)
        if word == "int64" and wanted == "double":
            word = "float64"
        if word is not None:
            return Retype({column: pa.string()}, marks={column: word})
    if column in dialect.types:
        return InputError(
            f"column `{column}` reads '{value}' in {where}, but the model was fitted on {wanted}",
            name="csv-value",
            hint="correct the cell, or fit again on data as it really is",
        )
    # Read again with a comma, where that is no decimal point after all, it stops once more.
    if wanted in _SPECIAL_INTS and _is_float(value.replace(",", ".")):
        return Retype({column: pa.float64()})
    note = f"column `{column}` looks like {wanted} at first, but reads '{value}' in {where}: it is read as text"
    return Retype({column: pa.string()}, notes=(note,))


def _csv_ragged(message: str, path: str, shown: str, head: _Head, dialect: Dialect) -> InputError | Retype:
    width = len(head.names)
    seen: list[int] = []

    def ragged(fields: list[str]) -> bool:
        if fields and len(fields) != width:
            seen.append(len(fields))
            return True
        return False

    line = _line_where(path, shown, head, ragged)
    if line is None and not dialect.newlines:
        return Retype({}, newlines=True)  # a quoted cell with a line break lay across two blocks
    if line is None:
        return InputError(f"cannot read {shown}: {message}", name="table-unreadable")
    fields = "field" if seen[0] == 1 else "fields"
    return InputError(
        f"line {line:,} of {shown} has {seen[0]} {fields}, but its header has {width}",
        name="csv-ragged",
        hint=f"look at it with: {show_line(line, shown)}; "
        f'a "{head.delimiter}" inside a cell needs quotes around the cell',
    )


def _line_where(path: str, shown: str, head: _Head, wrong: Callable[[list[str]], bool]) -> int | None:
    with open_text(path, shown) as file:
        reader = csv.reader(file, delimiter=head.delimiter)
        try:
            for fields in reader:
                if reader.line_num > head.above + 1 and wrong(fields):
                    return reader.line_num
        except csv.Error:
            return reader.line_num
    return None


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

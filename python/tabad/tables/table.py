"""What every table is: a name, a stream of batches, and an answer in the form in which it came."""

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pyarrow as pa

from tabad.errors import InputError, TabadError
from tabad.tables import strays
from tabad.tables.binary import BATCH_ROWS
from tabad.tables.text import Retype
from tabad.tables.views import batch_without_views

HEAD_ROWS = 20_000
"""First rows kept after a reading, to point out columns that look like labels."""

_INTERRUPTED = "KeyboardInterrupt"
"""In the compiled module's message of an interrupt that came between two batches."""

OnRows = Callable[[int], None]
"""Told the number of rows after each batch read."""


class Scoring(Protocol):
    """What a table needs to answer with: its own rows scored, or any rows scored."""

    def stream(self, *, append: bool) -> pa.RecordBatchReader:
        """The table's rows with (append) or only the four added columns."""

    def batch(self, rows: Any) -> pa.Table:
        """The four added columns for these rows, whatever they are: a score depends on the row only."""


class Table:
    """A table that can be read as Arrow batches. Subclasses say how; this class keeps what went wrong.

    An error in the middle of a stream crosses the compiled module as a text. `failure` keeps the exception
    itself, and `cause` gives it back.
    """

    kind = "stream"
    rereadable = False

    def __init__(self, name: str, rows: int | None = None) -> None:
        self.name = name
        self.rows = rows
        self.failure: BaseException | None = None
        self.notes: list[str] = []
        self.on_rows: OnRows | None = None
        self.head: pa.RecordBatch | None = None
        self.marking = False
        self.marks: dict[str, str] = {}
        """Columns of text that are something else but for a few cells, and what: `strays`."""
        self.as_text: frozenset[str] = frozenset()
        """Columns of text that nobody marks."""

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        raise NotImplementedError

    def open(
        self, *, columns: list[str] | None = None, types: pa.Schema | None = None, marking: bool = False
    ) -> pa.RecordBatchReader:
        """The table as a stream of batches of at most 65,536 rows.

        `columns`: the only ones needed (a hint; others may come along). `types`: the schema of a model, for
        formats that do not say what their columns are. `marking`: a column of text that is numbers or dates but for
        a few cells is marked as what it is, for who reads marks (`strays`). Raises `InputError` for a
        table that cannot be read.
        """
        self.failure = None
        self.marking = marking
        try:
            schema, batches = self._reader(columns, types)
        except Retype as again:
            if not self.retype(again):
                raise AssertionError("a table asked to be read again and cannot") from again
            return self.open(columns=columns, types=types, marking=marking)
        self._check_names(schema)
        if marking and not self.may_retype:
            schema, batches = strays.mark(schema, batches, types, self.marks, self.as_text)
        return pa.RecordBatchReader.from_batches(schema, self._sliced(batches))

    def _check_names(self, schema: pa.Schema) -> None:
        names = schema.names
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise InputError(
                f"{self.name} has several columns named {', '.join(f'`{name}`' for name in twice[:10])}",
                name="column-twice",
                hint="rename them: a column is told by its name",
            )

    def _sliced(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = 0
        try:
            for batch in batches:
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    part = batch.slice(start, BATCH_ROWS)
                    if rows == 0:
                        self.head = batch_without_views(part.slice(0, HEAD_ROWS))
                    rows += part.num_rows
                    if self.on_rows is not None:
                        self.on_rows(rows)
                    yield part
        except GeneratorExit:
            raise
        except (TabadError, Retype, KeyboardInterrupt, SystemExit) as error:
            self.failure = error
            raise
        except Exception as error:
            self.failure = InputError(f"cannot read {self.name}: {error}", name="table-unreadable")
            raise self.failure from error
        self.rows = rows

    def retype(self, again: Retype) -> bool:
        """Take in what a failed reading taught; True when reading again can now go further."""
        fresh = {name: word for name, word in again.marks.items() if self.marks.get(name) != word}
        for name, word in fresh.items():
            if word is None:
                del self.marks[name]
                self.as_text |= {name}
            else:
                self.marks[name] = word
        if fresh:
            self.notes.extend(again.notes)
        return bool(fresh)

    def with_marks(self, rows: Any) -> Any:
        """A stream of rows of this table, with the marks that an opening of it found."""
        if not self.marks:
            return rows
        reader = pa.RecordBatchReader.from_stream(rows)
        return pa.RecordBatchReader.from_batches(*strays.as_marked(reader.schema, iter(reader), self.marks))

    def keep_marks(self, found: dict[str, int], rows: int) -> None:
        """Raise `Retype` where columns that `open` marked have more strays than mistakes would be."""
        strays.settle(self.marks, found, rows)

    @property
    def paths(self) -> tuple[str, ...]:
        """The caller's own files that it is read from."""
        return ()

    @property
    def may_retype(self) -> bool:
        """True where a reading may teach in its middle what types columns have, and start again."""
        return False

    def reread(self, action: Callable[[], Any]) -> Any:
        """The result of `action`, which reads this table: once, or again while readings teach its types.

        Raises what went wrong in the reading itself, rather than the text it became on its way.
        """
        while True:
            try:
                return action()
            except Exception as error:
                cause, self.failure = self.failure or (error if isinstance(error, Retype) else None), None
                if isinstance(cause, Retype) and self.retype(cause):
                    continue
                if cause is None and _INTERRUPTED in str(error):
                    raise KeyboardInterrupt from None
                if cause is None or cause is error:
                    raise
                raise cause from None

    def spool(self) -> "Table":
        """This table, readable as often as needed: itself, or a temporary Arrow file of it (`WriteError`)."""
        if self.rereadable:
            return self
        from tabad.tables.sources import SpooledTable
        from tabad.tables.writing import write

        handle, path = tempfile.mkstemp(prefix="tabad-", suffix=".arrow")
        os.close(handle)
        try:
            write(self.open(), path, "arrow")
        except BaseException:
            os.unlink(path)
            raise
        return SpooledTable(self, path)

    def answer(self, scoring: Scoring) -> Any:
        """The scored table, in the form in which this one came."""
        return scoring.stream(append=True)

    def like(self, rows: pa.Table, *, changed: list[str] | None = None) -> Any:  # noqa: ARG002
        """These rows in the form in which this table came; a file or a stream as a pyarrow Table.

        `changed`: they are this table's own rows, and only these columns differ; else they are other rows.
        """
        return rows

    def remove_at_end(self, *paths: str) -> None:
        """Remove temporary files when nothing reads this table any more."""
        weakref.finalize(self, _remove, paths)


def _remove(paths: tuple[str, ...]) -> None:
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)

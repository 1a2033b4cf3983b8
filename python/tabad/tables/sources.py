"""Tables that lie in files."""

# ruff: noqa: ARG002  (`columns` and `types` are hints that not every source can use)
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tabad.errors import InputError
from tabad.tables import binary, csv_lines, json_lines, text
from tabad.tables.disguised import refuse_disguised
from tabad.tables.files import Files, not_empty
from tabad.tables.table import Scoring, Table


class FileTable(Table):
    """One or more files of one format and one schema, read one after the other."""

    kind = "path"
    rereadable = True

    def __init__(self, files: Files) -> None:
        super().__init__(files.name)
        self.files = files
        self.dialect = text.Dialect(marks=self.marks)
        if files.temporary:
            self.remove_at_end(*files.paths)
        for path in files.paths:
            not_empty(path)
            if files.format in ("csv", "jsonl"):
                refuse_disguised(path, self._shown(path), files.format)
        if files.format == "parquet" and not files.hive:
            self.rows = sum(self._parquet(path).metadata.num_rows for path in files.paths)

    def _shown(self, path: str) -> str:
        return self.name if self.files.temporary or len(self.files.paths) == 1 else path

    def _parquet(self, path: str) -> Any:
        return binary.parquet_file(path, self._shown(path))

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        if self.files.hive:
            return self._hive(columns)
        self.dialect.marking, self.dialect.as_text = self.marking, self.as_text
        if types is not None:
            self.dialect.types = text.readable_types(types)
        if self.files.format == "parquet":
            return self._parquet_files(columns)
        return self._other_files(columns)

    def parquet_schema(self) -> pa.Schema | None:
        """The schema of the parquet files, or None where the table is not simply the rows of some."""
        if self.files.format != "parquet" or self.files.hive:
            return None
        with self._parquet(self.files.paths[0]) as first:
            schema: pa.Schema = first.schema_arrow
        return schema

    def _parquet_files(self, columns: list[str] | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        paths = self.files.paths
        first = self._parquet(paths[0])
        schema = first.schema_arrow
        for path in paths[1:]:
            with self._parquet(path) as file:
                binary.same_schema(schema, file.schema_arrow, paths[0], path)
        wanted = None if columns is None else [name for name in schema.names if name in columns] or None
        if wanted is not None:
            schema = pa.schema([schema.field(name) for name in wanted], schema.metadata)

        def batches() -> Iterator[pa.RecordBatch]:
            for path in paths:
                file = first if path is paths[0] else self._parquet(path)
                for batch in binary.parquet_batches(file, self._shown(path), wanted):
                    yield batch.cast(schema) if batch.schema != schema else batch

        return schema, batches()

    def _one(self, path: str, columns: list[str] | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        shown = self._shown(path)
        match self.files.format:
            case "csv":
                return csv_lines.csv_batches(path, shown, self.dialect, columns)
            case "jsonl":
                return json_lines.json_batches(path, shown, self.dialect)
            case _:
                return binary.arrow_reader(path, shown)

    def _other_files(self, columns: list[str] | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        paths = self.files.paths
        schema, head = self._one(paths[0], columns)
        if self.files.format != "arrow":
            # What the first file says holds for the others; a later change of type starts the reading again.
            for column in schema:
                if column.name not in self.dialect.types and not pa.types.is_nested(column.type):
                    self.dialect.learned.setdefault(column.name, column.type)

        def batches() -> Iterator[pa.RecordBatch]:
            yield from head
            for path in paths[1:]:
                other, tail = self._one(path, columns)
                if self.files.format == "csv" and sorted(other.names) == sorted(schema.names):
                    tail = (batch.select(schema.names) for batch in tail)
                else:
                    binary.same_schema(schema, other, paths[0], path)
                yield from tail

        return schema, batches()

    def _hive(self, columns: list[str] | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow.dataset

        formats = {"arrow": "ipc", "jsonl": "json"}
        try:
            dataset = pyarrow.dataset.dataset(
                self.files.hive, format=formats.get(self.files.format, self.files.format), partitioning="hive"
            )
            wanted = None if columns is None else [name for name in dataset.schema.names if name in columns] or None
            reader = dataset.scanner(columns=wanted, batch_size=binary.BATCH_ROWS).to_reader()
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"cannot read the folder {self.name}: {error}", name="table-unreadable") from error
        return reader.schema, iter(reader)

    @property
    def paths(self) -> tuple[str, ...]:
        return () if self.files.temporary else self.files.paths

    @property
    def may_retype(self) -> bool:
        return self.files.format in ("csv", "jsonl") and not self.files.hive

    def retype(self, again: text.Retype) -> bool:
        known = all(self.dialect.learned.get(name) == kind for name, kind in again.columns.items())
        if known and not again.newlines:
            return super().retype(again)
        self.dialect.learned.update(again.columns)
        self.dialect.newlines = self.dialect.newlines or again.newlines
        if not super().retype(again):
            self.notes.extend(again.notes)
        return True

    def answer(self, scoring: Scoring) -> Any:
        return self.reread(lambda: scoring.stream(append=True).read_all())


class SpooledTable(Table):
    """A stream that was copied to a temporary file, because it is needed more than once."""

    rereadable = True

    def __init__(self, original: Table, path: str) -> None:
        super().__init__(original.name, original.rows)
        self.kind = original.kind
        self.path = path
        self._original = original
        self.remove_at_end(path)

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        return binary.arrow_reader(self.path, self.name)

    def answer(self, scoring: Scoring) -> Any:
        return self._original.answer(scoring)

    def like(self, rows: pa.Table, *, changed: list[str] | None = None) -> Any:
        return self._original.like(rows, changed=changed)


def is_path(data: object) -> bool:
    """True for what `FileTable` reads: a str or an os.PathLike."""
    return isinstance(data, str | os.PathLike)

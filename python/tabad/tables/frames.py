"""Tables that are objects in memory: the caller's frame, told by its own type, and answered in it.

Engines are looked up in `sys.modules`: a frame in hand means that its engine is loaded. The scored columns
are put beside the caller's own columns, which are never converted there and back.
"""

# ruff: noqa: ARG002  (`columns` and `types` are hints that not every source can use)
import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tabad.errors import InputError, UsageError
from tabad.tables import strays
from tabad.tables.binary import BATCH_ROWS
from tabad.tables.table import Scoring, Table

_Read = tuple[pa.Schema, Iterator[pa.RecordBatch]]


def _parts(reader: pa.RecordBatchReader) -> _Read:
    return reader.schema, iter(reader)


class ArrowTable(Table):
    """A pyarrow Table or RecordBatch."""

    kind = "pyarrow"
    rereadable = True

    def __init__(self, data: pa.Table | pa.RecordBatch) -> None:
        super().__init__("the pyarrow table", data.num_rows)
        self.table = pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        return _parts(self.table.to_reader(max_chunksize=BATCH_ROWS))

    def answer(self, scoring: Scoring) -> pa.Table:
        added = scoring.stream(append=False).read_all()
        table = self.table
        for field, column in zip(added.schema, added.columns, strict=True):
            table = table.append_column(field, column)
        return table


class StreamTable(Table):
    """Anything with the Arrow PyCapsule interface, and pyarrow's readers: read once, answered as a reader."""

    kind = "stream"

    def __init__(self, data: Any) -> None:
        super().__init__("the Arrow stream")
        self._data = data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        data, self._data = self._data, None
        if data is None:
            raise UsageError(
                "the Arrow stream was already read, and a stream can be read only once",
                name="stream-consumed",
                hint="make the stream again, or give a table",
            )
        return _parts(data if isinstance(data, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(data))


class DatasetTable(Table):
    """A pyarrow Dataset: read as often as needed, answered as a reader."""

    kind = "dataset"
    rereadable = True

    def __init__(self, data: Any) -> None:
        super().__init__("the pyarrow dataset")
        self.dataset = data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        names = None if columns is None else [name for name in self.dataset.schema.names if name in columns] or None
        return _parts(self.dataset.scanner(columns=names, batch_size=BATCH_ROWS).to_reader())


class PolarsTable(Table):
    """A polars DataFrame."""

    kind = "polars"
    rereadable = True

    def __init__(self, data: Any) -> None:
        super().__init__("the polars DataFrame", data.height)
        self.frame = data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        return _parts(pa.RecordBatchReader.from_stream(self.frame))

    def answer(self, scoring: Scoring) -> Any:
        added = sys.modules["polars"].from_arrow(scoring.stream(append=False).read_all())
        return self.frame.with_columns(added.get_columns())

    def like(self, rows: pa.Table, *, changed: list[str] | None = None) -> Any:
        return _polars_like(self.frame, rows, changed)


class PolarsLazyTable(Table):
    """A polars LazyFrame: streamed batch by batch, answered as a LazyFrame that scores when it is collected."""

    kind = "polars-lazy"
    rereadable = True

    def __init__(self, data: Any) -> None:
        super().__init__("the polars LazyFrame")
        self.frame = data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        # Not the frame's own __arrow_c_stream__: it has none, and collect() would hold the whole table.
        frame = self.frame
        if columns is not None:
            names = [name for name in frame.collect_schema().names() if name in columns]
            frame = frame.select(names) if names else frame
        return _parts(pa.RecordBatchReader.from_stream(frame.collect_batches(chunk_size=BATCH_ROWS, lazy=True)))

    def answer(self, scoring: Scoring) -> Any:
        pl = sys.modules["polars"]
        frame = self.frame

        def schema() -> Any:
            # Reasons nest four fields: their type comes from scoring no rows, so that it is said in one place.
            added = pl.from_arrow(scoring.batch(pl.DataFrame(schema=frame.collect_schema())))
            return pl.Schema({**frame.collect_schema(), **added.schema})

        def scan(
            with_columns: list[str] | None, predicate: Any, n_rows: int | None, batch_size: int | None
        ) -> Iterator[Any]:
            left = n_rows
            for rows in frame.collect_batches(chunk_size=batch_size or BATCH_ROWS, lazy=True):
                added = pl.from_arrow(scoring.batch(rows))
                rows = rows.with_columns(added.get_columns())
                if left is not None:
                    rows = rows.head(left)
                    left -= rows.height
                if predicate is not None:
                    rows = rows.filter(predicate)
                yield rows if with_columns is None else rows.select(with_columns)
                if left == 0:
                    return

        plugins = importlib.import_module("polars.io.plugins")
        return plugins.register_io_source(scan, schema=schema)

    def like(self, rows: pa.Table, *, changed: list[str] | None = None) -> Any:
        return _polars_like(sys.modules["polars"].DataFrame(schema=self.frame.collect_schema()), rows, None).lazy()


class PandasTable(Table):
    """A pandas DataFrame. Its index is kept aside: it is not a column, and comes back unchanged."""

    kind = "pandas"
    rereadable = True

    def __init__(self, data: Any) -> None:
        super().__init__("the pandas DataFrame", len(data))
        self.frame = data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        self._check_names(pa.schema([(str(name), pa.null()) for name in self.frame.columns]))
        frame = self.frame.reset_index(drop=True)
        try:
            table = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            written = self._written(frame) if self.marking else None
            if written is None:
                raise self._mixed(error) from error
            table = pa.Table.from_pandas(written, preserve_index=False)
        return _parts(table.replace_schema_metadata(None).to_reader(max_chunksize=BATCH_ROWS))

    def _written(self, frame: Any) -> Any:
        """The frame with its mixed columns as text, where each is numbers and texts, and numbers but for a few."""
        pd = sys.modules["pandas"]
        texts = {}
        for name in self._bad():
            cells = frame[name].astype(object).where(frame[name].notna(), None)
            if not all(type(value) in (str, int, float) for value in cells if value is not None):
                return None
            written = [None if value is None else str(value) for value in cells]
            if strays.marked((text for text in written[: strays.FIRST_ROWS] if text is not None), ".") is None:
                return None
            texts[name] = pd.array(written, dtype="string")
        frame = frame.copy(deep=False)
        for name, values in texts.items():
            frame[name] = values
        return frame if texts else None

    def _bad(self) -> list[Any]:
        """Columns that pyarrow cannot hold."""
        bad = []
        for name in self.frame.columns:
            if str(self.frame[name].dtype) == "object":
                try:
                    pa.Array.from_pandas(self.frame[name])
                except (pa.ArrowException, TypeError, ValueError, OverflowError):
                    bad.append(name)
        return bad

    def _mixed(self, error: Exception) -> InputError:
        bad = [str(name) for name in self._bad()]
        if not bad:
            return InputError(f"cannot read {self.name}: {error}", name="table-unreadable")
        names = ", ".join(f"`{name}`" for name in bad[:10])
        return InputError(
            f"{f'columns {names}' if len(bad) > 1 else f'column {names}'} of {self.name} "
            f"{'mix' if len(bad) > 1 else 'mixes'} values of several types",
            name="column-mixed",
            hint=f'give it one type, for example df["{bad[0]}"] = df["{bad[0]}"].astype("string")',
        )

    def answer(self, scoring: Scoring) -> Any:
        pd = sys.modules["pandas"]
        added = scoring.stream(append=False).read_all().to_pandas()
        added.index = self.frame.index
        return pd.concat([self.frame, added], axis=1)

    def like(self, rows: pa.Table, *, changed: list[str] | None = None) -> Any:
        # Arrow knows columns by text; the frame may have numbers, or tuples.
        texts = pa.Schema.from_pandas(self.frame.iloc[:0], preserve_index=False).names
        labels = dict(zip(texts, self.frame.columns, strict=True))
        rows = rows.select(rows.schema.names if changed is None else changed)
        made = rows.to_pandas()
        for place, name in enumerate(rows.schema.names):
            if name in labels:
                own = self.frame.dtypes[labels[name]]
                empty = rows.column(place).null_count > 0 and getattr(own, "kind", "O") in "iub"
                # numpy's integers and booleans have no null; pandas' own have, and hold the others as they are.
                made[name] = _nullable(rows.column(place), own) if empty else made[name].astype(own)
        made = made.rename(columns=labels)
        if changed is None:
            return made
        made.index = self.frame.index
        result = self.frame.copy(deep=False)
        for label in made.columns:
            result[label] = made[label]
        return result


class DuckTable(Table):
    """A DuckDB relation, answered as a relation of the same connection over the scored rows."""

    kind = "duckdb"
    rereadable = True

    def __init__(self, data: Any) -> None:
        super().__init__("the DuckDB relation")
        self.relation = data

    def _reader(self, columns: list[str] | None, types: pa.Schema | None) -> _Read:
        return _parts(self.relation.to_arrow_reader(BATCH_ROWS))

    def answer(self, scoring: Scoring) -> Any:
        return self.like(scoring.stream(append=True).read_all())

    def like(self, rows: pa.Table, *, changed: list[str] | None = None) -> Any:
        # Found by name in the query below; a table of the database with that name would come first.
        __tabad_rows_of_this_answer__ = rows  # noqa: F841
        own = zip(self.relation.columns, self.relation.types, strict=True)
        # Arrow has no enum type: a column that came as an ENUM goes back as one.
        cast = [f"{_quoted(name)}::{kind} AS {_quoted(name)}" for name, kind in own if str(kind).startswith("ENUM")]
        replace = f" REPLACE ({', '.join(cast)})" if cast else ""
        query = f"SELECT *{replace} FROM __tabad_rows_of_this_answer__"  # noqa: S608
        return self.relation.query("__tabad_input_of_this_answer__", query)


def _polars_like(frame: Any, rows: pa.Table, changed: list[str] | None) -> Any:
    made = sys.modules["polars"].from_arrow(rows if changed is None else rows.select(changed))
    empty = sys.modules["polars"].Null
    made = made.cast({name: kind for name, kind in frame.schema.items() if name in made.columns and kind != empty})
    return made if changed is None else frame.with_columns(made.get_columns())


def _nullable(column: pa.ChunkedArray, own: Any) -> Any:
    """A column with nulls as pandas' own integers or booleans, where the frame has numpy's."""
    pd = sys.modules["pandas"]
    kind = own if hasattr(own, "numpy_dtype") else pd.array([], dtype=_NULLABLE[own.name]).dtype
    return pd.Series(pd.array(column.to_pylist(), dtype=kind))


_NULLABLE = {
    "bool": "boolean",
    **{f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def wrap(data: Any) -> Table:
    """The table that an object is. Raises `UsageError` for an object that is none."""
    if isinstance(data, pa.Table | pa.RecordBatch):
        return ArrowTable(data)
    if isinstance(data, pa.RecordBatchReader):
        return StreamTable(data)
    pl = sys.modules.get("polars")
    if pl is not None and isinstance(data, pl.DataFrame):
        return PolarsTable(data)
    if pl is not None and isinstance(data, pl.LazyFrame):
        return PolarsLazyTable(data)
    pd = sys.modules.get("pandas")
    if pd is not None and isinstance(data, pd.DataFrame):
        return PandasTable(data)
    duck = sys.modules.get("duckdb")
    if duck is not None and isinstance(data, duck.DuckDBPyRelation):
        return DuckTable(data)
    dataset = sys.modules.get("pyarrow.dataset")
    if dataset is not None and isinstance(data, dataset.Dataset):
        return DatasetTable(data)
    if hasattr(data, "__arrow_c_stream__"):
        return StreamTable(data)
    if hasattr(data, "__arrow_c_array__"):
        return ArrowTable(pa.record_batch(data))
    raise UsageError(
        f"a {type(data).__name__} is not a table",
        name="not-a-table",
        hint="give a path, a pyarrow, polars or pandas table, a DuckDB relation, or anything with __arrow_c_stream__",
    )

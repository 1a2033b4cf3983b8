"""Missing cells filled from the network's conditional distribution, batch by batch, everything else left alone.

Present cells are held clean and the missing ones are sampled (the network is trained with some columns clean and
others hidden; imputation by conditional diffusion is CSDI's, Tashiro et al. 2021, section 4). One draw per cell: a
filled table keeps the spread that means would take away. What a row gets depends on the seed and on the rows of its
part of `PART` rows, never on the batches in which the table comes. Filled cells obey the model's constraints where the
present cells of their row allow it: what is determined is computed, what breaks a rule is drawn again, and a cell that
the value of another column says is null (a shipping date of what is open) is not missing: it stays as it is.
Axes: B rows, P table columns.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from tabad import tables
from tabad.constraints import from_text
from tabad.errors import InputError, UsageError
from tabad.tables.cells import as_type, replaced
from tabad.tables.views import without_view, without_views

from .obey import Obedience, Rows
from .rows import Sampler
from .sample import Given
from .seeding import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tabad import _core
    from tabad.tables import Table

__all__ = ["Filling"]

PART = 16_384
_TURNS = 5
"""How often a row that breaks a constraint is drawn again."""


class Filling:
    """One filling of one table: its stream, and how many cells of which column were filled once it has been read.

    Raises `UsageError` for a column that the model does not have or does not model.
    """

    def __init__(
        self, core: _core.Model, network: tuple[str, bytes], columns: Sequence[str], *, seed: int, device: str
    ) -> None:
        self._sampler = Sampler(core, network, device)
        self._seed = seed
        self._constraints = from_text(core.constraints())
        self._check(columns)
        self._asked = list(columns)
        wanted = [name for name in self._sampler.owners if not columns or name in columns]
        valued = self._sampler.valued()
        self.columns = [name for name in wanted if name in valued]
        """The columns that can be filled."""
        self.hopeless = [name for name in wanted if name not in valued]
        """Those that had no value in any training row."""
        self.rows = 0
        self.filled: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        """Cells still missing, by column: of hopeless columns, and where the model keeps no text or key to give."""
        self.meant: Counter[str] = Counter()
        """Cells that are null as the value of another column says, and were not asked for by name."""
        self.unseen: list[str] = []
        """Columns of the model that the table does not have."""

    def _check(self, columns: Sequence[str]) -> None:
        kinds = {column["name"]: column["kind"] for column in self._sampler.manifest["columns"]}
        strange = [name for name in columns if name not in self._sampler.owners]
        if strange:
            facts = [f"`{n}` ({kinds[n]})" if n in kinds else f"`{n}` (no column of the model)" for n in strange]
            raise UsageError(
                f"cannot fill {', '.join(facts[:10])}: only modelled columns can be filled",
                name="impute-column",
                hint=f"modelled columns are {', '.join(f'`{name}`' for name in self._sampler.owners[:10])}",
            )

    def stream(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The rows of the reader in their order, missing cells filled."""
        self.rows, self.filled, self.left, self.meant = 0, Counter(), Counter(), Counter()
        reader = without_views(reader)
        self._check_there(reader.schema)
        known = [one for one in self._constraints if set(one.columns) <= set(reader.schema.names)]
        kinds = {column["name"]: column["kind"] for column in self._sampler.manifest["columns"]}
        self._obedience = Obedience(known, kinds)
        schema = self._typed(reader.schema)

        def batches() -> Iterator[pa.RecordBatch]:
            for part, rows in enumerate(_parts(reader, reader.schema)):
                yield from self._fill(rows if schema == reader.schema else rows.cast(schema), part).to_batches()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _check_there(self, schema: pa.Schema) -> None:
        self.unseen = [name for name in self._sampler.owners if name not in schema.names]
        if len(self.unseen) == len(self._sampler.owners):
            raise UsageError(
                "the table has none of the model's columns",
                name="impute-column",
                hint=f"modelled columns are {', '.join(f'`{name}`' for name in self._sampler.owners[:10])}",
            )
        absent = [name for name in self._asked if name not in schema.names]
        if absent:
            raise UsageError(
                f"cannot fill {', '.join(f'`{name}`' for name in absent[:10])}: no column of the table",
                name="impute-column",
                hint="an empty column of that name can be filled",
            )

    def _typed(self, schema: pa.Schema) -> pa.Schema:
        """The schema with the model's type for columns that are filled and so empty that they have none."""
        own = self._sampler.core.schema()
        fields = [
            field.with_type(without_view(own.field(field.name).type))
            if pa.types.is_null(field.type) and field.name in self.columns
            else field
            for field in schema
        ]
        return pa.schema(fields, schema.metadata)

    def answer(self, table: Table) -> Any:
        """The filled table in the form in which it came; a file or a stream as a pyarrow Table."""

        def action() -> pa.Table:
            return self.stream(table.open(types=self._sampler.core.schema())).read_all().unify_dictionaries()

        rows = table.reread(action)
        return table.like(rows, changed=[name for name in rows.schema.names if self.filled[name]])

    def write(self, table: Table, destination: str, format: str | None = None) -> Path:  # noqa: A002
        """Write the filled table, whole or not at all, batch by batch."""

        def action() -> None:
            filled = self.stream(table.open(types=self._sampler.core.schema()))
            tables.write(filled, destination, format, whole=table.may_retype)

        table.reread(action)
        return Path(destination)

    def notes(self) -> list[str]:
        """What the caller should hear once the stream has been read."""
        empty = [name for name in self.hopeless if self.left[name]]
        said = []
        if self.unseen:
            shown = ", ".join(f"`{name}`" for name in self.unseen[:10])
            said.append(f"{shown} of the model {'is' if len(self.unseen) == 1 else 'are'} not in the table")
        if empty:
            shown = ", ".join(f"`{name}`" for name in empty[:10])
            said.append(f"{shown} had no value in any training row, and cannot be filled")
        others = {name: count for name, count in self.left.items() if name not in self.hopeless}
        if others:
            shown = ", ".join(f"{count:,} of `{name}`" for name, count in list(others.items())[:10])
            said.append(f"the model keeps no value to fill {shown}")
        if self.meant:
            shown = ", ".join(f"{count:,} of `{name}`" for name, count in list(self.meant.items())[:10])
            said.append(
                f"{shown} stay null, as they are in rows of their kind (a column that is asked for by name is filled)"
            )
        return said

    def _fill(self, rows: pa.Table, part: int) -> pa.Table:
        self.rows += rows.num_rows
        there = [name for name in [*self.columns, *self.hopeless] if name in rows.schema.names]
        missing = {name: _missing(rows.column(name)) for name in there}
        for name in self.hopeless:
            if name in missing:
                self.left[name] += _count(missing.pop(name))
        generator = seeded(self._sampler.index.device, self._seed, part)
        # First what says where others are null: a null beside it tells more of it than a value drawn for that.
        telling = self._obedience.telling()
        rows = self._filled(rows, {name: mask for name, mask in missing.items() if name in telling}, part, generator)
        return self._filled(rows, {n: mask for n, mask in missing.items() if n not in telling}, part, generator)

    def _filled(
        self, rows: pa.Table, missing: dict[str, pa.ChunkedArray], part: int, generator: torch.Generator
    ) -> pa.Table:
        missing = self._not_meant(missing, rows)
        if not missing:
            return rows
        some = None
        for mask in missing.values():
            some = mask if some is None else pc.or_(some, mask)
        masks = {name: mask.filter(some) for name, mask in missing.items()}
        made = self._sampled(rows.filter(some), masks, part, generator)
        for name, mask in missing.items():
            place = rows.schema.get_field_index(name)
            value = self._replaced(rows.column(name), mask, made.column(name).filter(mask.filter(some)), name)
            rows = rows.set_column(place, rows.schema.field(place), value)
            left = _count(pc.and_(mask, _missing(value)))
            self.filled[name] += _count(mask) - left
            if left:
                self.left[name] += left
        return rows

    def _not_meant(self, missing: dict[str, pa.ChunkedArray], rows: pa.Table) -> dict[str, pa.ChunkedArray]:
        """Missing cells by column without those that are null by the value of another, and columns that have any."""
        meant = self._obedience.meant_to_be_null(rows) if missing else {}
        found = {}
        for name, mask in missing.items():
            if name in meant and name not in self._asked:
                meant_B = pa.chunked_array([pa.array(meant[name])])
                if count := _count(pc.and_(mask, meant_B)):
                    self.meant[name] += count
                    mask = pc.and_not(mask, meant_B)
            if _count(mask):
                found[name] = mask
        return found

    def _replaced(
        self, column: pa.ChunkedArray, mask: pa.ChunkedArray, values: pa.ChunkedArray, name: str
    ) -> pa.ChunkedArray:
        try:
            return replaced(column, mask, values)
        except pa.ArrowInvalid as error:
            raise InputError(
                f"column `{name}` is {column.type} and cannot hold what the model fills it with, "
                f"which is {values.type}: {error}",
                name="impute-type",
                hint=f"give it the type that it had in the fit, or leave it out: fill the others with --column "
                f"(columns=...), or cast `{name}` to {values.type}",
            ) from error

    def _sampled(
        self, rows: pa.Table, missing: dict[str, pa.ChunkedArray], part: int, generator: torch.Generator
    ) -> pa.Table:
        sampler = self._sampler
        x_BN, c_BC = sampler.encode(rows.select([n for n in sampler.schema.names if n in rows.schema.names]))
        given_BP = sampler.given(sampler.owners, rows.num_rows)
        for name, mask in missing.items():
            is_missing = mask.combine_chunks().to_numpy(zero_copy_only=False)
            given_BP[:, sampler.owners.index(name)] = torch.tensor(~is_missing, device=given_BP.device)

        def drawn(given: Given, first_row: int) -> pa.Table:
            x_BN, c_BC = sampler.draw(len(given.c_BC), generator=generator, given=given, complete=True)
            return pa.Table.from_batches([sampler.decode(x_BN, c_BC, first_row=first_row)])

        # A null that cannot be meant tells nothing of the others.
        columns = {name: rows.column(name) for name in rows.schema.names if name in sampler.owners}
        for name, unknown_B in self._obedience.surely_missing(columns).items():
            given_BP[:, sampler.owners.index(name)] &= torch.tensor(~unknown_B, device=given_BP.device)
        given = Given(x_BN, c_BC, given_BP)
        made = drawn(given, part * PART)
        obedience = self._obedience
        free = {name: mask.combine_chunks().to_numpy(zero_copy_only=False) for name, mask in missing.items()}
        for turn in range(_TURNS + 1 if obedience else 0):
            broken, made = _obeying(obedience, rows, made, free, last=turn == _TURNS)
            if turn == _TURNS or not broken.any():
                break
            at = torch.tensor(np.flatnonzero(broken), device=x_BN.device)
            again = drawn(Given(x_BN[at], c_BC[at], given_BP[at]), part * PART)
            mask = pa.chunked_array([pa.array(broken)])
            for name in missing:
                made = _with(made, name, replaced(made.column(name), mask, again.column(name)))
        return made


def _obeying(
    obedience: Obedience, rows: pa.Table, made: pa.Table, free: dict[str, Any], *, last: bool
) -> tuple[Any, pa.Table]:
    """Which rows still break a rule that a filled cell could mend, and the drawn cells with what was mended."""
    stands = np.zeros(rows.num_rows, bool)
    columns = {}
    for name in made.schema.names:
        if name in free:
            mask = pa.array(free[name])
            columns[name] = replaced(
                as_type(rows.column(name), made.column(name)),
                pa.chunked_array([mask]),
                made.column(name).filter(mask),
            )
        elif name in rows.schema.names:
            columns[name] = rows.column(name)
    found = Rows(columns, {name: free.get(name, stands) for name in columns})
    broken = obedience.enforce(found, nulls=False, last=last)
    for name in free:
        made = _with(made, name, found.columns[name])
    return broken, made


def _with(made: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    place = made.schema.get_field_index(name)
    return made.set_column(place, made.schema.field(place), column)


def _parts(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in tables of `PART` rows, however they come; the last one is shorter."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        while rows >= PART:
            whole = pa.Table.from_batches(held, schema)
            yield whole.slice(0, PART)
            held = whole.slice(PART).to_batches()
            rows -= PART
    if rows:
        yield pa.Table.from_batches(held, schema)


def _missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """True where a cell is null or NaN."""
    return column.is_null(nan_is_null=pa.types.is_floating(column.type))


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)

"""Names that tabad adds to a table must be free in it."""

from collections.abc import Iterable

import pyarrow as pa

from tabad.errors import InputError

__all__ = ["check_taken"]


def check_taken(schema: pa.Schema, added: Iterable[str]) -> None:
    """Raise `InputError` where the table already has a column that would be added."""
    taken = [name for name in added if name in schema.names]
    if taken:
        columns = "a column" if len(taken) == 1 else "columns"
        raise InputError(
            f"the table already has {columns} {', '.join(f'`{name}`' for name in taken)}",
            name="column-taken",
            hint="give the new columns another prefix: --prefix again_ (prefix=...)",
        )

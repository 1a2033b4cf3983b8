"""Dictionaries that only grow: an Arrow IPC file holds one dictionary per column, and additions to it.

Batches bring dictionaries of their own (each row group of a parquet file does), with the values in another order.
Not here: dictionaries inside nested columns, which stay as they are.
"""

from typing import Any

import pyarrow as pa

__all__ = ["Dictionaries"]


class Dictionaries:
    """All values so far of each dictionary column, in the order in which they came."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def extend(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with every dictionary column on the grown dictionary."""
        columns = list(batch.columns)
        for place, column in enumerate(columns):
            if pa.types.is_dictionary(column.type):
                columns[place] = self._grown(place, column)
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema) if self._known else batch

    def _grown(self, place: int, column: Any) -> Any:
        known, own = self._known.get(place), column.dictionary
        if known is None or own.equals(known):
            self._known[place] = own
            return column
        import pyarrow.compute as pc  # only where dictionaries differ

        new = pc.unique(own.filter(pc.invert(pc.is_in(own, value_set=known))))
        if len(new):
            known = pa.concat_arrays([known, new])
            self._known[place] = known
        places = pc.index_in(own, value_set=known).take(column.indices)
        # An index type that is too small for all values is an error of the cast.
        indices = places.cast(column.type.index_type)
        return pa.DictionaryArray.from_arrays(indices, known, ordered=column.type.ordered)

"""Writing behind: a batch is written in a thread of its own while the next one is read and scored."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class Behind:
    """Hands batches to `write`, in order, at most one at a time and one ahead of it.

    The first is written at once: a table of one batch needs no thread, nor the import of one. An error of `write` is
    raised by the next call.
    """

    def __init__(self, write: Callable[[pa.RecordBatch], None]) -> None:
        self._write = write
        self._begun = False
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the batch, or have it written."""
        if not self._begun:
            self._begun = True
            self._write(batch)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="tabad-write")
        self._settle()
        self._pending = self._pool.submit(self._write, batch)

    def finish(self) -> None:
        """Return when all is written."""
        self._settle()
        self._end()

    def abandon(self) -> None:
        """Let the batch that is being written end, whatever becomes of it: its file is about to be closed."""
        with contextlib.suppress(Exception):
            self._settle()
        self._end()

    def _settle(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)

"""What the files of cases share: a table, a fit, and the list that a case enters."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tabad import _core

NUMBERS = pa.table({"a": [float(row) for row in range(30)], "b": ["xy"[row % 2] for row in range(30)]})


class Cases(dict[str, Callable[[], object]]):
    """Refusals by name, in the order of the golden file. Called with a function, it takes it in: a decorator."""

    def __call__(self, function: Callable[[], object]) -> Callable[[], object]:
        self[function.__name__] = function
        return function


def fit(table: pa.Table, **options: Any) -> _core.Model:
    fitting = _core.Fit(**{"memory": 32, **options})
    fitting.observe(table)
    fitting.prepare()
    return fitting.finish()

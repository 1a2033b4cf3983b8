"""tabad screens tables: it says which rows and cells are odd, how odd, and why.

>>> import tabad
>>> scored = tabad.score("payments.parquet")  # doctest: +SKIP

This file is a table of names (PEP 562): `import tabad` loads nothing heavy, a name is resolved when it is
first used. An engine that is already loaded (polars, pandas) gets its accessor now; `import tabad.polars`
and `import tabad.pandas` register it in any case.
"""

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabad.api import anomalies, audit, augment, compare, fit, generate, impute, score
    from tabad.errors import (
        InputError,
        MissingDependency,
        ModelFileError,
        Refused,
        TabadError,
        TabadWarning,
        TableNotFound,
        UsageError,
        WriteError,
    )
    from tabad.model import Model

__version__ = "0.1.0"

__all__ = [
    "InputError",
    "MissingDependency",
    "Model",
    "ModelFileError",
    "PrivateOptions",
    "Refused",
    "TabadError",
    "TabadWarning",
    "TableNotFound",
    "UsageError",
    "WriteError",
    "__version__",
    "anomalies",
    "audit",
    "augment",
    "compare",
    "fit",
    "generate",
    "impute",
    "score",
]

_HOME = {
    "anomalies": "tabad.api",
    "audit": "tabad.api",
    "augment": "tabad.api",
    "compare": "tabad.api",
    "fit": "tabad.api",
    "generate": "tabad.api",
    "impute": "tabad.api",
    "score": "tabad.api",
    "Model": "tabad.model",
    "PrivateOptions": "tabad.config",
    **dict.fromkeys([name for name in __all__ if name.endswith(("Error", "Warning"))], "tabad.errors"),
    **dict.fromkeys(["MissingDependency", "Refused", "TableNotFound"], "tabad.errors"),
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'tabad' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


for _engine in ("polars", "pandas"):
    # An engine that is being imported right now has no DataFrame yet: its own door registers it later.
    if hasattr(sys.modules.get(_engine), "DataFrame"):
        importlib.import_module(f"tabad.{_engine}")
del _engine

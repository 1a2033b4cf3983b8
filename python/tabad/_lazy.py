"""Optional packages, imported when they are needed and named in full when they are missing."""

import importlib
from typing import Any

from tabad.errors import MissingDependency


def need(module: str, *, extra: str, purpose: str | None = None, hint: str | None = None) -> Any:
    """The imported module, or `MissingDependency` that names the extra to install.

    `purpose` completes "is needed to ...". An error inside an installed package is passed on as it is:
    to call a broken installation "missing" would send the reader the wrong way.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        why = f", and is needed to {purpose}" if purpose else ""
        raise MissingDependency(
            f"`{package}` is not installed{why}",
            hint=hint or f'pip install "tabad[{extra}]"',
        ) from error

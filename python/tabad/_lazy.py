"""Optional packages, imported when they are needed and named in full when they are missing."""

import importlib
import importlib.util
import sys
from typing import Any

from tabad.errors import MissingDependency


def expect(module: str, *, extra: str, purpose: str | None = None, hint: str | None = None) -> None:
    """Raise as `need` does where the package is missing, without the seconds that importing it may take."""
    package = module.partition(".")[0]
    known = sys.modules[package] is not None if package in sys.modules else importlib.util.find_spec(package)
    if not known:
        raise _missing(package, extra, purpose, hint)


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
        raise _missing(package, extra, purpose, hint) from error


def _missing(package: str, extra: str, purpose: str | None, hint: str | None) -> MissingDependency:
    why = f", and is needed to {purpose}" if purpose else ""
    return MissingDependency(f"`{package}` is not installed{why}", hint=hint or f'pip install "tabad[{extra}]"')

"""Every way in which tabad refuses to go on: one exception tree, with exit codes for the command line.

A message states the fact and the place; `hint` states what to do next; `name` is the catalogue name that
`--json` shows. Wrong input is always a child of `TabadError` and of the builtin one would catch; anything
else that escapes is a bug. `rust/py` builds its exceptions through `from_core`, so the tree lives here only.
"""

from typing import ClassVar

__all__ = [
    "InputError",
    "MissingDependency",
    "ModelFileError",
    "Refused",
    "TabadError",
    "TabadWarning",
    "TableNotFound",
    "UsageError",
    "WriteError",
    "from_core",
]


class TabadWarning(UserWarning):
    """What the caller should know, though the answer is right: an unreachable level, a column read as text."""


class TabadError(Exception):
    """What tabad raises on purpose. `str(error)` is the message alone; `name` and `hint` stand beside it."""

    exit_code: ClassVar[int] = 3
    default_name: ClassVar[str] = "error"

    def __init__(self, message: str, *, name: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.name: str = name or self.default_name
        self.hint: str | None = hint

    def __str__(self) -> str:
        return self.message


class UsageError(TabadError, ValueError):
    """The call is wrong: an option, an argument, a combination of them."""

    exit_code = 2
    default_name = "usage"


class TableNotFound(UsageError, FileNotFoundError):  # noqa: N818
    """There is no table, or no model, where the caller pointed."""

    default_name = "table-not-found"


class MissingDependency(UsageError, ImportError):  # type: ignore[misc]  # noqa: N818  (ImportError.name)
    """An optional package is needed and not installed; the hint names the extra."""

    default_name = "missing-dependency"


class InputError(TabadError, ValueError):
    """The table cannot be read, is too small, or does not fit the model."""

    default_name = "input"


class ModelFileError(TabadError, ValueError):
    """The model file is not one, is damaged, or comes from a newer tabad."""

    exit_code = 4
    default_name = "model-file-damaged"


class WriteError(TabadError, OSError):
    """The output could not be written; nothing half-written was left behind."""

    exit_code = 6
    default_name = "cannot-write"


class Refused(TabadError):  # noqa: N818
    """The answer is a no that was asked for: `--max-flagged` (the output is written all the same), an audit's alarm."""

    exit_code = 1
    default_name = "refused"
    answered: bool = True
    """False where nothing was answered before the no: `--json` then shows the refusal itself."""


_GROUPS: dict[str, type[TabadError]] = {
    "usage": UsageError,
    "input": InputError,
    "model-file": ModelFileError,
    "stream": InputError,
}


def from_core(group: str, name: str, message: str, hint: str | None) -> TabadError:
    """The exception for an error of the compiled module. `group`: usage, input, model-file or stream."""
    return _GROUPS[group](message, name=name, hint=hint)

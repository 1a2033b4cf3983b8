"""The exception tree: exit codes, builtin parents, what the compiled module builds."""

import pickle

import pytest

from tabad import errors


@pytest.mark.parametrize(
    ("kind", "builtin", "code"),
    [
        (errors.UsageError, ValueError, 2),
        (errors.TableNotFound, FileNotFoundError, 2),
        (errors.MissingDependency, ImportError, 2),
        (errors.InputError, ValueError, 3),
        (errors.ModelFileError, ValueError, 4),
        (errors.WriteError, OSError, 6),
        (errors.Refused, Exception, 1),
    ],
)
def test_error_is_caught_as_the_builtin_one(kind: type[errors.TabadError], builtin: type[Exception], code: int) -> None:
    error = kind("what was found", name="some-name", hint="what to do")

    assert isinstance(error, builtin)
    assert (str(error), error.name, error.hint, error.exit_code) == ("what was found", "some-name", "what to do", code)


def test_error_survives_a_process_border() -> None:
    error = errors.TableNotFound("there is no file x", hint="check the path")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert (type(again), str(again), again.name, again.hint) == (type(error), str(error), error.name, error.hint)


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("usage", errors.UsageError),
        ("input", errors.InputError),
        ("model-file", errors.ModelFileError),
        ("stream", errors.InputError),
    ],
)
def test_core_builds_its_errors_here(group: str, kind: type[errors.TabadError]) -> None:
    error = errors.from_core(group, "a-name", "a message", None)

    assert (type(error), error.name, str(error), error.hint) == (kind, "a-name", "a message", None)

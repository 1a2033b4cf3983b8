"""From arguments to an exit code: what is raised becomes words on stderr, or JSON on stdout with `--json`."""

import errno
import json
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn, TextIO

from tabad.errors import Refused, TabadError, TabadWarning

BUG = 5
CANNOT_WRITE = 6
INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command."""
    as_json = "--json" in arguments
    # Ended from outside (systemd, docker stop): unwind, so that temporary files are removed.
    signal.signal(signal.SIGTERM, _terminated)
    # Before torch or scikit-learn is loaded: OpenMP threads that spin between steps take the cores from the ones that
    # work. Some microseconds they may: put to sleep at once, those of gradient boosting do little else than wake up.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        import typer

        from tabad.cli.app import app
    except KeyboardInterrupt:
        return _interrupted(as_json)

    warnings.showwarning = _said
    try:
        code = app(list(arguments), prog_name="tabad", standalone_mode=False)
        if code == INTERRUPTED:
            # The command has answered, with what it had so far.
            return INTERRUPTED if as_json else _interrupted(as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        return _no_more()
    except SystemExit as error:
        # typer's own end for a pipe that nobody reads any more
        if isinstance(error.__context__, OSError) and error.__context__.errno == errno.EPIPE:
            return _no_more()
        raise
    except KeyboardInterrupt:
        return _interrupted(as_json)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 2
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "tabad"
        message, hint = _sentence(error.format_message()), f"see: {command} --help"
        if "extra arg" in message:
            hint = f"several tables are one folder, or one pattern in quotes: 'part-*.parquet'; {hint}"
        return fail("usage", message, hint, 2, as_json)
    except TabadError as error:
        # Most refusals come after the answer, which is the JSON on stdout already.
        answered = isinstance(error, Refused) and error.answered
        return fail(error.name, str(error), error.hint, error.exit_code, as_json and not answered)
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            return _bug(error, as_json)
        _no_more()
        return fail("write-failed", f"cannot write standard output: {error.strerror}", None, CANNOT_WRITE, False)
    except Exception as error:  # noqa: BLE001  (the last resort: a bug still has its exit code)
        return _bug(error, as_json)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return fail("bug", f"the compiled part failed: {error}", _BUG_HINT, BUG, as_json)
    return code if isinstance(code, int) else 0


_BUG_HINT = "this is a bug in tabad, not in your table: please report it with the lines above"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _said(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What callers of Python are warned of, in the words of a command."""
    if issubclass(category, TabadWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)


def _no_more() -> int:
    """Nothing goes to standard output any more (`| head` has seen enough): Python is not to complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CANNOT_WRITE


def _interrupted(as_json: bool) -> int:
    return fail("interrupted", "interrupted", None, INTERRUPTED, as_json)


def _bug(error: BaseException, as_json: bool) -> int:
    import traceback

    traceback.print_exc()
    return fail("bug", f"{type(error).__name__}: {error}", _BUG_HINT, BUG, as_json)


def fail(name: str, message: str, hint: str | None, code: int, as_json: bool) -> int:
    """Say what went wrong, and return the exit code."""
    if as_json:
        print(json.dumps({"tabad": 1, "error": {"name": name, "message": message, "hint": hint}}, ensure_ascii=False))
    else:
        print(f"error: {message}", file=sys.stderr)
        if hint:
            print(f"\nhint: {hint}", file=sys.stderr)
    return code


def _terminated(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _sentence(text: str) -> str:
    """Typer's message in the form of our own: no capital at the start, no full stop at the end."""
    text = text.strip().removesuffix(".")
    return text[:1].lower() + text[1:]

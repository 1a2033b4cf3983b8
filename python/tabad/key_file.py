"""Key files: the secret of a redacted model, which is never in the model.

One is 32 to 128 hexadecimal digits, as `tabad inspect --redact` writes them, or 16 to 64 random bytes from elsewhere.
Passwords are refused: whoever has a model file can try them by the million.
"""

import contextlib
import os
import secrets
import string
from pathlib import Path

from tabad.errors import TableNotFound, UsageError, WriteError

__all__ = ["KeySource", "key_path", "new_key", "open_to_others", "read_key", "write_key"]

KeySource = bytes | str | os.PathLike[str]
"""A key file by its path, or its content."""

_LEAST, _MOST = 16, 64
# Of 16 random bytes 15 or 16 are different from each other, and never so few.
_DIFFERENT = 8
_RIGHT = (
    "give the one that the model was redacted with; `tabad inspect MODEL --redact OUT --key-file KEY` makes a new one"
)
_HINT = "make one with: openssl rand -hex 32 > KEY; or let `tabad inspect MODEL --redact OUT --key-file KEY` make it"


def read_key(source: KeySource) -> bytes:
    """The secret of a key file. Raises `TableNotFound` where there is none, and `UsageError` for what is no key."""
    if isinstance(source, bytes):
        return _parse(source, "the key")
    path = key_path(source)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise TableNotFound(f"there is no key file {path}", name="key-not-found", hint=_RIGHT) from error
    except OSError as error:
        raise UsageError(f"cannot read the key file {path}: {error.strerror}", name="key-unfit") from error
    return _parse(content, path)


def key_path(source: str | os.PathLike[str]) -> str:
    """The path of a key file. Raises `UsageError` where it is the key itself, which a message must not repeat."""
    path = os.fspath(source)
    digits = len(path) >= 2 * _LEAST and all(char in string.hexdigits for char in path)
    if digits and not os.path.lexists(path):
        raise UsageError(
            "the digits of a key were given where the path of a key file belongs",
            name="key-unfit",
            hint="write them to a file; in Python the content of one can be given as bytes",
        )
    return path


def _parse(content: bytes, name: str) -> bytes:
    text = content.strip()
    with contextlib.suppress(ValueError):
        content = bytes.fromhex(text.decode("ascii"))
        text = b""
    if len(content) < _LEAST:
        raise _unfit(f"{name} has {len(content)} bytes, and a key needs {_LEAST}")
    if len(content) > _MOST:
        raise _unfit(f"{name} has {len(content)} bytes, more than the {_MOST} of a key: it is some other file")
    if len(set(content)) < _DIFFERENT or _is_text(text):
        raise _unfit(f"{name} looks like a text and not like random bytes: whoever has the model could guess it")
    return content


def _is_text(content: bytes) -> bool:
    """Whether all of it can be read; of 16 random bytes that is so once in a million times."""
    try:
        return bool(content) and content.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _unfit(message: str) -> UsageError:
    return UsageError(message, name="key-unfit", hint=_HINT)


def open_to_others(path: str | os.PathLike[str]) -> bool:
    """Whether more than its owner can read a file."""
    return os.name == "posix" and bool(os.stat(path).st_mode & 0o077)


def new_key() -> bytes:
    """32 random bytes from the operating system."""
    return secrets.token_bytes(32)


def write_key(key: bytes, path: str | os.PathLike[str]) -> None:
    """Write a new key file that its owner alone can read. Raises `WriteError`, also where there is a file already."""
    name = os.fspath(path)
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(key.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            os.unlink(name)  # half a key is none
            raise
    except OSError as error:
        raise WriteError(f"cannot write the key file {name}: {error.strerror}", name="cannot-write") from error

"""Key files: what is read as a key, and how a new one is written."""

import stat
from pathlib import Path

import pytest

from tabad.errors import UsageError, WriteError
from tabad.key_file import new_key, open_to_others, read_key, write_key


def test_a_new_key_is_random_and_comes_back_from_its_file(tmp_path: Path) -> None:
    key, path = new_key(), tmp_path / "m.key"
    write_key(key, path)

    assert len(key) == 32
    assert key != new_key()
    assert read_key(path) == key
    assert path.read_text() == key.hex() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not open_to_others(path)


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "m.key"
    path.write_text("kept")

    with pytest.raises(WriteError, match="cannot write the key file"):
        write_key(new_key(), path)
    assert path.read_text() == "kept"
    path.chmod(0o640)
    assert open_to_others(path)


@pytest.mark.parametrize("length", [16, 32, 64])
def test_digits_and_bytes_of_the_same_key_are_the_same(length: int) -> None:
    key = bytes((37 * place + 129) % 256 for place in range(length))

    assert read_key(key) == read_key(key.hex().encode()) == read_key(f"  {key.hex().upper()}\r\n".encode()) == key


@pytest.mark.parametrize("length", [0, 1, 15, 65, 4096])
def test_other_lengths_are_refused(length: int) -> None:
    key = bytes((37 * place + 129) % 256 for place in range(length))

    for given in (key, key.hex().encode()):
        with pytest.raises(UsageError, match="bytes"):
            read_key(given)


@pytest.mark.parametrize("text", ["a passphrase of many words", "x" * 40, "00" * 32, "p\u00e4ssw\u00f6rter" + " " * 20])
def test_what_can_be_guessed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="could guess it"):
        read_key(text.encode())

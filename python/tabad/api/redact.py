"""Redact: a copy of a model file to pass on, and the key file that it needs."""

import os
from dataclasses import dataclass, field

from tabad import tables
from tabad.api.shared import FilePath, as_model, same_place
from tabad.errors import UsageError
from tabad.key_file import key_path, new_key, open_to_others, read_key, write_key
from tabad.model import Model


@dataclass(frozen=True)
class Redacted:
    """The outcome of a redaction: both models, where the copy and its key are, and what the caller should hear."""

    before: Model
    model: Model
    output: str
    key_file: str
    key_made: bool
    notes: list[str] = field(default_factory=list)


def run_redact(model: FilePath, output: FilePath, key_file: FilePath) -> Redacted:
    """Write a redacted copy of a model file. The key file is made where there is none, and never changed."""
    source, out, key_at = os.fspath(model), os.fspath(output), key_path(key_file)
    tables.check_model_destination(out)
    if same_place(out, source):
        raise UsageError(
            f"{out} is the model itself, and what redaction takes out cannot be put back",
            name="redact-onto-itself",
            hint="write the copy elsewhere: --redact OUT",
        )
    tables.refuse_onto_data(out)
    if same_place(key_at, out) or same_place(key_at, source):
        raise UsageError(f"{key_at} is a model file, and the key belongs into a file of its own", name="key-unfit")
    made = not os.path.lexists(key_at)
    key = new_key() if made else read_key(key_at)
    before = as_model(source)
    redacted = before.redacted(key)
    # The key first: a copy whose key is lost is of no use.
    if made:
        write_key(key, key_at)
    redacted.save(out)
    notes = []
    if not made and open_to_others(key_at):
        notes.append(f"others can read {key_at}: chmod 600 {key_at}")
    return Redacted(before, redacted, out, key_at, made, notes)

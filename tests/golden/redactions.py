"""Refusals around key files and redacted models that need no student: cases of `test_messages`."""

from pathlib import Path

import pyarrow as pa
from tests.golden.cases import NUMBERS, Cases

import tabad
from tabad import _core, api
from tabad.key_file import new_key, read_key

REDACTIONS = Cases()


def fast() -> tabad.Model:
    return tabad.fit(NUMBERS, quality="fast", memory=32)


@REDACTIONS
def key_file_absent() -> object:
    return read_key("m.key")


@REDACTIONS
def key_file_is_a_folder() -> object:
    Path("m.key").mkdir()
    return read_key("m.key")


@REDACTIONS
def key_instead_of_its_path() -> object:
    return read_key("00112233445566778899aabbccddeeff")


@REDACTIONS
def key_of_nothing() -> object:
    return read_key(b"")


@REDACTIONS
def key_too_short() -> object:
    Path("m.key").write_text("0123456789abcdef0123\n")
    return read_key("m.key")


@REDACTIONS
def key_too_long() -> object:
    return read_key(bytes(range(256)))


@REDACTIONS
def key_is_a_password() -> object:
    return read_key(b"correct horse battery staple")


@REDACTIONS
def key_of_zeros() -> object:
    return read_key(b"0" * 64)


@REDACTIONS
def key_too_short_in_core() -> object:
    return _core.Model.from_bytes(fast().to_bytes()).redacted(b"short")


@REDACTIONS
def key_of_a_model_that_is_not_redacted() -> object:
    return fast().with_key(new_key())


@REDACTIONS
def key_without_a_model() -> object:
    return tabad.score(NUMBERS, key=new_key())


@REDACTIONS
def redact_a_model_of_few_rows() -> object:
    return fast().redacted(new_key())


@REDACTIONS
def redact_a_fast_model() -> object:
    return tabad.fit(pa.concat_tables([NUMBERS] * 20), quality="fast", memory=32).redacted(new_key())


@REDACTIONS
def redact_a_private_model() -> object:
    return fast().with_release("{}", b"").redacted(new_key())


@REDACTIONS
def redact_beside_a_key_that_is_a_link_to_nothing() -> object:
    fast().save("m.tabad")
    Path("m.key").symlink_to("nowhere")
    return api.run_redact("m.tabad", "redacted.tabad", "m.key")


@REDACTIONS
def redact_onto_itself() -> object:
    fast().save("m.tabad")
    return api.run_redact("m.tabad", "./m.tabad", "m.key")


@REDACTIONS
def key_into_the_model() -> object:
    fast().save("m.tabad")
    return api.run_redact("m.tabad", "redacted.tabad", "redacted.tabad")

"""`tabad inspect`: what a model file holds, and a redacted copy of it."""

from typing import Annotated

import typer

from tabad.cli import options as o


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file.", show_default=False)],
    redact: Annotated[
        str | None,
        typer.Option(
            "--redact",
            metavar="OUT",
            help="Write a copy to pass on: it scores like --scorer student, without kept rows, with values hashed "
            "under a key. Needs --key-file.",
        ),
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option(
            "--key-file", metavar="KEY", help="With --redact: the key, 32 hex digits or more; made where there is none."
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Show what a model expects of a table, how it was fitted, and what of the training data the file holds."""
    from tabad import api
    from tabad.cli import render, render_redacted
    from tabad.model import Model

    o.only_with("--redact", redact is not None, {"--key-file": key_file}, {})
    if redact is None:
        render.show_model(Model.load(model).inspect(), model, as_json=json)
        return
    outcome = api.run_redact(model, redact, o.needed(key_file, "--key-file"))
    render_redacted.show_redacted(outcome, model, as_json=json)

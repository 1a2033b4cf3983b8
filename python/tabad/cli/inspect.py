"""`tabad inspect`: what a model file holds."""

from typing import Annotated

import typer

from tabad.cli import options as o


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file.", show_default=False)],
    json: o.Json = False,
) -> None:
    """Show what a model expects of a table, how it was fitted, and what it keeps."""
    from tabad.cli import render
    from tabad.model import Model

    render.show_model(Model.load(model).inspect(), model, as_json=json)

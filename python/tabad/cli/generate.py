"""`tabad generate`: new rows like those a model was trained on."""

from typing import Annotated

import typer

from tabad.cli import options as o


def generate(
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="A model with a network.", show_default=False)
    ],
    n: Annotated[int, typer.Option("-n", metavar="N", min=0, help="How many rows.")] = 10,
    output: o.Output = None,
    output_format: o.OutputFormat = None,
    seed: o.Seed = None,
    device: o.Device = "auto",
    json: o.Json = False,
) -> None:
    """Generate rows. Without -o the first ten are shown."""
    from tabad import api
    from tabad.cli import render
    from tabad.config import DEVICES, one_of

    one_of(device, DEVICES, "device")
    rows = api.generate(model, n, seed=seed or 0, device=device, output=output, output_format=output_format)  # type: ignore[arg-type]
    render.show_generated(rows if output is None else None, n, output, as_json=json)

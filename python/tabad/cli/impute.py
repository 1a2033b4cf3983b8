"""`tabad impute`: missing cells filled from what the other cells of their row say."""

# ruff: noqa: A002  (`format` is what everyone calls it)
from typing import Annotated

import typer

from tabad.cli import options as o


def impute(
    table: o.Table,
    model: o.Network,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="OUT", help="Where to write the filled table; - is standard output."),
    ],
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="COL", help="Fill this column alone. Repeat.")
    ] = None,
    seed: o.Seed = None,
    device: o.Device = "auto",
    format: o.Format = None,
    output_format: o.OutputFormat = None,
    json: o.Json = False,
) -> None:
    """Fill missing cells: each is drawn from what the network expects given the present cells of its row."""
    from tabad import api
    from tabad.cli import render
    from tabad.cli.progress import for_terminal

    o.one_answer(json, output)
    bars = for_terminal(json)
    try:
        outcome = api.run_impute(
            table,
            model,
            columns=column or (),
            seed=seed or 0,
            device=device,  # type: ignore[arg-type]
            output=output,
            format=format,
            output_format=output_format,
            progress=bars,
        )
    finally:
        if bars is not None:
            bars.close()
    render.show_filled(outcome, output, as_json=json)

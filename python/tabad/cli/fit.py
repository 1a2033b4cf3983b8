"""`tabad fit`: learn what is normal from a table, and keep it in one file."""

# ruff: noqa: A002  (`format` is what everyone calls it)
from typing import Annotated

import typer

from tabad.cli import options as o


def fit(
    table: o.Table,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="MODEL", help="The model file to write, NAME.tabad.", show_default=False
        ),
    ],
    quality: Annotated[
        str, typer.Option("--quality", metavar="Q", help="fast (no torch), default or best (also train a network).")
    ] = "default",
    update: Annotated[
        str | None,
        typer.Option(
            "--update", metavar="MODEL", help="Bring these further rows to a model; its columns and network stay."
        ),
    ] = None,
    label: o.Label = None,
    normal: o.Normal = None,
    feedback: o.Feedback = None,
    given: o.Given = None,
    mechanism: o.Mechanism = None,
    kind: o.Kind = None,
    ignore: o.Ignore = None,
    memory: o.Memory = None,
    seed: o.Seed = None,
    device: o.Device = "auto",
    threads: o.Threads = 0,
    format: o.Format = None,
    json: o.Json = False,
) -> None:
    """Fit a model of a table: what its columns are, how they hang together, how odd its own rows are."""
    from tabad import api
    from tabad.cli import render
    from tabad.cli.progress import for_terminal
    from tabad.config import FitOptions
    from tabad.schema import parse_kinds

    options = FitOptions(
        kinds=parse_kinds(kind or ()), ignore=tuple(ignore or ()), label=label, normal=normal, feedback=feedback,
        given=tuple(given or ()), mechanism=mechanism or "combined",  # type: ignore[arg-type]
        quality=quality, memory=o.memory_rows(memory), seed=seed or 0,  # type: ignore[arg-type]
        device=device, threads=threads,  # type: ignore[arg-type]
    )  # fmt: skip
    bars = for_terminal(json)
    try:
        fitted = api.run_fit(table, options, update=update, output=output, format=format, progress=bars)
    finally:
        if bars is not None:
            bars.close()
    render.show_fit(fitted, table, output, as_json=json)
    if fitted.interrupted:
        raise typer.Exit(130)

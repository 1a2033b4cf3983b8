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
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Hold no rows out, for a model that generates: p-values are rank shares.")
    ] = False,
    private: Annotated[
        float | None,
        typer.Option("--private", metavar="EPS", help="A differentially private fit; needs tabad[private]."),
    ] = None,
    delta: Annotated[
        float | None, typer.Option("--delta", metavar="D", help="With --private: its delta (default 1e-6).")
    ] = None,
    public_bounds: Annotated[
        str | None,
        typer.Option("--public-bounds", metavar="FILE", help="With --private: bounds and vocabularies (JSON)."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", metavar="COL", help="Whose row it is: held out whole, protected whole (--private)."),
    ] = None,
    unit_rows: Annotated[
        int | None, typer.Option("--unit-rows", metavar="K", help="With --unit: rows of each that count (default 1).")
    ] = None,
    private_method: Annotated[
        str | None, typer.Option("--private-method", metavar="M", help="marginals (default) or dp-sgd.")
    ] = None,
    label: o.Label = None,
    normal: o.Normal = None,
    feedback: o.Feedback = None,
    given: o.Given = None,
    mechanism: o.Mechanism = None,
    kind: o.Kind = None,
    ignore: o.Ignore = None,
    memory: o.Memory = None,
    constraint: o.Constraints = None,
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
        constraints=tuple(constraint or ()), all_rows=all_rows, unit=unit if private is None else None,
        device=device, threads=threads,  # type: ignore[arg-type]
        private=o.private_options(private, delta, public_bounds, unit, unit_rows, private_method),
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

"""`tabad augment`: more rows of a rare class, where a classifier gains by them."""

# ruff: noqa: A002  (`format` is what everyone calls it)
from typing import Annotated

import typer

from tabad.cli import options as o


def augment(
    table: o.Table,
    label: Annotated[str, typer.Option("--label", metavar="COL", help="The column that holds the class.")],
    rare: Annotated[str, typer.Option("--rare", metavar="VALUE", help="The class to make more rows of.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="Where to write the table; - is standard output.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Add rows even where nothing is gained.")] = False,
    prefix: Annotated[str, typer.Option("--prefix", metavar="P", help="Start of the new column name.")] = "tabad_",
    kind: o.Kind = None,
    ignore: o.Ignore = None,
    seed: o.Seed = None,
    device: o.Device = "auto",
    format: o.Format = None,
    output_format: o.OutputFormat = None,
    json: o.Json = False,
) -> None:
    """Add generated rows of a rare class if a classifier gains by them, and say what that is worth.

    Folds that no step has seen compare them with nothing, class weights and SMOTE-NC. Without a gain the table is
    written as it was. Minutes for 10,000 rows.
    """
    from tabad import api
    from tabad.cli import report_synthesis
    from tabad.cli.progress import for_terminal
    from tabad.schema import parse_kinds

    o.one_answer(json, output)
    bars = for_terminal(json)
    try:
        outcome, _ = api.run_augment(
            table,
            label=label,
            rare=rare,
            force=force,
            prefix=prefix,
            kinds=parse_kinds(kind or ()),
            ignore=tuple(ignore or ()),
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
    report_synthesis.show_augmented(outcome, rare, output, as_json=json)

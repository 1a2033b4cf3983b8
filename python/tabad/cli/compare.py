"""`tabad compare`: how far a generated table is from a real one."""

# ruff: noqa: A002  (`format` is what everyone calls it)
from typing import Annotated

import typer

from tabad.cli import options as o


def compare(
    real: Annotated[str, typer.Argument(metavar="REAL", help="The real table.", show_default=False)],
    generated: Annotated[str, typer.Argument(metavar="GENERATED", help="The generated one.", show_default=False)],
    label: Annotated[
        str | None, typer.Option("--label", metavar="COL", help="Precision and recall by class of this column.")
    ] = None,
    kind: o.Kind = None,
    ignore: o.Ignore = None,
    seed: o.Seed = None,
    format: o.Format = None,
    json: o.Json = False,
) -> None:
    """Compare columns, pairs of columns and rows of two tables; two halves of REAL show what chance does."""
    from tabad import api
    from tabad.cli import report_synthesis
    from tabad.schema import parse_kinds

    found = api.compare(
        real,
        generated,
        label=label,
        kinds=parse_kinds(kind or ()),
        ignore=tuple(ignore or ()),
        seed=seed or 0,
        format=format,
    )
    report_synthesis.show_compared(found, real, generated, as_json=json)

"""`tabad audit`: does a synthetic table give its training rows away?"""

# ruff: noqa: A002  (`format` is what everyone calls it)
from typing import Annotated

import typer

from tabad.cli import options as o


def audit(
    synthetic: Annotated[
        str,
        typer.Argument(metavar="SYNTHETIC", help="The synthetic table, as any TABLE of tabad.", show_default=False),
    ],
    train: Annotated[
        str, typer.Option("--train", metavar="T", help="The rows the generator was trained on.", show_default=False)
    ],
    holdout: Annotated[
        str,
        typer.Option("--holdout", metavar="H", help="Rows of the same source it has never seen.", show_default=False),
    ],
    label: Annotated[
        str | None, typer.Option("--label", metavar="COL", help="The column that holds the class; needs --class.")
    ] = None,
    value: Annotated[
        str | None, typer.Option("--class", metavar="VALUE", help="Audit the rows of this class by themselves, too.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", metavar="COL", help="Whose row it is (a customer): look at one row of each."),
    ] = None,
    kind: o.Kind = None,
    ignore: o.Ignore = None,
    rows: o.AuditRows = 10_000,
    seed: o.Seed = None,
    threads: o.Threads = 0,
    format: o.Format = None,
    json: o.Json = False,
) -> None:
    """Attack a synthetic table: copies, membership, singling out, linkability, inference.

    Each attack is judged against held-out rows. Exit code 1 when one raises an alarm, or none has rows enough to tell.
    """
    from tabad import api
    from tabad.cli import render_audit
    from tabad.config import AuditOptions
    from tabad.schema import parse_kinds

    options = AuditOptions(label, value, parse_kinds(kind or ()), tuple(ignore or ()), rows, seed or 0, threads, unit)
    result = api.run_audit(synthetic, train, holdout, options, format=format)
    render_audit.show_audit(result, synthetic, as_json=json)
    api.refuse_alarms(result)

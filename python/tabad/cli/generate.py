"""`tabad generate`: new rows like those a model was trained on."""

from typing import Annotated

import typer

from tabad.cli import options as o


def generate(
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="A model with a network.", show_default=False)
    ],
    n: Annotated[int, typer.Option("-n", metavar="N", min=0, help="How many rows.")] = 10,
    label: Annotated[
        str | None, typer.Option("--class", metavar="VALUE", help="Rows of this class of the label column.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="COL=VALUE", help="Hold a column at a value. Repeat.")
    ] = None,
    guidance: Annotated[
        float, typer.Option("--guidance", metavar="W", min=0.0, help="How much to lean on --class; 1 is as trained.")
    ] = 1.0,
    audit: Annotated[
        bool, typer.Option("--audit", help="Write only what passes an audit; needs --train and --holdout.")
    ] = False,
    train: Annotated[
        str | None, typer.Option("--train", metavar="T", help="The rows the model was trained on.")
    ] = None,
    holdout: Annotated[
        str | None, typer.Option("--holdout", metavar="H", help="Rows of the same source it has never seen.")
    ] = None,
    redraw_copies: Annotated[
        bool, typer.Option("--redraw-copies", help="Draw exact copies of rows of --train again.")
    ] = False,
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
    from tabad.errors import UsageError

    one_of(device, DEVICES, "device")
    if (train or holdout) and not (audit or redraw_copies):
        raise UsageError(
            "--train and --holdout say what to check generated rows against, and no check is asked for",
            name="options-conflict",
            hint="add --audit or --redraw-copies",
        )
    if audit and not (train and holdout):
        raise UsageError(
            "--audit needs the rows that the model was trained on and rows that it has never seen",
            name="check-without-table",
            hint="give both: --train T --holdout H",
        )
    rows = api.generate(
        model,
        n,
        label=label,
        where=o.pairs(where, "--where"),
        guidance=guidance,
        seed=seed or 0,
        device=device,  # type: ignore[arg-type]
        train=train,
        holdout=holdout if audit else None,
        redraw_copies=redraw_copies,
        output=output,
        output_format=output_format,
    )
    render.show_generated(rows if output is None else None, n, output, as_json=json)

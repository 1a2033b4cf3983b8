"""`tabad generate`: new rows like those a model was trained on."""

from typing import Annotated, Any

import typer

from tabad.cli import options as o


def generate(
    model: o.Network,
    n: Annotated[int, typer.Option("-n", metavar="N", min=0, help="How many rows.")] = 10,
    label: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="VALUE",
            help="Rows of this class of the label column; default: of the normal one, or of all.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="COND", help="COL=VALUE holds a column; also 'COL > VALUE', >=, <, <=, !=. Repeat."
        ),
    ] = None,
    guidance: Annotated[
        float, typer.Option("--guidance", metavar="W", min=0.0, help="How much to lean on --class; 1 is as trained.")
    ] = 1.0,
    constraint: o.Constraints = None,
    no_constraints: Annotated[
        bool, typer.Option("--no-constraints", help="Rows as they are drawn, whatever the model's constraints say.")
    ] = False,
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
    redraw_near: Annotated[
        str | None,
        typer.Option(
            "--redraw-near", metavar="P", help="And rows nearer to one of them than a share P of them to each other."
        ),
    ] = None,
    anomalies: Annotated[
        bool, typer.Option("--anomalies", help="Usual rows of --from with cells moved, and the truth beside them.")
    ] = False,
    table: Annotated[
        str | None, typer.Option("--from", metavar="TABLE", help="With --anomalies: where the rows are taken from.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="K|COL", help="With --anomalies: how many columns to move, or which."),
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="P", help="With --anomalies: start of the two new column names.")
    ] = "tabad_",
    output: o.Output = None,
    output_format: o.OutputFormat = None,
    seed: o.Seed = None,
    device: o.Device = "auto",
    json: o.Json = False,
) -> None:
    """Generate rows, or anomalies made of a table's rows. Without -o the first ten are shown."""
    from tabad import api
    from tabad.cli import render
    from tabad.config import DEVICES, one_of
    from tabad.errors import UsageError

    one_of(device, DEVICES, "device")
    o.one_answer(json, output)
    near = o.share(redraw_near, "--redraw-near") or 0.0
    if (train or holdout) and not (audit or redraw_copies or near):
        raise UsageError(
            "--train and --holdout say what to check generated rows against, and no check is asked for",
            name="options-conflict",
            hint="add --audit, --redraw-copies or --redraw-near",
        )
    if audit and not (train and holdout):
        raise UsageError(
            "--audit needs the rows that the model was trained on and rows that it has never seen",
            name="check-without-table",
            hint="give both: --train T --holdout H",
        )
    options: dict[str, Any] = {"seed": seed or 0, "device": device, "output": output, "output_format": output_format}
    o.only_with(
        "--anomalies",
        anomalies,
        {"--from": table, "--columns": columns, "--prefix": prefix != "tabad_"},
        {
            "--class": label,
            "--where": where,
            "--constraint": constraint,
            "--no-constraints": no_constraints,
            "--train": train,
            "--holdout": holdout,
            "--audit": audit,
            "--redraw-copies": redraw_copies,
            "--redraw-near": near,
            "--guidance": guidance != 1.0,
        },
    )
    if no_constraints and constraint:
        raise UsageError("--constraint and --no-constraints exclude each other", name="options-conflict")
    if anomalies:
        rows = api.anomalies(o.needed(table, "--from"), model, n, columns=o.how_many(columns), prefix=prefix, **options)
    else:
        checks: dict[str, Any] = {
            "train": train, "holdout": holdout if audit else None, "redraw_copies": redraw_copies, "redraw_near": near
        }  # fmt: skip
        rules = None if no_constraints else constraint or ()
        rows = api.generate(
            model, n, label=label, where=where, guidance=guidance, constraints=rules, **checks, **options
        )
    render.show_generated(rows if output is None else None, n, output, as_json=json)

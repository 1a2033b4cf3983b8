"""`tabad demo`: the main job on a table whose frauds and errors are known."""

from typing import Annotated

import typer


def demo(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Where to write the table, the scores and the model.")
    ] = "tabad-demo",
    rows: Annotated[int, typer.Option("--rows", min=1000, help="How many payments.")] = 20_000,
) -> None:
    """Write a payments table with planted frauds and errors, screen it, and say how well they were found."""
    import os
    import shlex

    from tabad import demo, tables
    from tabad.cli import render
    from tabad.cli.run import run
    from tabad.errors import WriteError

    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make the folder {folder}: {error.strerror}") from error
    table, scored, model = (
        os.path.join(folder, name) for name in ("payments.parquet", "scored.parquet", "payments.tabad")
    )
    tables.write(demo.payments(rows).to_reader(), table)
    render.say(f"wrote {table}: {rows:,} payments")
    render.say("what was planted stands in `is_fraud` and `error_kind`, which tabad does not look at", "")
    command = ["score", table, "--label", "is_fraud", "--ignore", "error_kind", "-o", scored, "--save-model", model]
    print(f"$ tabad {shlex.join(command)}", flush=True)
    code = run(command)
    if code:
        raise typer.Exit(code)
    found = tables.open_table(scored).open(columns=["error_kind", "tabad_score", "tabad_flag"]).read_all()
    print("\nhow well that was:")
    for line in demo.report(*(found[name].to_pylist() for name in ("error_kind", "tabad_score", "tabad_flag"))):
        print(f"  {line}")
    print(f"\nnext:\n  $ tabad inspect {shlex.quote(model)}")
    print(f"  $ tabad score NEW.parquet -m {shlex.quote(model)} -o new_scored.parquet")

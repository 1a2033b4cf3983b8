"""`tabad demo`: the main job on a table whose frauds and errors are known."""

from typing import Annotated

import typer


def demo(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Where to write the table, the scores and the model.")
    ] = "tabad-demo",
    rows: Annotated[int, typer.Option("--rows", min=1000, help="How many payments.")] = 20_000,
) -> None:
    """Write payments with planted frauds and errors, fit on the older, score the newer, and say how well that went."""
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
    history, new, scored, model = (
        os.path.join(folder, name)
        for name in ("payments-old.parquet", "payments-new.parquet", "scored.parquet", "payments.tabad")
    )
    table = demo.payments(rows)
    fitted = rows * 2 // 3
    tables.write(table.slice(0, fitted).to_reader(), history)
    tables.write(table.slice(fitted).to_reader(), new)
    render.say(f"wrote {history}: {fitted:,} payments, and {new}: the {rows - fitted:,} after them")
    render.say("what was planted in both stands in `is_fraud` and `error_kind`, which tabad does not look at")
    hidden = ["--label", "is_fraud", "--ignore", "error_kind"]
    for command in (
        ["fit", history, *hidden, "--quality", "fast", "-o", model],
        ["score", new, "-m", model, "--level", "0.01", "-o", scored],
    ):
        print(f"\n$ tabad {shlex.join(command)}", flush=True)
        code = run(command)
        if code:
            raise typer.Exit(code)
    found = tables.open_table(scored).open(columns=["error_kind", "tabad_score", "tabad_flag"]).read_all()
    print("\nhow well that was:")
    for line in demo.report(*(found[name].to_pylist() for name in ("error_kind", "tabad_score", "tabad_flag"))):
        print(f"  {line}")
    print("\nnext:")
    for words in (["inspect", model], ["score", new], ["score", "YOUR_TABLE.parquet"]):
        print(f"  $ tabad {shlex.join(words)}")

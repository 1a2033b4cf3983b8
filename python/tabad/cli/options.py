"""Options that several commands share, each defined once."""

from typing import Annotated

import typer

from tabad.errors import UsageError

Table = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="Path, glob, folder, or - for standard input: parquet, CSV, JSON lines or Arrow IPC.",
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="F", help="Format of TABLE where its name does not say: parquet, csv, jsonl, arrow."
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="OUT", help="Where to write; - is standard output. The ending says the format."
    ),
]
OutputFormat = Annotated[
    str | None,
    typer.Option("--output-format", metavar="F", help="Format of OUT where its name does not say; csv for -."),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COL=KIND",
        help="What a column is: number, category, boolean, datetime, text, key, id. Repeat.",
    ),
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="COL", help="Leave this column out. Repeat.")]
Label = Annotated[
    str | None, typer.Option("--label", metavar="COL", help="The column that holds the answer; never modelled.")
]
Normal = Annotated[
    str | None,
    typer.Option("--normal", metavar="VALUE", help="Rows with this label say what is normal; needs --label."),
]
Feedback = Annotated[
    str | None,
    typer.Option(
        "--feedback",
        metavar="COL",
        help="A column that says of few rows what they are: anomaly or normal (true, false, 1, 0); empty elsewhere.",
    ),
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="ROWS|none", help="Rows that the model keeps (default 2048).")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of every random draw (default 0).")]
Device = Annotated[
    str, typer.Option("--device", metavar="D", help="Where the network is trained and run: auto, cpu, cuda.")
]
AuditRows = Annotated[
    int, typer.Option("--rows", metavar="N", min=20, help="Rows of each table that the attacks look at.")
]
Threads = Annotated[int, typer.Option("--threads", metavar="N", min=0, help="Threads; 0 for all cores.")]
Json = Annotated[bool, typer.Option("--json", help="Answer, and errors too, as JSON on standard output.")]


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """`COL=VALUE` texts as a mapping; the first `=` parts them."""
    found = {}
    for text in texts or ():
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise UsageError(
                f"`{option} {text}` is not COL=VALUE", name="option-pair", hint=f"for example {option} country=FR"
            )
        found[column] = value
    return found


def memory_rows(text: str | None) -> int:
    """`--memory` as a number of rows; `none` is 0."""
    if text is None:
        return 2048
    if text.lower() == "none":
        return 0
    try:
        return int(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise UsageError(
            f"`--memory {text}` is neither a number of rows nor none",
            name="option-range",
            hint="for example --memory 2048",
        ) from None


def share(text: str | None, option: str) -> float | None:
    """A share such as 0.01 or 1%."""
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(
            f"`{option} {text}` is not a share", name="option-range", hint=f"for example {option} 0.01 or 1%"
        )
    return value

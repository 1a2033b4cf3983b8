"""Options that several commands share, each defined once."""

from typing import TYPE_CHECKING, Annotated

import typer

from tabad.errors import UsageError

if TYPE_CHECKING:
    from tabad.config import PrivateOptions

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
Network = Annotated[
    str, typer.Option("--model", "-m", metavar="MODEL", help="A model with a network.", show_default=False)
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
Given = Annotated[
    list[str] | None,
    typer.Option("--given", metavar="COL", help="Context: judge each row given this column, never for it. Repeat."),
]
Mechanism = Annotated[
    str | None,
    typer.Option(
        "--mechanism",
        metavar="NAME",
        help="What the score is made of: combined (default), density, score-function, reconstruction, conditional, "
        "diffusion-time.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="ROWS|none",
        help="Rows that the model keeps (default 2048; 8192 with --normal, unless fast).",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of every random draw (default 0).")]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="D", help="Where the network is trained and run: auto, cpu, cuda (which scores there too)."
    ),
]
Constraints = Annotated[
    list[str] | None,
    typer.Option(
        "--constraint",
        metavar="RULE",
        help="What rows obey: 'start <= end', 'total = net + tax', 'net = quantity * price', 'zip -> city'. Repeat.",
    ),
]
AuditRows = Annotated[
    int, typer.Option("--rows", metavar="N", min=20, help="Rows of each table that the attacks look at.")
]
KeyFile = Annotated[str | None, typer.Option("--key-file", metavar="KEY", help="The key file of a redacted model.")]
Threads = Annotated[int, typer.Option("--threads", metavar="N", min=0, help="Threads; 0 for all cores.")]
Json = Annotated[bool, typer.Option("--json", help="Answer, and errors too, as JSON on standard output.")]


def only_with(switch: str, on: bool, its: dict[str, object], others: dict[str, object]) -> None:
    """Raise `UsageError` for options of a switch that is off, and for options that do not go with one that is on."""
    wrong = [name for name, value in (others if on else its).items() if value]
    if wrong:
        does = "do not go with" if on else "need"
        raise UsageError(f"{' and '.join(wrong)} {does} {switch}", name="options-conflict")


def needed(text: str | None, option: str) -> str:
    """The value of an option that this call cannot do without."""
    if text is None:
        raise UsageError(f"{option} is missing", name="option-missing")
    return text


def how_many(texts: list[str] | None) -> list[str] | int:
    """`--columns 2` as a number of columns, `--columns a --columns b` as their names."""
    return int(texts[0]) if texts and len(texts) == 1 and texts[0].isdecimal() else texts or 1


def one_answer(json: bool, output: str | None) -> None:
    """Raise `UsageError` where both the JSON and the table would go to standard output."""
    if json and output == "-":
        raise UsageError(
            "--json and -o - both write to standard output", name="options-conflict", hint="write to a file"
        )


def private_options(
    epsilon: float | None,
    delta: float | None,
    bounds: str | None,
    unit: str | None,
    rows: int | None,
    method: str | None,
) -> "PrivateOptions | None":
    """What `--private` and its companions say; None without it."""
    from tabad.config import PrivateOptions

    its: dict[str, object] = {
        "--delta": delta,
        "--public-bounds": bounds,
        "--unit-rows": rows,
        "--private-method": method,
    }
    only_with("--private", epsilon is not None, its, {})
    if epsilon is None:
        return None
    given = {"delta": delta, "bounds": bounds, "unit": unit, "unit_rows": rows, "method": method}
    said = {name: value for name, value in given.items() if value is not None}
    return PrivateOptions(epsilon=epsilon, **said)  # type: ignore[arg-type]


def memory_rows(text: str | None) -> int | None:
    """`--memory` as a number of rows; `none` is 0."""
    if text is None:
        return None
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

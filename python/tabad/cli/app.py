"""The Typer app: the commands by name. A command's module imports nothing heavy before it runs."""

from typing import Annotated

import typer

from tabad import __version__
from tabad.cli import audit, augment, compare, demo, fit, generate, impute, inspect, score

app = typer.Typer(
    name="tabad",
    help="Screens tables: which rows and cells are odd, how odd, and why.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tabad {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Screens tables: which rows and cells are odd, how odd, and why."""


app.command("score")(score.score)
app.command("fit")(fit.fit)
app.command("generate")(generate.generate)
app.command("audit")(audit.audit)
app.command("impute")(impute.impute)
app.command("augment")(augment.augment)
app.command("compare")(compare.compare)
app.command("inspect")(inspect.inspect)
app.command("demo")(demo.demo)

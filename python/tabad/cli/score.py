"""`tabad score`: which rows of a table are odd, and why."""

# ruff: noqa: A002  (`format` is what everyone calls it)
from typing import Annotated, Any

import typer

from tabad.cli import options as o


def score(
    table: o.Table,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="A fitted model; without one the table is screened against itself."
        ),
    ] = None,
    output: o.Output = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            "--scorer", metavar="S", help="Who scores: teacher (all denoisers) or student (one pass). Needs a model."
        ),
    ] = None,
    key_file: o.KeyFile = None,
    save_model: Annotated[
        str | None, typer.Option("--save-model", metavar="M", help="Keep the model that screened the table.")
    ] = None,
    level: Annotated[
        float | None, typer.Option("--level", metavar="P", help="Flag rows with a p-value up to P.")
    ] = None,
    fdr: Annotated[
        float | None, typer.Option("--fdr", metavar="Q", help="Flag at this false discovery rate over the table.")
    ] = None,
    top: Annotated[int | None, typer.Option("--top", metavar="N", help="Flag the N oddest rows.")] = None,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift", help="Weigh p-values for the mix of rows that the table has. Needs a model; reads TABLE twice."
        ),
    ] = False,
    explain: Annotated[
        str, typer.Option("--explain", metavar="K", help="Give reasons for: flagged, all or none.")
    ] = "flagged",
    max_flagged: Annotated[
        str | None,
        typer.Option(
            "--max-flagged", metavar="SHARE", help="Leave with exit code 1 when more rows than this share are flagged."
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="P", help="Start of the four new column names.")
    ] = "tabad_",
    quality: Annotated[
        str | None, typer.Option("--quality", metavar="Q", help="Without a model: fast (default), default or best.")
    ] = None,
    kind: o.Kind = None,
    ignore: o.Ignore = None,
    label: o.Label = None,
    normal: o.Normal = None,
    feedback: o.Feedback = None,
    given: o.Given = None,
    mechanism: o.Mechanism = None,
    constraint: o.Constraints = None,
    memory: o.Memory = None,
    seed: o.Seed = None,
    device: o.Device = "auto",
    threads: o.Threads = 0,
    format: o.Format = None,
    output_format: o.OutputFormat = None,
    json: o.Json = False,
) -> None:
    """Score every row: adds score, p-value, flag and reasons, and shows the oddest rows.

    Without -o nothing is written: the summary alone.
    """
    from tabad import api
    from tabad.cli import render
    from tabad.cli.progress import for_terminal
    from tabad.config import SCORERS, Decision, FitOptions, ScoreOptions, one_of
    from tabad.errors import Refused, UsageError
    from tabad.schema import parse_kinds

    o.one_answer(json, output)
    if output_format is not None and output is None:
        raise UsageError("--output-format needs -o: nothing is written without", name="options-conflict")
    if scorer is not None:
        one_of(scorer, SCORERS, "scorer")
    most = o.share(max_flagged, "--max-flagged")
    if model is not None:
        fitting: dict[str, Any] = {
            "--quality": quality, "--kind": kind, "--ignore": ignore, "--label": label, "--normal": normal,
            "--feedback": feedback, "--given": given, "--mechanism": mechanism,
            "--constraint": constraint, "--memory": memory, "--seed": seed, "--save-model": save_model,
        }  # fmt: skip
        api.refuse_fit_options([name for name, value in fitting.items() if value])
    fit_options = FitOptions(
        kinds=parse_kinds(kind or ()), ignore=tuple(ignore or ()), label=label, normal=normal, feedback=feedback,
        given=tuple(given or ()), mechanism=mechanism or "combined",  # type: ignore[arg-type]
        constraints=tuple(constraint or ()), quality=quality or "fast",  # type: ignore[arg-type]
        memory=o.memory_rows(memory), seed=seed or 0, device=device, threads=threads,  # type: ignore[arg-type]
    )  # fmt: skip
    decision = Decision(level, fdr, top)
    score_options = ScoreOptions(decision, explain, prefix=prefix, threads=threads, drift=drift)  # type: ignore[arg-type]
    bars = for_terminal(json)
    try:
        outcome = api.run_score(
            table,
            model,
            fit_options=fit_options,
            options=score_options,
            output=output,
            format=format,
            output_format=output_format,
            save_model=save_model,
            scorer=scorer,  # type: ignore[arg-type]
            key=key_file,
            answer=False,
            progress=bars,
        )
    finally:
        if bars is not None:
            bars.close()
    places = render.Places(table, model, output, save_model)
    render.show_score(outcome, places, as_json=json)
    rows, flagged = outcome.summary["rows"], outcome.summary["flagged"]
    if most is not None and flagged > most * rows:
        raise Refused(
            f"{flagged:,} of {rows:,} rows are flagged ({flagged / rows:.2%}), more than the {most:.2%} allowed",
            name="max-flagged",
        )
    if outcome.fitted is not None and outcome.fitted.interrupted:
        raise typer.Exit(130)

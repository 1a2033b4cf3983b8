"""What a person reads, and a program with `--json`, of `tabad augment` and `tabad compare`."""

from typing import TYPE_CHECKING, Any

from tabad.cli.render import as_document, say

if TYPE_CHECKING:
    from tabad.synthesis.augment import Outcome
    from tabad.synthesis.compare import Comparison, Figures

_WORST = 5


def show_augmented(outcome: "Outcome", rare: str, output: str, *, as_json: bool) -> None:
    """What was added and what it is worth."""
    if as_json:
        as_document(
            {
                "rows": outcome.rows.num_rows, "rare": outcome.rare, "added": outcome.added, "gain": outcome.gain,
                "rounds": outcome.rounds, "fold_rounds": outcome.fold_rounds, "average_precision": outcome.precision,
                "balanced_average_precision": outcome.balanced,
                "uplift": {arm: dict(zip(("mean", "low", "high"), value, strict=True))
                           for arm, value in outcome.uplift.items()},
                "output": output, "warnings": outcome.notes, "seconds": outcome.seconds,
            }
        )  # fmt: skip
        return
    own = outcome.rows.num_rows - outcome.added
    say(f"{own:,} rows, {outcome.rare:,} of them `{rare}` · {outcome.seconds:.0f} s")
    say(f"average precision on {len(outcome.fold_rounds)} folds that no step has seen, gradient boosting")
    say("(in brackets as if both classes were equally common: the loop goes by that, where the other does not lose)")
    for arm, value in outcome.precision.items():
        against = outcome.uplift.get(arm)
        words = "" if against is None else "   augment {:+.3f} (95 % interval {:+.3f} to {:+.3f})".format(*against)
        say(f"  {arm:<14} {value:.3f} ({outcome.balanced[arm]:.3f}){words}")
    say(f"  rounds that paid: {', '.join(map(str, outcome.fold_rounds))} in the folds, {outcome.rounds} in the table")
    for note in outcome.notes:
        say(f"note: {note}")
    if outcome.gain:
        sure = outcome.uplift["nothing"][1] > 0
        words = "a gain" if sure else "a gain, in average precision within what chance does to these folds"
        say(f"{words}: {outcome.added:,} rows were added")
    else:
        say(
            "no gain"
            + (f": {outcome.added:,} rows were added all the same" if outcome.added else ": nothing was added")
        )
    if output != "-":
        say(f"wrote {output}")


def show_compared(found: "Comparison", real: str, generated: str, *, as_json: bool) -> None:
    """The figures as a table on stdout: they are the answer."""
    made, halves = found.generated, found.halves
    if as_json:
        facts = {"generated": _document(made), "real_halves": _document(halves)}
        as_document({"real": real, "generated_table": generated, "rows": found.rows, **facts})
        return
    print(f"{'':<34} {'generated':>10} {'two halves of the real':>24}")
    lines = [
        ("column shapes, mean (1 is equal)", made.shape, halves.shape),
        ("pair trends, mean (1 is equal)", made.trend, halves.trend),
        ("C2ST, AUROC (0.5 is equal)", made.c2st, halves.c2st),
    ]
    for value, (precision, recall) in made.manifold.items():
        chance = halves.manifold.get(value, (float("nan"),) * 2)
        lines += [
            (f"manifold precision, {value}", precision, chance[0]),
            (f"manifold recall, {value}", recall, chance[1]),
        ]
    for name, ours, theirs in lines:
        print(f"{name:<34} {ours:>10.3f} {theirs:>24.3f}")
    print("\ncolumns furthest off: " + _worst(made.shapes))
    if made.trends:
        print("pairs furthest off: " + _worst({f"{one} x {two}": value for (one, two), value in made.trends.items()}))


def _worst(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(values.items(), key=lambda pair: pair[1])[:_WORST])


def _document(figures: "Figures") -> dict[str, Any]:
    return {
        "shape": figures.shape, "trend": figures.trend, "c2st": figures.c2st, "shapes": figures.shapes,
        "trends": [{"columns": pair, "trend": value} for pair, value in figures.trends.items()],
        "manifold": {value: {"precision": p, "recall": r} for value, (p, r) in figures.manifold.items()},
    }  # fmt: skip

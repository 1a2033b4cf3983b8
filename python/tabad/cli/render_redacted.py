"""What `tabad inspect --redact` says: what was taken out of a model, and what is left."""

from typing import TYPE_CHECKING, Any

from tabad.cli.render import as_document, say
from tabad.cli.render_holds import Line, holds_lines, print_lines

if TYPE_CHECKING:
    from tabad.api import Redacted


def _taken(before: dict[str, Any], after: dict[str, Any]) -> list[Line]:
    """What was in the model and is not in its redacted copy."""
    parts = [
        (before["kept_rows"], "kept rows"),
        (_sum(before, "kept"), "values to generate from"),
        (_sum(before, "numbers"), "numbers that are all that occur"),
        (_sum(before, "shared"), "numbers that many rows share"),
        (before["label_values"], "label values"),
        (before["constraint_pairs"], "pairs of values that constraints are about"),
        (before["calibration_scores"] - after["calibration_scores"], "scores and the energies of the teacher"),
    ]
    said = " · ".join(f"{count:,} {words}" for count, words in parts if count)
    columns = sum(1 for one in after["columns"] if one["hashed"])
    lines = [("taken out", said), ("hashed", f"{_sum(after, 'hashed'):,} values of {columns:,} columns")]
    return lines if columns else lines[:1]


def _sum(holds: dict[str, Any], key: str) -> int:
    return sum(one[key] for one in holds["columns"])


def show_redacted(outcome: "Redacted", path: str, *, as_json: bool) -> None:
    """What was taken out of a model and what is left; on stdout, it is the answer."""
    before, facts = outcome.before.manifest["holds"], outcome.model.inspect()
    if as_json:
        as_document(
            {
                "path": path, "output": outcome.output, "key_file": outcome.key_file, "key_made": outcome.key_made,
                "held": before, "warnings": outcome.notes, "model": facts,
            }
        )  # fmt: skip
        return
    print(f"{outcome.output}   {facts['bytes'] / 1e6:.1f} MB · redacted copy of {path}")
    print_lines(_taken(before, facts["holds"]), indent=2)
    print("  left, for whoever has the file:")
    print_lines([line for line in holds_lines(facts) if line[0] != "hashed"])
    for note in outcome.notes:
        say(f"warning: {note}")
    made = "made a new key, readable by you alone" if outcome.key_made else "with the key"
    say(
        f"wrote {outcome.output} · {made}: {outcome.key_file}",
        "keep the key apart from the copy: without it nothing can be scored, with it values can be tried one by one",
        f"score with it: tabad score TABLE -m {outcome.output} --key-file {outcome.key_file}",
    )

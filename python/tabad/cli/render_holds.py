"""What of the training data a model file holds, in words: for `tabad inspect`, and after a redaction."""

import textwrap
from typing import Any

Line = tuple[str, str]


def _columns(holds: dict[str, Any], key: str, wanted: Any = None) -> str:
    """`country 3, channel 12`: the columns that hold some of these; with `wanted` their names alone."""
    if wanted is None:
        return ", ".join(f"{one['column']} {one[key]:,}" for one in holds["columns"] if one[key])
    return ", ".join(one["column"] for one in holds["columns"] if one[key] == wanted)


def holds_lines(facts: dict[str, Any]) -> list[Line]:
    """Pairs of a word and what it says, of a model that is not private; nothing of what the file does not hold."""
    holds = facts["holds"]
    scores = f"{holds['calibration_scores']:,} of calibration rows: whoever knows a whole row can look for its score"
    hashed = "under a keyed hash, which hides what they are and not how common they are"
    told = holds["kept_rows"] or holds["network"] or holds["student"]
    between = ", and quantiles in between" if told else ""
    lines = [
        ("rows", holds["kept_rows"] and f"{holds['kept_rows']:,} rows of the table, readable"),
        ("labelled", holds["labelled_rows"] and f"{holds['labelled_rows']:,} rows of the feedback, readable"),
        ("values", _said("readable", _columns(holds, "values"))),
        ("hashed", _said(hashed, _columns(holds, "hashed"))),
        ("generates", _said("readable values that generated rows take", _columns(holds, "kept"))),
        ("numbers", _said("all that occur, readable", _columns(holds, "numbers"))),
        ("shared", _said("that many rows have, readable, to generate them", _columns(holds, "shared"))),
        ("ranges", _said(f"the smallest and the largest{between}", _columns(holds, "range", True))),
        ("bounds", _said("beyond which a number is odd by itself, readable", _columns(holds, "bounds", True))),
        ("unseen", _said("that no row has a null there, or none a further value", _columns(holds, "unseen", True))),
        ("counts", _said("how common a value is, for whoever can name it", _columns(holds, "counts", "readable"))),
        ("counts", _said("how common a value is, for whoever has the key", _columns(holds, "counts", "veiled"))),
        ("label", holds["label_values"] and f"{holds['label_values']:,} values and how common each is, readable"),
        ("obeys", holds["constraint_pairs"] and f"{holds['constraint_pairs']:,} pairs of values, readable"),
        ("together", holds["dependency_pairs"] and f"{holds['dependency_pairs']:,} pairs of values, by their codes"),
        ("slips", holds["slips"] and f"{holds['slips']:,} misspelt values and forms, and what was meant, readable"),
        ("scores", scores),
        ("groups", holds["groups"] and f"{holds['groups']:,} common combinations of context values, by their codes"),
        ("strata", holds["strata"] and f"where rows part into {holds['strata']} strata, of 25 rows or more each"),
        ("energies", holds["energies"] and "quantiles of how odd each column is in reference rows"),
        ("learned", _learned(holds)),
    ]
    return [(word, line) for word, line in lines if line]


def _said(words: str, columns: str) -> str:
    return f"{words}: {columns}" if columns else ""


def _learned(holds: dict[str, Any]) -> str:
    nets = [word for word in ("network", "student") if holds[word]]
    return f"{' and '.join(nets)}: weights, from which single rows may be guessed at" if nets else ""


def print_lines(lines: list[Line], indent: int = 4) -> None:
    """Aligned, on stdout."""
    last = None
    for word, text in lines:
        shown = "" if word == last else word
        wrapped = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
        for at, line in enumerate(wrapped):
            print(f"{'':{indent}}{shown if not at else '':<12}{line}")
        last = word

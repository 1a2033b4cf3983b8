"""What a person reads on stderr, and what a program reads on stdout with `--json`. Plain text, aligned."""

import json
import os
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabad.cli.render_holds import holds_lines, print_lines
from tabad.cli.render_private import private_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabad.api import Imputed, Scored
    from tabad.fitting import Fitted

JSON_VERSION = 1
_NAMED = {"key", "id", "ignored", "label"}
_PLURALS = {"number": "numbers", "category": "categories", "boolean": "booleans", "datetime": "datetimes",
            "text": "texts", "key": "keys", "id": "ids"}  # fmt: skip
_NOT_MODELLED = {"id": "not modelled", "ignored": "ignored", "label": "label"}
_SHOWN = 10
_SHOWN_UNFLAGGED = 3
_SHOWN_COLUMNS = 5


@dataclass(frozen=True)
class Places:
    """What a command was given and how long it took."""

    table: str
    model: str | None
    output: str | None
    saved: str | None


def say(*lines: str) -> None:
    """Words for a person, on stderr."""
    for line in lines:
        print(line, file=sys.stderr)


def as_document(content: dict[str, Any]) -> None:
    """The one JSON document of a command, on stdout."""
    document = {"tabad": JSON_VERSION, **content}
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        from tabad.tables.plain import finite

        text = json.dumps(finite(document), ensure_ascii=False, default=str)
    print(text)


def column_kinds(columns: list[dict[str, Any]]) -> str:
    """`4 numbers, 1 category, 2 keys (CUSTOMER_ID, TERMINAL_ID), 1 id (TX, not modelled)`."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(column["kind"], []).append(column["name"])
    order = [*_PLURALS, "ignored", "label"]
    parts = []
    for kind in sorted(groups, key=lambda kind: order.index(kind) if kind in order else len(order)):
        names = groups[kind]
        word = kind if len(names) == 1 else _PLURALS.get(kind, kind)
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        remarks = [shown] if kind in _NAMED else []
        if kind == "id":
            remarks.append(_NOT_MODELLED[kind])
        parts.append(f"{len(names)} {word}" + (f" ({', '.join(remarks)})" if remarks else ""))
    return ", ".join(parts)


def reasons_text(reasons: list[dict[str, Any]]) -> str:
    """`TX_AMOUNT 9812.00 (expected 12 to 85) · hour 03 (expected 08 to 21)`."""
    parts = []
    for reason in reasons:
        expected = f" (expected {reason['expected']})" if reason["expected"] else ""
        parts.append(f"{reason['column']} {_short(reason['seen'])}{expected}")
    return " · ".join(parts)


def _short(text: str | None) -> str:
    flat = "missing" if text is None else " ".join(text.split())
    if len(flat) <= 40:
        return flat
    _, mark, odd = flat.rpartition(" (")
    # What is odd of the cell is worth more than its end.
    whole = f"{mark}{odd}" if 0 < len(odd) < 24 else ""
    return f"{flat[: 39 - len(whole)]}…{whole}"


def show_score(outcome: "Scored", places: Places, *, as_json: bool) -> None:
    """The summary of a scoring."""
    facts = outcome.model.manifest
    labels = outcome.fitted.labels if outcome.fitted is not None else {}
    if as_json:
        columns = [{key: column[key] for key in ("name", "type", "kind")} for column in facts["columns"]]
        as_document(
            {
                "table": outcome.table.name, "model": places.model, "output": places.output,
                "saved_model": places.saved, **outcome.summary, "columns": columns,
                "kept_rows": facts["kept_rows"], "looks_like_label": labels, "warnings": outcome.notes,
            }
        )  # fmt: skip
        return
    rows = outcome.summary["rows"]
    if places.model is None:
        size = f"{rows:,} rows x {len(facts['columns'])} columns"
        say(f"{outcome.table.name}   {size} · no model given: the table is screened against itself")
        say(*_columns_lines(facts))
        say(f"  fit      {_kept(facts)} in {outcome.seconds[0]:.1f} s")
        say(*(f"  {word:<8} {line}" for word, line in _judged(facts)))
        say(*(f"  feedback {line}" for line in _guided(facts)))
        rules = _constraints(facts, lambda one: bool(one["broken"]) or one["given"])
        say(*(f"  {word:<8} {line}" for word, line in zip(["rules", *[""] * len(rules)], rules, strict=False)))
    else:
        say(f"{outcome.table.name}   {rows:,} rows · model {places.model}")
        say(f"  model    fitted on {facts['rows']:,} rows · {_calibrated(facts)}")
        say(*_drifted(outcome.summary))
    say(f"  score    {rows:,} rows in {outcome.seconds[1]:.1f} s")
    say(*_findings(outcome.summary))
    say(*_label_lines(labels))
    for note in outcome.notes:
        say(f"warning: {note}")
    say(_outcome_line(places))


def _drifted(summary: dict[str, Any]) -> list[str]:
    drift = summary["drift"]
    if drift is None:
        return []
    count = f"{drift['calibration_rows']:,} calibration rows count as {drift['effective_rows']:,.0f}"
    return [f"  drift    distance {drift['distance']:.2f} between the mixes of {drift['strata']} strata · {count}"]


def _columns_lines(facts: dict[str, Any]) -> list[str]:
    text = "  columns  " + column_kinds(facts["columns"])
    return textwrap.wrap(text, 110, subsequent_indent=" " * 11, break_long_words=False, break_on_hyphens=False)


def _label_lines(labels: dict[str, str]) -> list[str]:
    return [
        f"note: column `{name}` looks like a label ({why}) and was taken as any other: --label {name} leaves it out"
        for name, why in labels.items()
    ]


def constraint_lines(facts: dict[str, Any]) -> list[str]:
    """What rows obey, some to a line, and how many do not."""
    return _constraints(facts, lambda _: True)


def _constraints(facts: dict[str, Any], which: "Callable[[dict[str, Any]], bool]") -> list[str]:
    from tabad.constraints import DETERMINES, Constraint

    known = [one for one in facts.get("constraints", ()) if which(one)]
    shown = []
    for one in known[:_SHOWN]:
        rule, exceptions = str(Constraint(one["rule"], tuple(one["columns"]))), ""
        if one["broken"]:
            judges = one["checked"] or one["rule"] == DETERMINES
            aside = "" if judges else ": too many for it to say anything"
            exceptions = f" (but {one['broken']:,} of {one['rows']:,} rows{aside})"
        elif one["given"]:
            exceptions = " (all rows)"
        shown.append(rule + exceptions)
    more = [f"{len(known) - _SHOWN} more"] if len(known) > _SHOWN else []
    return textwrap.wrap(" · ".join([*shown, *more]), 96, break_long_words=False, break_on_hyphens=False)


def _kept(facts: dict[str, Any]) -> str:
    network = " · network trained" if facts.get("network") else ""
    return f"{facts['kept_rows']:,} rows kept{network}"


def _guided(facts: dict[str, Any]) -> list[str]:
    guide = facts.get("guide")
    if not guide:
        return []
    anomalies, normals = guide["anomalies"], guide["normals"]
    lines = []
    if anomalies:
        known = f"{anomalies:,} known {'anomaly' if anomalies == 1 else 'anomalies'}"
        helps = (
            "guide the score" if guide["helps"] else "are not what is usual; they did not help to find others of them"
        )
        lines.append(f"{known} {helps}")
    if normals:
        lines.append(f"{normals:,} known normal {'row' if normals == 1 else 'rows'}: rows like them score lower")
    return lines


def _judged(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What the score is made of and what is given, where it is not the default: pairs of a word and what it says."""
    lines = []
    if facts["mechanism"] != "combined":
        lines.append(("score", f"{facts['mechanism']} alone"))
    given = [column["name"] for column in facts["columns"] if column.get("given")]
    if given:
        *own, rest = facts["groups"] or [0]
        sizes = f"{min(own):,} to {max(own):,}" if own and min(own) < max(own) else f"{own[0]:,}" if own else ""
        among = f"{len(own):,} groups of {sizes} calibration rows" if len(own) > 1 else f"1 group of {sizes}"
        grouped = f" · p-values within {among}, {rest:,} in the rest" if own else ""
        lines.append(("given", ", ".join(given) + grouped))
    return lines


def _calibrated(facts: dict[str, Any]) -> str:
    words = {"held-out": "held-out rows", "cross-fitted": "cross-fitted rows, approximate", "self": "its own rows"}
    apart = f", one of each `{facts['unit']}`" if facts.get("unit") else ""
    source = facts["calibration"]
    return f"calibrated on {facts['calibration_rows']:,} {words.get(source, source)}{apart}"


def _findings(summary: dict[str, Any]) -> list[str]:
    rows, flagged, oddest = summary["rows"], summary["flagged"], summary["oddest"]
    if rows == 0:
        return ["the table has no rows"]
    if flagged == 0:
        return [f"{_nothing(summary)}; the oddest rows, not flagged:", *_row_lines(oddest[:_SHOWN_UNFLAGGED])]
    shown = [odd for odd in oddest if odd["flag"]][:_SHOWN]
    colon = "the oddest:" if flagged > len(shown) else "here they are:" if flagged > 1 else "here it is:"
    whole = [] if flagged <= len(shown) else _first_reasons(summary["first_reasons"])
    return [f"{_some(summary)}; {colon}", *_row_lines(shown), *whole]


def _first_reasons(counts: list[dict[str, Any]]) -> list[str]:
    """`  first reasons   amount 412 rows, merchant 97, 4 other columns 12`."""
    if not counts:
        return []
    named, rest = counts[:_SHOWN_COLUMNS], counts[_SHOWN_COLUMNS:]
    parts = [f"{one['column']} {one['rows']:,}" for one in named]
    parts[0] += " row" if named[0]["rows"] == 1 else " rows"
    if rest:
        other = "1 other column" if len(rest) == 1 else f"{len(rest):,} other columns"
        parts.append(f"{other} {sum(one['rows'] for one in rest):,}")
    return [f"  first reasons   {', '.join(parts)}"]


def _nothing(summary: dict[str, Any]) -> str:
    if summary["fdr"] is not None:
        return f"no row is flagged at a false discovery rate of {summary['fdr']:g}"
    if summary["rule"] == "level":
        return f"no row has a p-value up to {summary['level']:g}"
    return "nothing stands out"


def _some(summary: dict[str, Any]) -> str:
    flagged = summary["flagged"]
    share = f"{flagged:,} {'row' if flagged == 1 else 'rows'}"
    if summary["fdr"] is not None:
        return f"{share} flagged at a false discovery rate of {summary['fdr']:g} (p-value up to {summary['level']:.3g})"
    if summary["top"] is not None:
        more = " (rows as odd as the last one included)" if flagged > summary["top"] else ""
        return f"{share} flagged, as asked{more}"
    if summary["rule"] == "level":
        expected = summary["level"] * summary["rows"]
        verb = "has" if flagged == 1 else "have"
        chance = f"about {expected:,.0f} are" if expected >= 1.5 else "at most one is"
        return f"{share} {verb} a p-value up to {summary['level']:.3g}, where {chance} expected by chance"
    return f"{share} {'stands' if flagged == 1 else 'stand'} out"


def _row_lines(oddest: list[dict[str, Any]]) -> list[str]:
    numbers = [f"{odd['row'] + 1:,}" for odd in oddest]
    scores = [f"{odd['score']:,.1f}" if abs(odd["score"]) >= 10 else f"{odd['score']:.2f}" for odd in oddest]
    wide, high = max(map(len, numbers), default=0), max(map(len, scores), default=0)
    return [
        f"  row {number:>{wide}}   score {score:>{high}}   {reasons_text(odd['reasons'])}".rstrip()
        for number, score, odd in zip(numbers, scores, oddest, strict=True)
    ]


def _outcome_line(places: Places) -> str:
    stem = os.path.splitext(os.path.basename(places.table.rstrip("/*")))[0] or "table"
    parts = []
    if places.output is None:
        parts.append("nothing was written: add -o scored.parquet")
    elif places.output != "-":
        parts.append(f"wrote {places.output}")
    if places.saved is not None:
        parts.append(f"kept the model: {places.saved}")
    elif places.model is None:
        parts.append(f"keep this model: --save-model {'stdin' if places.table == '-' else stem}.tabad")
    return " · ".join(parts)


def show_fit(fitted: "Fitted", table: str, output: str, *, as_json: bool) -> None:
    """What a fit found and kept."""
    facts = fitted.model.manifest
    if as_json:
        as_document(
            {
                "table": table,
                "output": output,
                "interrupted": fitted.interrupted,
                "looks_like_label": fitted.labels,
                "warnings": fitted.notes,
                "model": facts,
            }
        )
        return
    more = "" if fitted.rows is None else f" · {facts['rows']:,} with those before"
    rows = facts["rows"] if fitted.rows is None else fitted.rows
    say(f"{table}   {rows:,} rows x {len(facts['columns'])} columns{more}")
    say(*_columns_lines(facts))
    say(f"  fit      trained on {facts['training_rows']:,} rows · {_calibrated(facts)}")
    private = private_lines(facts)
    say(*(f"  {'private' if at == 0 else '':<9}{line}" for at, line in enumerate(private)))
    if facts["kept_rows"] and not private:
        say(
            f"  kept     {facts['kept_rows']:,} rows of the table are in the model, readable: pass it on only to",
            "           those who may see them (--memory none keeps none)",
        )
    say(*(f"  {word:<8} {line}" for word, line in _judged(facts)))
    say(*(f"  feedback {line}" for line in _guided(facts)))
    say(*(f"  {'obeys' if not at else '':8} {line}" for at, line in enumerate(constraint_lines(facts))))
    say(*_label_lines(fitted.labels), *(f"note: {note}" for note in fitted.notes))
    if fitted.interrupted:
        say("warning: training was interrupted: the model holds the best network so far")
    say(f"wrote {output} · score with it: tabad score TABLE -m {output}")


def _scorers(facts: dict[str, Any]) -> str:
    """`teacher, in use unless told otherwise; student (64 wide)`."""
    size = facts["student"] and f"student ({facts['student']['width']} wide)"
    names = ["teacher"] * facts["teacher"] + [size] * (size is not None)
    if len(names) == 1:
        return f"{names[0]} alone"
    used = names.pop(0 if facts["scorer"] == "teacher" else 1)
    return f"{used}, in use unless told otherwise; {names[0]}"


def show_model(facts: dict[str, Any], path: str, *, as_json: bool) -> None:
    """What a model file holds: on stdout, it is the answer."""
    if as_json:
        as_document({"path": path, "model": facts})
        return
    network = facts.get("network")
    print(f"{path}   {facts['bytes'] / 1e6:.1f} MB · format {facts['format']}")
    flags = "what stands out" if facts["calibration"] == "self" else f"p-values up to {facts['level_ppm'] / 1e6:g}"
    training, reference = facts["training_rows"], facts["reference_rows"]
    print(f"  fitted      {facts['rows']:,} rows: {training:,} to train, {reference:,} for reference")
    print(f"  calibrated  {_calibrated(facts).removeprefix('calibrated on ')} · flags {flags} unless told otherwise")
    private = private_lines(facts)
    if facts["redacted"]:
        print("  redacted    values are hashed under a key that is not in the file: --key-file KEY to score")
    does = "yes, for expected values" if facts["redacted"] else "yes: it can generate"
    print(f"  network     {does if network else 'none'}")
    for at, line in enumerate(constraint_lines(facts)):
        print(f"  {'obeys' if not at else '':11} {line}")
    for word, line in _judged(facts):
        print(f"  {word:<11} {line}")
    for at, line in enumerate(private):
        print(f"  {'private' if at == 0 else '':<12}{line}")
    for line in _guided(facts):
        print(f"  feedback    {line}; they are in the file, readable")
    if facts.get("label"):
        label = facts["label"]
        print(
            f"  label       {label['column']}"
            + (f", normal is {label['normal']}" if label["normal"] is not None else "")
        )
    print(f"  scorers     {_scorers(facts)}")
    if private:
        kept = f"{facts['kept_rows']:,} generated rows, none of the table"
        print(f"  holds       {kept}; all else in the file comes of the private release too")
    else:
        print("  holds of what it was fitted on, for whoever has the file:")
        print_lines(holds_lines(facts))
    print(f"  columns     {column_kinds(facts['columns'])}")
    rows = [(c["name"], c["kind"], str(c["type"]), c.get("summary", "")) for c in facts["columns"]]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print(
            "    "
            + "   ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        )


def show_generated(rows: Any, n: int, output: str | None, *, as_json: bool) -> None:
    """The first ten generated rows on stdout, or where they were written."""
    if as_json:
        shown = [] if rows is None else rows.slice(0, _SHOWN).to_pylist()
        as_document({"rows": n, "output": output, "shown": shown})
    elif output is not None:
        say(f"wrote {n:,} rows to {'standard output' if output == '-' else output}")
    else:
        print_table(rows.slice(0, _SHOWN))
        if n > _SHOWN:
            say(f"{n - _SHOWN:,} more rows were generated and not shown: add -o rows.parquet")


def show_filled(outcome: "Imputed", output: str, *, as_json: bool) -> None:
    """How many cells of which column were filled."""
    if as_json:
        as_document({"rows": outcome.rows, "output": output, "filled": outcome.filled, "warnings": outcome.notes})
        return
    cells, columns = sum(outcome.filled.values()), [name for name, count in outcome.filled.items() if count]
    shown = ", ".join(f"{name} {outcome.filled[name]:,}" for name in columns[:_SHOWN])
    more = f", and {len(columns) - _SHOWN} columns more" if len(columns) > _SHOWN else ""
    say(f"{outcome.rows:,} rows · {cells:,} cells filled" + (f": {shown}{more}" if columns else ""))
    for note in outcome.notes:
        say(f"note: {note}")
    if output != "-":
        say(f"wrote {output}")


def print_table(table: Any) -> None:
    """A small pyarrow Table as aligned text, cut at 24 characters a cell."""
    cells = [
        [name, *("" if value is None else str(value) for value in table.column(name).to_pylist())]
        for name in table.column_names
    ]
    cut = [[text if len(text) <= 24 else text[:23] + "…" for text in column] for column in cells]
    widths = [max(map(len, column)) for column in cut]
    for row in zip(*cut, strict=True):
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())

"""An audit for a person, a line an attack; for a program, one JSON document."""

from typing import TYPE_CHECKING

from tabad.cli.render import as_document, say

if TYPE_CHECKING:
    from tabad.privacy import Audit, Figure, Finding

# The figures that say most, per attack, with what the line calls them.
_TELLING = {
    "copies": (
        ("copies of training rows", "copies"),
        ("copies of training rows, holdout", "of held-out rows"),
        ("near copies", "near copies"),
        ("near copies, holdout", "of held-out rows"),
    ),
    "distances": (
        ("nearer to training than to held-out rows", "nearer to training than to held-out rows"),
        ("distance, 5 % point, training over holdout", "5 % point of the distances over that to held-out rows"),
    ),
    "membership": (
        ("AUC, nearest over real neighbours", "AUC"),
        ("TPR at 1% FPR, nearest over real neighbours", "TPR at 1 % FPR"),
        ("TPR at 10% FPR, nearest over real neighbours", "at 10 %"),
    ),
}
_ATTACK = (("risk", "risk"), ("success, main", "success"), ("success, control", "on held-out rows"))
_RATIOS = ("AUC", "5 %")


def show_audit(audit: "Audit", path: str, *, as_json: bool) -> None:
    """The verdicts, on stdout: they are the answer."""
    if as_json:
        as_document({"synthetic": path, **audit.to_dict()})
        return
    rows, used = audit.rows, audit.used
    print(f"{path}   {rows['synthetic']:,} rows, {rows['train']:,} training, {rows['holdout']:,} held out")
    if used != rows:
        print(f"  the attacks looked at {used['synthetic']:,}, {used['train']:,} and {used['holdout']:,} of them")
    if audit.left_out:
        print(f"  left out: {', '.join(audit.left_out)}")
    for group in dict.fromkeys(finding.group for finding in audit.findings):
        print(f"\n  {group}")
        found = [finding for finding in audit.findings if finding.group == group]
        wide, verdict = (max(map(len, words)) for words in zip(*((f.attack, f.verdict) for f in found), strict=True))
        for finding in found:
            print(f"    {finding.attack:<{wide}}  {finding.verdict:<{verdict}}  {_told(finding)}".rstrip())
    for note in audit.notes:
        say(f"warning: {note}")


def _told(finding: "Finding") -> str:
    figures = {figure.name: figure for figure in finding.figures}
    wanted = _TELLING.get(finding.attack, _ATTACK)
    parts = [f"{word} {_shown(figures[name], word)}" for name, word in wanted if name in figures]
    return " · ".join(parts)


def _shown(figure: "Figure", word: str) -> str:
    if figure.value is None:
        return "unknown"
    style = ".2f" if word.startswith(_RATIOS) else ".1%"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{style}}"
    return f"{figure.value:{style}} ({figure.low:{style}} to {figure.high:{style}})"

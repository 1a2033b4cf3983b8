"""Slow twin of `slips/`: rare texts that are one slip away from common ones, every text against every other."""

from collections import Counter
from collections.abc import Iterable

Slip = tuple[str, ...]


def slips(values: Iterable[str | None]) -> dict[str, str]:
    """Which texts are slips, and of what."""
    return _among(Counter(value for value in values if value is not None))


def forms(values: Iterable[str | None]) -> dict[str, str]:
    """Which forms are slips, and the commonest text of the form that was meant."""
    counts = Counter(value for value in values if value is not None)
    alike: dict[str, list[str]] = {}
    for value in counts:
        alike.setdefault(form(value), []).append(value)
    rows = Counter({one: sum(counts[value] for value in texts) for one, texts in alike.items()})
    known = slips(values)
    return {
        seen: min(alike[meant], key=lambda one: (-counts[one], one))
        for seen, meant in _among(rows).items()
        if len(alike[meant]) >= 50 and any(value not in known for value in alike[seen])
    }


def form(text: str) -> str:
    """Letters and digits by their class."""
    return "".join(_class(letter) if letter.isalnum() else letter for letter in text)


def _among(counts: Counter[str]) -> dict[str, str]:
    common = [value for value, count in counts.items() if count >= 10 and 4 <= len(value) <= 256]
    plain = [
        one for one in common if not any(slip(one, other) and counts[other] >= 20 * counts[one] for other in common)
    ]
    natural = {slip(one, other) for one in plain for other in plain} - {None}
    found = {}
    for value, count in counts.items():
        meant = [one for one in common if counts[one] >= 20 * count and slip(value, one) not in {None, *natural}]
        if meant:
            found[value] = min(meant, key=lambda one: (-counts[one], one))
    beside: Counter[str] = Counter()
    for value, meant_one in found.items():
        beside[meant_one] += counts[value] if counts[value] < 10 else 0
    found = {value: one for value, one in found.items() if counts[value] < 10 or beside[one] >= counts[value]}
    rare = sum(count < 10 or value in found for value, count in counts.items())
    return found if 20 * len(found) >= rare else {}


def slip(one: str, other: str) -> Slip | None:
    """A character left out, put in or replaced, or two neighbours swapped, by classes; no digit put in or replaced."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) == len(one) + 1:
        put = {_class(other[at]) for at in range(len(other)) if other[:at] + other[at + 1 :] == one} - {"9"}
        return ("put in", *put) if put else None
    if len(one) != len(other):
        return None
    differ = [at for at in range(len(one)) if one[at] != other[at]]
    if len(differ) == 1:
        return _of_two("replaced", one[differ[0]], other[differ[0]])
    if len(differ) == 2 and differ[1] == differ[0] + 1:
        a, b = differ
        return _of_two("swapped", one[a], one[b]) if one[a] == other[b] and one[b] == other[a] else None
    return None


def _of_two(what: str, one: str, other: str) -> Slip | None:
    classes = sorted((_class(one), _class(other)))
    return None if classes == ["9", "9"] else (what, *classes)


def _class(letter: str) -> str:
    if letter in "0123456789":
        return "9"
    if letter.isupper():
        return "A"
    return "a" if letter.isalnum() else " " if letter.isspace() else "."

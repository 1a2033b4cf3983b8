"""Slow twin of `slips.rs`: rare texts that are one slip away from common ones, every text against every other."""

from collections import Counter
from collections.abc import Iterable


def slips(values: Iterable[str | None]) -> dict[str, str]:
    """Which texts are slips, and of what."""
    counts = Counter(value for value in values if value is not None)
    common = [value for value, count in counts.items() if count >= 10 and 4 <= len(value) <= 256]
    if any(is_slip(one, other) for one in common for other in common):
        return {}
    found = {}
    for value, count in counts.items():
        meant = [one for one in common if counts[one] >= 20 * count and is_slip(value, one)]
        if count < 10 and meant:
            found[value] = min(meant, key=lambda one: (-counts[one], one))
    rare = sum(count < 10 for count in counts.values())
    return found if 20 * len(found) >= rare else {}


def is_slip(one: str, other: str) -> bool:
    """A character left out, put in or replaced, or two neighbours swapped; no digit for a digit, and none put in."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) == len(one) + 1:
        places = range(len(other))
        return any(other[:at] + other[at + 1 :] == one and not _is_digit(other[at]) for at in places)
    if len(one) != len(other):
        return False
    differ = [at for at in range(len(one)) if one[at] != other[at]]
    if len(differ) == 1:
        return not (_is_digit(one[differ[0]]) and _is_digit(other[differ[0]]))
    if len(differ) == 2 and differ[1] == differ[0] + 1:
        a, b = differ
        return one[a] == other[b] and one[b] == other[a] and not (_is_digit(one[a]) and _is_digit(one[b]))
    return False


def _is_digit(letter: str) -> bool:
    return letter in "0123456789"

"""Names of the column kinds, overrides of them, and columns that look like labels.

Kinds are inferred in Rust; here is only what a caller writes and what we point out by name.
"""

import re
from collections.abc import Iterable
from typing import Any

from tabad.errors import UsageError

KINDS = ("number", "category", "boolean", "datetime", "text", "key", "id")
"""What a column can be, in the order in which people are told about them."""

# A column with one of these words in its name says that it is an answer, not a measurement.
_ANSWER_WORDS = frozenset(
    ("label", "labels", "fraud", "fraudulent", "isfraud", "anomaly", "anomalous", "isanomaly", "outlier", "isoutlier")
)
# These say so only as the whole name: `class` does, `class_size` does not.
_ANSWER_NAMES = frozenset(
    ("class", "target", "y", "attack", "attack_type", "bad", "outcome", "default", "churn", "ground_truth")
)
# A number in a dress: money before or after it, per cent, marks of thousands, a decimal point or comma.
_MONEY = "(?:[$€£¥%]|EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|CAD|AUD|BRL)"
_DIGITS = r"(?:\d{1,3}(?:[.,'\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
_DRESSED = re.compile(rf"[-+(]?\s*{_MONEY}?\s*[-+]?{_DIGITS}\s*{_MONEY}?\)?")
_MARK = re.compile(rf"{_MONEY}|\d[,']\d|\.\d{{3}},")
_FIRST_VALUES, _LEAST_VALUES = 200, 20
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def parse_kinds(pairs: Iterable[str]) -> dict[str, str]:
    """`["zip=category"]` as `{"zip": "category"}`. Raises `UsageError` for a pair that is not `COL=KIND`."""
    kinds: dict[str, str] = {}
    for pair in pairs:
        column, equals, kind = pair.rpartition("=")
        if not (column and equals and kind in KINDS):
            raise UsageError(
                f"`--kind {pair}` is not COL=KIND with a kind of {', '.join(KINDS)}",
                name="kind-unknown",
                hint="for example --kind zip=category",
            )
        kinds[column] = kind
    return kinds


def looks_like_label(name: str) -> bool:
    """True when the name of a column says that it holds the answer: `Class`, `is_fraud`, `TX_FRAUD`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return "_".join(words) in _ANSWER_NAMES or not _ANSWER_WORDS.isdisjoint(words)


def spot_labels(head: Any, skip: Iterable[str] = (), *, told: bool = False) -> dict[str, str]:
    """Columns of a RecordBatch that look like a label, with what was seen: named so, or two values and one rare.

    Rare flags are ordinary, so those are told only where no name gives the label away and at most three look so, and
    not where the caller has `told` which column holds the answer.
    """
    left_out = set(skip)
    names = [name for name in head.schema.names if name not in left_out]
    found = {name: "its name says so" for name in names if looks_like_label(name)}
    if found or told:
        return found
    rare = {}
    for name in names:
        share = _rare_share(head.column(name))
        if share is not None:
            rare[name] = f"two values, one in {share:.1%} of the rows"
    return rare if len(rare) <= 3 else {}


def spot_numbers(head: Any, skip: Iterable[str] = ()) -> dict[str, str]:
    """Columns of text of a RecordBatch that hold numbers with signs of money or marks of thousands, with one each."""
    left_out = set(skip)
    found = {}
    for name in head.schema.names:
        column = head.column(name)
        if name in left_out or not str(column.type).startswith(("string", "large_string")):
            continue
        texts = [text for text in column.drop_null().slice(0, _FIRST_VALUES).to_pylist() if text.strip()]
        numbers = [text for text in texts if _DRESSED.fullmatch(text.strip())]
        dressed = [text for text in numbers if _MARK.search(text)]
        enough = len(numbers) >= 0.95 * len(texts) and len(dressed) >= 0.5 * len(texts)
        if len(texts) >= _LEAST_VALUES and enough:
            found[name] = dressed[0]
    return found


def _rare_share(column: Any) -> float | None:
    """The share of the rarer of two values, where it is below 10 %; else None."""
    kind = str(column.type)
    if not kind.startswith(("int", "uint", "bool", "string", "large_string", "dictionary")) or len(column) < 200:
        return None
    counts = (
        [int(str(count)) for count in column.drop_null().value_counts().field("counts")]
        if len(column.unique()) <= 3
        else []
    )
    return min(counts) / sum(counts) if len(counts) == 2 and min(counts) < 0.1 * sum(counts) else None

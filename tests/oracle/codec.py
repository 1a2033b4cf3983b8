"""The slow, obvious twin of `rust/core/src/codec`: what each kind makes of a list of Python values.

One function per kind takes values (None for null) and frozen parameters, and returns columns: floats for numbers, ints
for categories, in the order of the codec's features. Read this first; the Rust is the same, faster. Not here: decode,
inference, and the Arrow layouts.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from zoneinfo import ZoneInfo

import numpy as np

PRESENT, NULL, NAN, POS_INF, NEG_INF = range(5)
MISSING, OTHER, FIRST_VALUE = range(3)
DEPTH, WIDTH, MOST = 2, 1 << 15, 50_000

Scale = tuple[float, float]


def fit_scale(values: Sequence[float]) -> Scale:
    """Mean and standard deviation of the finite values, winsorised to their 0.5 % and 99.5 % quantiles."""
    finite = np.sort([value for value in values if math.isfinite(value)])
    if len(finite) == 0:
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.005, 0.995])
    winsorised = np.clip(finite, low, high)
    std = float(winsorised.std()) if low < high else float(finite.std())
    if finite[0] == finite[-1]:
        std = 1.0
    return float(winsorised.mean()) if low < high else float(low), std


def fit_unit(values: Sequence[float]) -> float:
    """The unit of the logarithm for a positive column far skewed to the right; 0 for any other column."""
    finite = np.sort([value for value in values if math.isfinite(value)])
    if len(np.unique(finite)) <= 20 or finite[0] < 0:
        return 0.0
    low, middle, high = np.quantile(finite, [0.005, 0.5, 0.995])
    unit = float(np.quantile(finite[finite > 0], 0.1))
    return unit if middle > low and high - middle > 5 * (middle - low) else 0.0


def logarithm(value: float, unit: float) -> float:
    """`ln(1 + |v| / unit)` with the sign of v; v itself without a unit."""
    return math.copysign(math.log1p(abs(value) / unit), value) if unit else value


def apply_scale(value: float, scale: Scale) -> float:
    """Standardised within 3, logarithmic outside, at most 30 in size."""
    mean, std = scale
    u = (value - mean) / std
    if abs(u) <= 3:
        return u
    return math.copysign(min(3 + 3 * math.log(abs(u) / 3), 30), u)


def invert_scale(x: float, scale: Scale) -> float:
    mean, std = scale
    u = x if abs(x) <= 3 else math.copysign(3 * math.exp((abs(x) - 3) / 3), x)
    return mean + u * std


def number(values: Sequence[float | None], scale: Scale, unit: float = 0.0) -> tuple[list[float], list[int]]:
    """Value, status."""
    x, status = [], []
    for value in values:
        if value is None:
            status.append(NULL)
        elif math.isnan(value):
            status.append(NAN)
        elif math.isinf(value):
            status.append(POS_INF if value > 0 else NEG_INF)
        else:
            status.append(PRESENT)
        x.append(apply_scale(logarithm(value, unit), scale) if status[-1] == PRESENT else 0.0)
    return x, status


def fit_vocabulary(values: Sequence[Hashable | None]) -> list[str]:
    """At most 254 values by descending count, then by text; with more than 32 values those seen once are dropped."""
    counts = Counter(_text(value) for value in values if value is not None)
    if len(counts) > 32:
        counts = Counter({value: count for value, count in counts.items() if count > 1})
    return sorted(counts, key=lambda value: (-counts[value], value.encode()))[:254]


def category(values: Sequence[Hashable | None], vocabulary: Sequence[str]) -> list[int]:
    """Null, unseen, or place in the vocabulary."""
    codes = {value: FIRST_VALUE + place for place, value in enumerate(vocabulary)}
    return [MISSING if value is None else codes.get(_text(value), OTHER) for value in values]


def boolean(values: Sequence[bool | None]) -> list[int]:
    return category(values, ["false", "true"])


def _text(value: Hashable) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def position(micros: int, low: int, high: int, period: int) -> float:
    """Microseconds after `low`; more than one span outside `low..high` only the excess counts.

    What is less far outside stands a twentieth of the span or more inside, whole periods away (an edge, where they are
    too long).
    """
    span = high - low
    if micros - high > span:
        return float(micros - high)
    if low - micros > span:
        return -float(low - micros - span)
    if micros > high:
        while micros > high - span // 20:
            micros -= period
    elif micros < low:
        while micros < low + span // 20:
            micros += period
    return float(min(max(micros, low), high) - low)


def datetime(
    micros: Sequence[int | None], low: int, high: int, period: int, scale: Scale, zone: str | None = None
) -> tuple[list[float], list[int], list[int], list[int], list[int]]:
    """Position, status, hour, weekday, month. `scale` is fitted on the positions of the training values.

    The codec leaves out hour, weekday and month where they do not vary among the training rows, the hour of
    dates, the weekday below a span of 7 days and the month below one of 365. `period`: 52 weeks with a month, 7 days
    with a weekday, else a day.
    """
    x, status, hours, weekdays, months = [], [], [], [], []
    for value in micros:
        if value is None:
            x.append(0.0)
            status.append(NULL)
            parts = (MISSING, MISSING, MISSING)
        else:
            x.append(apply_scale(position(value, low, high, period), scale))
            status.append(PRESENT)
            local = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=value)
            local = local.astimezone(ZoneInfo(zone or "UTC"))
            parts = (FIRST_VALUE + local.hour, FIRST_VALUE + local.weekday(), FIRST_VALUE + local.month - 1)
        hours.append(parts[0])
        weekdays.append(parts[1])
        months.append(parts[2])
    return x, status, hours, weekdays, months


def fit_frequency(values: Sequence[Hashable], hash64: Callable[[bytes], int]) -> dict[int, int]:
    """The upper half of each value's hash and its count, one less, as a byte: `round(8 ln(1 + count))`.

    `hash64` is xxh3_64. Of more than 50,000 values `fit_cells` is what is left.
    """
    counts = Counter(values)
    assert len(counts) <= MOST
    bytes_ = {hash64(_bytes(value)) >> 32: as_byte(count - 1) for value, count in counts.items() if count > 1}
    return dict(sorted(bytes_.items()))


def fit_cells(values: Sequence[Hashable], distinct: float, hash64: Callable[[bytes], int]) -> np.ndarray:
    """Count-min cells as bytes, one taken off: what is four deviations above a row's median is a value's own."""
    cells = np.zeros((DEPTH, WIDTH))
    for value, count in Counter(values).items():
        first, second = _places(hash64(_bytes(value)))
        cells[0, first] += count
        cells[1, second] += count
    frozen = np.zeros((DEPTH, WIDTH), "u1")
    for row in range(DEPTH):
        ordered = np.sort(cells[row])
        median, low = ordered[WIDTH // 2], ordered[WIDTH * 16 // 100]
        usual = max(round(median * WIDTH / distinct), 1)
        own_share = np.where(cells[row] > median + 4 * max(median - low, 1), cells[row] - median, 0)
        frozen[row] = [as_byte(usual + above - 1) for above in own_share]
    return frozen


def as_byte(count: float) -> int:
    # Halves are rounded up, as Rust does; Python would round them to even.
    return min(math.floor(8 * math.log1p(count) + 0.5), 255)


def log_frequency(
    value: Hashable, counts: dict[int, int] | np.ndarray, rows: int, hash64: Callable[[bytes], int]
) -> float:
    """Logarithm of a value's count per thousand of the rows that have a value."""
    hash_ = hash64(_bytes(value))
    if isinstance(counts, dict):
        byte = counts.get(hash_ >> 32, 0)
    else:
        first, second = _places(hash_)
        byte = min(counts[0, first], counts[1, second])
    return math.log((math.expm1(byte / 8) + 0.5) / max(rows, 1) * 1e3)


def _places(value: int) -> tuple[int, int]:
    return value % WIDTH, (value >> 32) % WIDTH


def _bytes(value: Hashable) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(8, "little", signed=value < 2**63)
    return str(value).encode()


def key(
    values: Sequence[Hashable | None],
    counts: dict[int, int] | np.ndarray,
    rows: int,
    scale: Scale,
    hash64: Callable[[bytes], int],
) -> tuple[list[float], list[int]]:
    """Frequency, status. `scale` is fitted on the log frequencies of the training values."""
    logs = [None if value is None else log_frequency(value, counts, rows, hash64) for value in values]
    return number(logs, scale)


def look(text: str) -> tuple[float, float, float]:
    """ln(1 + characters), share of digits, share of characters that are neither letters nor digits."""
    count = max(len(text), 1)
    digits = sum(_is_digit(char) for char in text)
    symbols = sum(not char.isalnum() for char in text)
    return math.log1p(len(text)), digits / count, symbols / count


def shape(text: str) -> str:
    """`Ab-1234` is `Aa-9+`: classes of characters, runs longer than 3 as one and `+`, 24 characters at most."""
    classes = [_class(char) for char in text]
    written, start = "", 0
    while start < len(classes):
        end = start
        while end < len(classes) and classes[end] == classes[start]:
            end += 1
        run = end - start
        written += classes[start] + "+" if run > 3 else classes[start] * run
        start = end
    return written[:24]


def _class(char: str) -> str:
    if _is_digit(char):
        return "9"
    if not char.isalnum():
        return char
    return "A" if char.isupper() else "a"


def _is_digit(char: str) -> bool:
    return "0" <= char <= "9"


def text(
    values: Sequence[str | None],
    scales: tuple[Scale, Scale, Scale],
    shapes: Sequence[str],
    counts: dict[int, int] | np.ndarray,
    rows: int,
    frequency_scale: Scale,
    hash64: Callable[[bytes], int],
) -> tuple[list[float], list[float], list[float], list[float], list[int], list[int]]:
    """Length, digits, symbols, frequency, status, shape (the vocabulary of shapes holds 62 at most)."""
    looks = [None if value is None else look(value) for value in values]
    numbers = [number([None if seen is None else seen[part] for seen in looks], scales[part]) for part in range(3)]
    frequency, status = key(values, counts, rows, frequency_scale, hash64)
    codes = category([None if value is None else shape(value) for value in values], shapes)
    return numbers[0][0], numbers[1][0], numbers[2][0], frequency, status, codes


def id(values: Sequence[Hashable | None]) -> tuple[()]:  # noqa: A001  (the kind's name)
    """Names the row: nothing."""
    return ()

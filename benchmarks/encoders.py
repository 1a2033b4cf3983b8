"""Tables to matrices for the peers, fitted on training rows only; tabad never sees these.

A column is a number, a date (position, hour, weekday) or a category (the 100 most frequent levels and one column
for all others, unseen ones too). Strings that are dates are parsed, strings that are nearly all distinct left out:
no peer here can use them. A missing category is a level of its own, a missing number is the mean and an indicator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

Matrix = npt.NDArray[Any]
Encoding = Literal["raw", "sqrt2", "onehot", "skrub", "codes", "gower", "blocks"]
Encoder = Callable[[pa.Table], Any]

MAX_LEVELS = 100
_DATE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?$"
_MISSING = "\x00missing"


@dataclass(frozen=True)
class Columns:
    """What the peers' encoders take each column for."""

    numbers: tuple[str, ...]
    dates: tuple[str, ...]
    categories: tuple[str, ...]


def spot_columns(table: pa.Table, categories: tuple[str, ...] = ()) -> Columns:
    """Kinds by type and by looking at the training rows; `categories` names integers that are categories."""
    numbers, dates, nominal = [], [], []
    for field in table.schema:
        values = table[field.name]
        if field.name in categories or pt.is_boolean(field.type):
            nominal.append(field.name)
        elif pt.is_temporal(field.type):
            dates.append(field.name)
        elif pt.is_integer(field.type) or pt.is_floating(field.type) or pt.is_decimal(field.type):
            numbers.append(field.name)
        elif _looks_like_dates(values):
            dates.append(field.name)
        elif len(values.unique()) <= 0.9 * len(values):
            nominal.append(field.name)
    return Columns(tuple(numbers), tuple(dates), tuple(nominal))


def _looks_like_dates(values: pa.ChunkedArray) -> bool:
    known = pd.Series(values.to_pandas()).dropna().astype(str)
    return len(known) > 0 and float(known.str.match(_DATE).mean()) > 0.95


def fit_encoder(train: pa.Table, encoding: Encoding, categories: tuple[str, ...] = ()) -> Encoder:
    """A function from any table of that schema to what the encoding gives: a matrix, or the table itself for raw."""
    if encoding == "raw":
        return lambda table: table
    if encoding == "skrub":
        return _skrub(train)
    columns = spot_columns(train, categories)
    if encoding == "codes":
        return _codes(train, columns)
    numbers = _Numbers(train, columns)
    levels = {name: _levels(_text(train, name)) for name in columns.categories}
    if encoding == "gower":  # city-block distance between these is Gower's: halves, because a mismatch differs twice
        return lambda table: np.hstack([numbers.to_unit(table), _one_hot(_code_matrix(table, levels), levels, 0.5)])
    if encoding == "blocks":
        sizes = [len(known) + 1 for known in levels.values()]
        return lambda table: (numbers(table), _code_matrix(table, levels), sizes)
    weight = 2**-0.5 if encoding == "sqrt2" else 1.0
    return lambda table: np.hstack([numbers(table), _one_hot(_code_matrix(table, levels), levels, weight)])


class _Numbers:
    """Standardised numbers and dates, each with an indicator where training rows lack a value."""

    def __init__(self, train: pa.Table, columns: Columns) -> None:
        self.columns = columns
        raw = _raw_numbers(train, columns)
        with np.errstate(all="ignore"):
            self.mean = np.nan_to_num(_quietly(np.nanmean, raw))
            deviation = np.nan_to_num(_quietly(np.nanstd, raw))
            self.low = np.nan_to_num(_quietly(np.nanmin, raw))
            span = np.nan_to_num(_quietly(np.nanmax, raw)) - self.low
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        self.span = np.where(span > 0, span, 1.0)
        self.lacking = np.flatnonzero(np.isnan(raw).any(axis=0))

    def __call__(self, table: pa.Table) -> Matrix:
        raw = _raw_numbers(table, self.columns)
        known = np.where(np.isnan(raw), self.mean, raw)
        return np.hstack([(known - self.mean) / self.deviation, np.isnan(raw[:, self.lacking]) / 2**0.5])

    def to_unit(self, table: pa.Table) -> Matrix:
        """Scaled by the training range, and one column that makes missing differ from present by one."""
        raw = _raw_numbers(table, self.columns)
        known = np.where(np.isnan(raw), self.mean, raw)
        return np.hstack([(known - self.low) / self.span, np.isnan(raw[:, self.lacking]).astype(float)])


def _quietly(reduce: Callable[..., Matrix], raw: Matrix) -> Matrix:
    empty = np.isnan(raw).all(axis=0) if len(raw) else np.ones(raw.shape[1], bool)
    return reduce(np.where(empty, 0.0, raw), axis=0)


def _raw_numbers(table: pa.Table, columns: Columns) -> Matrix:
    parts = [_float(table[name]) for name in columns.numbers]
    for name in columns.dates:
        values = pd.Series(table[name].to_pandas())
        times = pd.to_datetime(values, errors="coerce", utc=True, format=_format(table[name]))
        seconds = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
        parts += [seconds.to_numpy(float), times.dt.hour.to_numpy(float), times.dt.dayofweek.to_numpy(float)]
    return np.column_stack(parts) if parts else np.empty((table.num_rows, 0))


def _format(values: pa.ChunkedArray) -> str | None:
    return "mixed" if pt.is_large_string(values.type) or pt.is_string(values.type) else None


def _float(values: pa.ChunkedArray) -> Matrix:
    dense = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(float)
    return np.where(np.isfinite(dense), dense, np.nan)


def _text(table: pa.Table, name: str) -> "pd.Series[Any]":
    return pd.Series(table[name].cast(pa.string()).to_pandas()).fillna(_MISSING).astype(str)


def _levels(text: "pd.Series[Any]") -> dict[str, int]:
    return {level: code for code, level in enumerate(text.value_counts().index[:MAX_LEVELS])}


def _code_matrix(table: pa.Table, levels: dict[str, dict[str, int]]) -> Matrix:
    """One column of codes per category; the code after the last is for every other level."""
    parts = [_text(table, name).map(known).fillna(len(known)).to_numpy(np.int64) for name, known in levels.items()]
    return np.column_stack(parts) if parts else np.empty((table.num_rows, 0), np.int64)


def _one_hot(codes: Matrix, levels: dict[str, dict[str, int]], weight: float) -> Matrix:
    parts = [np.eye(len(known) + 1)[codes[:, j]] * weight for j, known in enumerate(levels.values())]
    return np.hstack(parts) if parts else np.empty((len(codes), 0))


def _codes(train: pa.Table, columns: Columns, bins: int = 10) -> Encoder:
    """Codes only, as MaskDiff-AD takes them: numbers in ten quantile bins, the last code for missing and unseen."""
    edges = []
    for values in _raw_numbers(train, columns).T:
        known = values[~np.isnan(values)]
        cuts = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]) if len(known) else np.empty(0)
        edges.append(np.unique(cuts))
    levels = {name: _levels(_text(train, name)) for name in columns.categories}

    def encode(table: pa.Table) -> tuple[Matrix, list[int]]:
        raw = _raw_numbers(table, columns)
        cells = zip(raw.T, edges, strict=True)
        binned = [np.where(np.isnan(v), len(e) + 1, np.searchsorted(e, v, "right")) for v, e in cells]
        codes = np.column_stack([*binned, _code_matrix(table, levels)]).astype(np.int64)
        return codes, [len(e) + 2 for e in edges] + [len(known) + 1 for known in levels.values()]

    return encode


def _skrub(train: pa.Table) -> Encoder:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skrub import TableVectorizer

    pipeline = make_pipeline(TableVectorizer(), SimpleImputer(keep_empty_features=True), StandardScaler())
    pipeline.fit(train.to_pandas())
    return lambda table: np.asarray(pipeline.transform(table.to_pandas()), float)

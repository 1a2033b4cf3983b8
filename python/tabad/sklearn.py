"""The scikit-learn door: an outlier detector with scikit-learn's signs (lower is odder, -1 is an outlier)."""

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from tabad import api
from tabad.config import Mechanism, Quality, ScoreOptions
from tabad.tables import open_table

__all__ = ["TabadDetector"]


class TabadDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Scores of `tabad.fit`, as an estimator. X: a frame (mixed types welcome) or a numeric array.

    `contamination`: "auto" flags at the model's own level; a number flags that share of the training rows.
    `model`: a fitted Model, or the path of one, to use instead of fitting.

    >>> TabadDetector(quality="fast").fit(X).predict(X_new)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        quality: Quality = "fast",
        contamination: float | str = "auto",
        kinds: dict[str, str] | None = None,
        ignore: tuple[str, ...] = (),
        given: tuple[str, ...] = (),
        mechanism: Mechanism = "combined",
        memory: int | None = None,
        seed: int = 0,
        device: str = "auto",
        threads: int = 0,
        model: Any = None,
    ) -> None:
        self.quality = quality
        self.contamination = contamination
        self.kinds = kinds
        self.ignore = ignore
        self.given = given
        self.mechanism = mechanism
        self.memory = memory
        self.seed = seed
        self.device = device
        self.threads = threads
        self.model = model

    def fit(self, X: Any, y: Any = None) -> "TabadDetector":  # noqa: ARG002
        """Fit to the rows of X; `y` is ignored."""
        table = _table(X)
        self.n_features_in_ = len(_columns(table))
        if _named(X):
            self.feature_names_in_ = np.asarray(_columns(table), dtype=object)
        if self.model is None:
            self.model_ = api.fit(
                table,
                quality=self.quality,
                kinds=self.kinds,
                ignore=self.ignore,
                given=self.given,
                mechanism=self.mechanism,
                memory=self.memory,
                seed=self.seed,
                device=self.device,  # type: ignore[arg-type]
                threads=self.threads,
            )
        else:
            self.model_ = api.as_model(self.model)
        self.offset_ = self._own_offset() if self.contamination == "auto" else None
        if self.offset_ is None:
            scored = self._scored(table)
            scores = scored["tabad_score"].to_numpy()
            if self.contamination == "auto":
                flagged = scored["tabad_flag"].to_numpy(zero_copy_only=False)
                odd = scores[flagged] if flagged.any() else np.asarray([np.nextafter(scores.max(), np.inf)])
                self.offset_ = float(-odd.min())
            else:
                self.offset_ = float(np.quantile(-scores, float(self.contamination)))
        return self

    def _own_offset(self) -> float | None:
        """Minus the score from which the model flags any row; None where it looks at their number or group."""
        facts = self.model_.manifest
        if facts["calibration"] == "self" or facts.get("groups"):
            return None
        threshold = self.model_.core.threshold()
        return None if threshold is None else -float(threshold)

    def score_samples(self, X: Any) -> Any:
        """`-tabad_score` per row: the lower, the odder."""
        check_is_fitted(self, "model_")
        table = _table(X)
        if not _named(X) and len(_columns(table)) != self.n_features_in_:
            raise ValueError(
                f"X has {len(_columns(table))} features, but TabadDetector is expecting {self.n_features_in_} features"
            )
        return -self._scored(table)["tabad_score"].to_numpy()

    def decision_function(self, X: Any) -> Any:
        """`score_samples` minus the offset: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Any:
        """-1 for outliers, +1 for the rest."""
        # `<=`: the row whose score is the offset is an outlier; it is how the offset was found.
        return np.where(self.score_samples(X) <= self.offset_, -1, 1)

    def _scored(self, table: Any) -> pa.Table:
        options = ScoreOptions(explain="none", threads=self.threads)
        return self.model_.run_rows(open_table(table).open(types=self.model_.schema), options, {})


def _table(X: Any) -> Any:
    """X as something that `tabad` reads, more than once: arrays get the column names x0, x1, ..."""
    if isinstance(X, pa.RecordBatchReader) or (hasattr(X, "__arrow_c_stream__") and not hasattr(X, "columns")):
        return pa.table(X)
    if _named(X):
        return X
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(f"X has {array.ndim} dimensions, and a table has 2")
    # NaN is what numpy has for a missing value, as pandas has.
    columns = [pa.array(np.ascontiguousarray(array[:, index]), from_pandas=True) for index in range(array.shape[1])]
    return pa.table({f"x{index}": column for index, column in enumerate(columns)})


def _named(X: Any) -> bool:
    return hasattr(X, "columns") or hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__")


def _columns(table: Any) -> list[str]:
    if isinstance(table, pa.Table | pa.RecordBatch):
        return list(table.schema.names)
    if hasattr(table, "collect_schema"):  # polars, lazy too
        return list(table.collect_schema().names())
    return [str(name) for name in table.columns]

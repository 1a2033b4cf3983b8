"""The polars door: `df.tabad.score(model)` on a DataFrame and, streamed when it is collected, on a LazyFrame.

`import tabad.polars` registers the accessor always, `import tabad` where polars is already loaded. polars
has no plug-in entry points that could do it on their own.
"""

from typing import Any

import polars as pl

__all__ = ["TabadNamespace"]


class TabadNamespace:
    """`df.tabad`: the verbs of tabad on this frame."""

    def __init__(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        self._frame = frame

    def score(self, model: Any = None, **options: Any) -> Any:
        """The frame with four more columns; a LazyFrame for a LazyFrame. Arguments as in `tabad.score`.

        >>> df.tabad.score("payments.tabad", level=0.01)  # doctest: +SKIP
        """
        return _api().score(self._frame, model, **options)

    def fit(self, **options: Any) -> Any:
        """A model of this frame. Arguments as in `tabad.fit`."""
        return _api().fit(self._frame, **options)


def _api() -> Any:
    from tabad import api  # not at the top: registering an accessor must load nothing

    return api


pl.api.register_dataframe_namespace("tabad")(TabadNamespace)
pl.api.register_lazyframe_namespace("tabad")(TabadNamespace)

"""The pandas door: `df.tabad.score(model)`. The index is kept and is never a column.

`import tabad.pandas` registers the accessor always, `import tabad` where pandas is already loaded.
"""

from typing import Any

import pandas as pd

__all__ = ["TabadAccessor"]


class TabadAccessor:
    """`df.tabad`: the verbs of tabad on this frame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def score(self, model: Any = None, **options: Any) -> Any:
        """The frame with four more columns and its own index. Arguments as in `tabad.score`.

        >>> df.tabad.score("payments.tabad", level=0.01)  # doctest: +SKIP
        """
        return _api().score(self._frame, model, **options)

    def fit(self, **options: Any) -> Any:
        """A model of this frame. Arguments as in `tabad.fit`."""
        return _api().fit(self._frame, **options)


def _api() -> Any:
    from tabad import api  # not at the top: registering an accessor must load nothing

    return api


pd.api.extensions.register_dataframe_accessor("tabad")(TabadAccessor)

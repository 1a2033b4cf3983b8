"""What the verbs share: a model by itself or by its file, names one by one or alone."""

import os
from collections.abc import Iterable

from tabad.config import Scorer
from tabad.key_file import KeySource
from tabad.model import Model

FilePath = str | os.PathLike[str]


def as_model(model: Model | FilePath, scorer: Scorer | None = None, key: KeySource | None = None) -> Model:
    """The model itself, or the one in that file; with the key of a redacted one, and the scorer asked for."""
    loaded = model if isinstance(model, Model) else Model.load(model)
    if key is not None:
        loaded = loaded.with_key(key)
    return loaded if scorer is None else loaded.with_scorer(scorer)


def same_place(one: str, other: str) -> bool:
    """True of two paths to one file."""
    return os.path.realpath(one) == os.path.realpath(other)


def names(given: Iterable[str]) -> tuple[str, ...]:
    """Names as a tuple, where one alone may come as a text."""
    return (given,) if isinstance(given, str) else tuple(given)

"""What the verbs share: a model by itself or by its file, names one by one or alone."""

import os
from collections.abc import Iterable

from tabad.model import Model

Where = str | os.PathLike[str]
"""A path of a file."""


def as_model(model: Model | Where) -> Model:
    """The model itself, or the one in that file."""
    return model if isinstance(model, Model) else Model.load(model)


def names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)

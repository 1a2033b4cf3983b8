"""Of which classes the rows are that a labelled model generates, and the column that says so.

Asked for by name: that class. Of a model that knows what is normal: the normal one. Else each row's class is drawn by
the classes' shares among the fitted rows, and the row given its class.
Axes: B rows, N numbers, C category columns, L classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch
from torch import Tensor

from tabad.conditions import in_type
from tabad.errors import UsageError

from .seeding import seeded

if TYPE_CHECKING:
    from .rows import Sampler

__all__ = ["Classes"]


class Classes:
    """The classes of the rows that a seed gives; `label` asks for one.

    Where any class may be drawn, rows that hold columns at a value (`held`) have none: how common each class is among
    such rows no count says. Raises `UsageError` for a label that the model does not know.
    """

    def __init__(self, sampler: Sampler, label: str | None, *, held: bool, seed: int) -> None:
        config = sampler.net.config
        known: dict[str, Any] = sampler.manifest.get("label") or {}
        if label is not None:
            label = _known(known if config.classes else {}, label)
        elif config.scored_label != config.classes:
            label = known["normal"]
        self.one = None if label is None else known["values"].index(label)
        """The class of all rows; None: any."""
        counts = known.get("counts", []) if config.classes and label is None else []
        self.held_back = bool(counts) and held
        """Rows could have had a class, but for what they hold."""
        drawn = bool(counts) and not held
        self.field: pa.Field | None = _field(sampler, known["column"]) if drawn or label is not None else None
        """The column that says so; None: rows go without."""
        self._labels: pa.Array | None = None if self.field is None else _labels(known["values"], self.field)
        self._bound_L: Tensor | None = _bounds(counts) if drawn else None
        self._seed = seed
        self._streams: dict[int | None, torch.Generator] = {}

    def draw(self, sampler: Sampler, rows: int, **how: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The next rows on the network's scale, `x_BN` and `c_BC`, and their classes `class_B`.

        Each class has a stream of its own, so that the first rows are the same however many are taken; `how` is that of
        `Sampler.draw`.
        """
        device = sampler.index.device
        if self._bound_L is None:
            drawn = sampler.draw(rows, generator=self._stream(device), label=self.one, **how)
            return *drawn, torch.full((rows,), self.one or 0)
        chance_B = torch.rand(rows, dtype=torch.float64, generator=self._stream(torch.device("cpu"), 0))
        class_B = torch.bucketize(chance_B, self._bound_L, right=True)
        places = [(class_B == label).nonzero().flatten() for label in range(len(self._bound_L) + 1)]
        each = [
            sampler.draw(len(at_B), generator=self._stream(device, label + 1), label=label, **how)
            for label, at_B in enumerate(places)
            if len(at_B)
        ]
        back_B = torch.cat(places).argsort().to(device)
        return torch.cat([x_BN for x_BN, _ in each])[back_B], torch.cat([c_BC for _, c_BC in each])[back_B], class_B

    def _stream(self, device: torch.device, part: int | None = None) -> torch.Generator:
        if part not in self._streams:
            self._streams[part] = seeded(device, self._seed, part)
        return self._streams[part]

    def beside(self, made: pa.RecordBatch, class_B: Tensor) -> pa.RecordBatch:
        """The rows with their label, where they have one."""
        if self._labels is None:
            return made
        return made.append_column(self.field, self._labels.take(pa.array(class_B.numpy())))


def _field(sampler: Sampler, name: str) -> pa.Field:
    """The label as a column: a model knows its type by name only, and what is no plain type comes back as text."""
    kind = next(column["type"] for column in sampler.manifest["columns"] if column["name"] == name)
    try:
        return pa.field(name, pa.type_for_alias(kind))
    except ValueError:
        return pa.field(name, pa.string())


def _labels(values: list[str], field: pa.Field) -> pa.Array:
    """The label of each class: what was missing is missing again."""
    return pa.concat_arrays([in_type(text, field) if text else pa.nulls(1, field.type) for text in values])


def _bounds(counts: list[int]) -> Tensor:
    """Where the share of each class but the last ends in [0, 1)."""
    total_L = torch.tensor(counts, dtype=torch.float64).cumsum(0)
    return total_L[:-1] / total_L[-1]


def _known(known: dict[str, Any], label: str) -> str:
    """The label as the model has it."""
    if not known:
        raise UsageError(
            f"rows of class `{label}` were asked for, but the model was fitted without a label column",
            name="class-without-label",
            hint="fit it with --label COLUMN (label=...), or hold a column at a value: --where COLUMN=VALUE",
        )
    if label.lower() in known["values"] and {*known["values"]} <= {"false", "true"}:
        label = label.lower()
    if label not in known["values"]:
        shown = ", ".join(f"`{value}`" for value in known["values"][:10])
        raise UsageError(
            f"label column `{known['column']}` has no value `{label}`",
            name="class-unknown",
            hint=f"its values are {shown}",
        )
    return label

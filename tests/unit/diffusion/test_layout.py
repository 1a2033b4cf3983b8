"""Layouts renumber table columns and refuse what does not fit."""

from __future__ import annotations

import pytest
import torch

from tabad.diffusion.layout import Index, Layout


def test_table_columns_without_features_are_left_out() -> None:
    layout = Layout.of([5, 3], [0], [7, 7, 2])
    assert layout.columns == (1, 1, 0)
    assert layout.table_columns == 2
    assert layout.codes == 8


@pytest.mark.parametrize(
    ("sizes", "status", "columns", "message"),
    [
        ([5], [0], [0], "columns of 1 features"),
        ([5], [1], [0, 0], "status"),
        ([0], [], [0], "between 1 and"),
        ([], [], [], "at least one"),
    ],
)
def test_what_does_not_fit_is_refused(sizes: list[int], status: list[int], columns: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layout.of(sizes, status, columns)


def test_every_code_is_in_one_bucket() -> None:
    layout = Layout.of([5, 1, 3, 40, 64, 33], [0], [0, 0, 1, 2, 3, 4, 5])
    index = Index(layout, torch.device("cpu"))
    places = torch.cat([places.flatten() for _, places in index.buckets])
    assert sorted(places[places < layout.codes].tolist()) == list(range(layout.codes))
    assert torch.cat([members for members, _ in index.buckets]).sort().values.tolist() == list(range(6))

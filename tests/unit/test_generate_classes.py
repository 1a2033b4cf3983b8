"""Rows of a model with a label and no normal class: every class as common as it was, and each row like its class."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.oracle.model_file import put_together, take_apart

import tabad
from tabad import _core
from tabad.diffusion import presets
from tabad.errors import ModelFileError, TabadWarning, UsageError

MIDDLE = {"fine": 20.0, "fraud": 500.0, None: 250.0}
SHARE = {"fine": 0.7, "fraud": 0.2, None: 0.1}


def table(n: int = 1_500) -> pa.Table:
    draw = np.random.default_rng(1)
    kinds = [list(SHARE)[at] for at in draw.choice(3, n, p=list(SHARE.values()))]
    amount = np.array([MIDDLE[kind] for kind in kinds]) + draw.normal(0, 5, n)
    city = draw.choice(["Rome", "Oslo"], n)
    return pa.table({"amount": amount.round(2), "kind": pa.array(kinds, pa.large_string()), "city": city})


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(64, 2, 256, 1_500, 1e9, matched=4_096))
        return tabad.fit(table(), label="kind")


def test_classes_are_as_common_as_they_were_and_rows_are_like_their_class(model: tabad.Model) -> None:
    made = model.generate(4_000, seed=2)
    assert made.schema.names == ["amount", "kind", "city"]
    fitted, kinds = table()["kind"].to_pylist(), made["kind"].to_pylist()
    for kind, middle in MIDDLE.items():
        share = fitted.count(kind) / len(fitted)
        # Four standard errors of a share among 4,000 rows.
        assert abs(kinds.count(kind) / 4_000 - share) < 4 * np.sqrt(share * (1 - share) / 4_000)
        own = [value for value, its in zip(made["amount"].to_pylist(), kinds, strict=True) if its == kind]
        # Classes are 230 apart and 5 wide: a row of another class would be nearer to that one's middle.
        assert np.mean([abs(value - middle) < 100 for value in own]) > 0.9


def test_the_first_rows_are_the_same_however_many_are_taken(model: tabad.Model, tmp_path: Path) -> None:
    many = model.generate(500, seed=3)
    assert model.generate(70, seed=3) == many.slice(0, 70)
    assert pq.read_table(model.generate(500, seed=3, output=tmp_path / "made.parquet")) == many
    assert model.generate(500, seed=4) != many
    assert model.generate(0).schema == many.schema


def test_batches_go_on_with_other_rows(model: tabad.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabad.diffusion.generate.BATCH", 100)
    made = model.generate(300, seed=5)
    assert made.slice(0, 100) != made.slice(100, 100)
    amounts = made["amount"].to_pylist()
    # Ranges of some 30.00 to two decimals in each class: equal values are chance, equal batches would be 200 of them.
    assert len(set(amounts)) > 240


def test_conditions_that_draw_again_choose_among_the_classes(model: tabad.Model) -> None:
    made = model.generate(200, where="amount > 400")
    # A fifth of the rows drawn, and nine in ten of what obeys and more: the network of 256 steps strays at times.
    assert made["kind"].to_pylist().count("fraud") > 180


def test_rows_that_hold_a_value_say_no_class(model: tabad.Model) -> None:
    with pytest.warns(TabadWarning, match="label column `kind` is left out: how common its values are among rows that"):
        made = model.generate(30, where={"city": "Rome"})
    assert made.schema.names == ["amount", "city"]
    assert model.generate(30, where={"city": "Rome"}, label="fraud")["kind"].to_pylist() == ["fraud"] * 30


def test_guidance_still_asks_for_a_class(model: tabad.Model) -> None:
    with pytest.raises(UsageError, match="guidance leans on a class, and none is asked for"):
        model.generate(3, guidance=2.0)


def test_counts_are_of_the_fit_and_a_file_of_before_has_none(model: tabad.Model) -> None:
    fitted = table()["kind"].to_pylist()
    assert model.manifest["label"]["values"] == ["", "fine", "fraud"]
    assert model.manifest["label"]["counts"] == [fitted.count(None), fitted.count("fine"), fitted.count("fraud")]
    manifest, tensors = take_apart(model._core.to_bytes())
    del manifest["label"]["counts"]
    before = tabad.Model(_core.Model.from_bytes(put_together(manifest, tensors)))
    assert before.generate(5).schema.names == ["amount", "city"]


@pytest.mark.parametrize("counts", [[1, 2], [0, 0, 0], [1, 2, -3], "many", [1, 2, 0.5]])
def test_counts_that_cannot_be_are_refused(model: tabad.Model, counts: Any) -> None:
    manifest, tensors = take_apart(model._core.to_bytes())
    manifest["label"]["counts"] = counts
    with pytest.raises(ModelFileError, match="label"):
        _core.Model.from_bytes(put_together(manifest, tensors))


def test_a_boolean_label_comes_back_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
    draw = np.random.default_rng(0)
    rows = pa.table({"x": draw.random(300), "bad": draw.random(300) < 0.5})
    made = tabad.fit(rows, label="bad").generate(50)
    assert made.schema.field("bad").type == pa.bool_()
    assert set(made["bad"].to_pylist()) == {True, False}

"""Generated rows: what is asked for stands in every row, the rest follows; types, seeds, streams, refusals."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabad
from tabad.diffusion import presets
from tabad.errors import InputError, UsageError


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    n = 1_200
    side = draw.random(n) < 0.5
    fraud = draw.random(n) < 0.1
    amount = np.where(fraud, 500, np.where(side, 20, 80)) + draw.normal(0, 5, n)
    return pa.table(
        {
            "row": pa.array(range(n)),
            "city": pa.array(np.where(side, "Rome", "Oslo").tolist()).dictionary_encode(),
            "class": pa.array(np.where(fraud, "fraud", "fine").tolist()),
            "amount": pa.array([Decimal(f"{x:.2f}") for x in amount], pa.decimal128(8, 2)),
            "day": pa.array([dt.date(2024, 1, 1) + dt.timedelta(days=int(d)) for d in draw.integers(0, 90, n)]),
            "none": pa.array([None] * n, pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(64, 2, 256, 1_500, 1e9, matched=4_096))
        return tabad.fit(table, label="class", normal="fine")


def test_a_class_is_generated_with_its_own_values_and_named(model: tabad.Model) -> None:
    made = model.generate(400, label="fraud")
    assert made.schema.names == ["row", "city", "class", "amount", "day", "none"]
    assert made["class"].to_pylist() == ["fraud"] * 400
    # Frauds are about 500, others at most 80: a quarter and more of the way up is a fraud's amount.
    assert np.mean([float(value) > 200 for value in made["amount"].to_pylist()]) > 0.9
    fine = model.generate(400, label="fine")
    assert np.mean([float(value) < 200 for value in fine["amount"].to_pylist()]) > 0.9


def test_without_a_class_the_normal_one_is_generated(model: tabad.Model, table: pa.Table) -> None:
    made = model.generate(20)
    assert made.schema == table.schema
    assert made["class"].to_pylist() == ["fine"] * 20
    assert made["none"].null_count == 20
    assert made["row"].to_pylist() == sorted(set(made["row"].to_pylist()))


def test_a_held_column_stands_and_the_others_follow(model: tabad.Model) -> None:
    made = model.generate(300, where={"city": "Oslo", "day": "2024-02-03"})
    assert made["city"].to_pylist() == ["Oslo"] * 300
    assert made["day"].to_pylist() == [dt.date(2024, 2, 3)] * 300
    # What the city says of the amount: without it a coin's half would lie on either side.
    assert np.mean([float(value) > 50 for value in made["amount"].to_pylist()]) > 0.8
    rome = model.generate(300, where={"city": "Rome"})
    assert np.mean([float(value) < 50 for value in rome["amount"].to_pylist()]) > 0.8


def test_a_held_number_comes_back_exactly(model: tabad.Model) -> None:
    made = model.generate(50, where={"amount": "79.13"})
    assert made["amount"].to_pylist() == [Decimal("79.13")] * 50
    assert np.mean([city == "Oslo" for city in made["city"].to_pylist()]) > 0.8


def test_a_seed_gives_the_same_rows_and_batches_do_not_matter(
    model: tabad.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.generate(9_000, seed=3)
    path = model.generate(9_000, seed=3, output=tmp_path / "made.parquet")
    assert pq.read_table(path) == whole
    monkeypatch.setattr("tabad.diffusion.generate.BATCH", 4_096)
    assert model.generate(9_000, seed=3) == whole  # dictionaries are unified
    assert model.generate(100, seed=4) != whole.slice(0, 100)
    assert model.generate(100, seed=3 + 2**40) != whole.slice(0, 100)


def test_no_rows_are_an_empty_table_of_the_same_schema(model: tabad.Model) -> None:
    assert model.generate(0).schema == model.generate(1).schema
    assert model.generate(0).num_rows == 0


@pytest.mark.parametrize(
    ("options", "name", "says"),
    [
        ({"label": "theft"}, "class-unknown", "label column `class` has no value `theft`"),
        ({"where": {"town": "Oslo"}}, "where-column", "`town` cannot be held at a value: it is no column of the model"),
        ({"where": {"row": 3}}, "where-column", "`row` cannot be held at a value: it is not modelled (id)"),
        ({"where": {"class": "fraud"}}, "where-column", "is not modelled (label)"),
        ({"where": {"amount": "much"}}, "where-value", "`much` is not a value of column `amount`"),
    ],
)
def test_what_the_model_does_not_know_is_refused(
    model: tabad.Model, options: dict[str, object], name: str, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        model.generate(3, **options)  # type: ignore[arg-type]
    assert refused.value.name == name
    assert says in str(refused.value)


def test_a_class_of_a_model_without_a_label_is_refused(table: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
    unlabelled = tabad.fit(table, ignore=["class"])
    with pytest.raises(UsageError, match="`fraud` were asked for, but the model was fitted without a label") as refused:
        unlabelled.generate(3, label="fraud")
    assert refused.value.name == "class-without-label"
    with pytest.raises(UsageError, match=r"`class` cannot be held at a value: it is not modelled \(ignored\)"):
        unlabelled.generate(3, where={"class": "fraud"})


def test_ranges_are_obeyed_and_the_others_follow(model: tabad.Model) -> None:
    made = model.generate(500, where=["amount > 70.5", "amount <= 90", "day < 2024-02-01"], seed=1)
    assert made.num_rows == 500
    amounts = [float(value) for value in made["amount"].to_pylist()]
    assert 70.5 < min(amounts) < max(amounts) <= 90
    assert max(made["day"].to_pylist()) < dt.date(2024, 2, 1)
    assert made["city"].to_pylist().count("Oslo") > 450  # Rome's amounts are near 20
    assert made["row"].to_pylist() == list(range(made["row"][0].as_py(), made["row"][0].as_py() + 500))
    assert model.generate(30, where=["amount > 70.5", "amount <= 90", "day < 2024-02-01"], seed=1) == made.slice(0, 30)


def test_what_a_range_keeps_is_what_was_drawn_without_it(model: tabad.Model) -> None:
    drawn = model.generate(4_096, where={"city": "Oslo"}, seed=2).drop(["row"]).to_pylist()
    obey = [row for row in drawn if Decimal(82) <= row["amount"] < Decimal(90)]
    made = model.generate(len(obey), where=["city=Oslo", "amount >= 82", "amount < 90"], seed=2)
    assert len(obey) > 500
    assert made.drop(["row"]).to_pylist() == obey


def test_unequal_leaves_one_value_out(model: tabad.Model) -> None:
    assert set(model.generate(100, where="city != Oslo")["city"].to_pylist()) == {"Rome"}


def test_a_condition_that_hardly_any_row_obeys_is_given_up(model: tabad.Model, tmp_path: Path) -> None:
    for output in (None, tmp_path / "made.parquet"):
        with pytest.raises(InputError, match=r"0 of 4,096 rows drawn obey `amount > 5000`: too few") as refused:
            model.generate(5, where="amount > 5000", output=output)
        assert refused.value.name == "where-rare"
    assert list(tmp_path.iterdir()) == []


def test_values_without_an_order_are_not_compared(model: tabad.Model) -> None:
    with pytest.raises(UsageError, match="the values of column `city` have no order") as refused:
        model.generate(5, where="city > A")
    assert refused.value.name == "where-order"


def test_a_class_of_a_boolean_label_may_be_written_as_python_or_json_do() -> None:
    draw = np.random.default_rng(0)
    table = pa.table({"a": draw.normal(size=300), "bad": np.arange(300) % 10 == 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 40, 1e9))
        model = tabad.fit(table, label="bad")

    made = [model.generate(5, label=label, seed=1) for label in ("true", "True", True)]

    assert made[0]["bad"].to_pylist() == [True] * 5
    assert made[0] == made[1] == made[2]
    with pytest.raises(UsageError, match="label column `bad` has no value `Yes`"):
        model.generate(5, label="Yes")

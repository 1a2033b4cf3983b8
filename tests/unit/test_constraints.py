"""Constraints from the fit to the rows: found, kept in the file, obeyed by what is generated and filled, refused."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle.model_file import put_together, take_apart

import tabad
from tabad import _core
from tabad.constraints import Constraint
from tabad.diffusion import presets
from tabad.errors import ModelFileError, TabadWarning, UsageError

DAY = dt.date(2024, 1, 1)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    n = 1_000
    place = draw.integers(0, 12, n)
    net, tax = (draw.integers(100, 9_000, n) for _ in range(2))
    start = draw.integers(0, 60, n)
    money = pa.decimal128(9, 2)
    gone = draw.random(n) < 0.1

    def amounts(cents: np.ndarray) -> pa.Array:
        return pa.array([Decimal(int(value)).scaleb(-2) for value in cents], money)

    return pa.table(
        {
            "zip": pa.array([f"z{p}" for p in place]),
            "city": pa.array([f"city {p // 3}" for p in place]).dictionary_encode(),
            "net": amounts(net),
            "tax": amounts(tax),
            "total": amounts(net + tax),
            "start": pa.array([DAY + dt.timedelta(days=int(d)) for d in start]),
            "end": pa.array(
                [DAY + dt.timedelta(days=int(d + e)) for d, e in zip(start, draw.integers(0, 20, n), strict=True)]
            ),
            "weight": pa.array(draw.normal(70, 9, n), mask=gone),
            "height": pa.array(draw.normal(170, 9, n), mask=gone),
        }
    )


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(48, 2, 256, 250, 1e9, matched=4_096))
        return tabad.fit(table)


def breaks(rows: pa.Table) -> list[dict[str, object]]:
    """The rows that break what the table obeys."""
    return [
        row
        for row in rows.to_pylist()
        if row["city"] != f"city {int(row['zip'][1:]) // 3}"
        or row["total"] != row["net"] + row["tax"]
        or row["start"] > row["end"]
        or (row["weight"] is None) != (row["height"] is None)
    ]


def test_what_every_row_obeys_is_found_and_kept_in_the_file(model: tabad.Model) -> None:
    said = [str(one) for one in model.constraints()]
    assert said == [
        "total = net + tax",
        "net <= total",
        "tax <= total",
        "start <= end",
        "zip -> city",
        "weight, height: null together",
    ]
    again = tabad.Model.from_bytes(model.to_bytes())
    assert again.constraints() == model.constraints()
    assert again.to_bytes() == model.to_bytes()
    facts = {tuple(one["columns"]): one for one in model.manifest["constraints"]}
    assert facts["zip", "city"] == {
        "rule": "determines", "columns": ["zip", "city"], "given": False, "broken": 0, "rows": 1_000, "checked": False,
        "pairs": 12,
    }  # fmt: skip


def test_generated_rows_obey_and_need_not(model: tabad.Model, table: pa.Table) -> None:
    made = model.generate(700, seed=1)
    assert made.schema == table.schema
    assert made.num_rows == 700
    assert breaks(made) == []
    # A brief network alone gets hardly a sum right to the cent.
    assert len(breaks(model.generate(200, seed=1, constraints=None))) > 100
    assert model.generate(700, seed=1).equals(made)


def test_conditions_stand_and_the_other_columns_give_way(model: tabad.Model) -> None:
    made = model.generate(60, where={"city": "city 2", "total": "60.00"}, seed=2)
    assert breaks(made) == []
    assert set(made["city"].to_pylist()) == {"city 2"}
    assert set(made["total"].to_pylist()) == {Decimal("60.00")}


def test_further_constraints_are_obeyed(model: tabad.Model) -> None:
    made = model.generate(200, constraints="tax <= net", seed=3)
    assert all(row["tax"] <= row["net"] for row in made.to_pylist())
    assert breaks(made) == []


def test_filled_cells_obey_and_present_ones_stay(model: tabad.Model, table: pa.Table) -> None:
    part = table.slice(0, 150)
    draw = np.random.default_rng(4)
    holed = part
    for name in ("city", "net", "total", "end"):
        cells = [
            None if gone else cell for gone, cell in zip(draw.random(150) < 0.4, part[name].to_pylist(), strict=True)
        ]
        place = part.schema.get_field_index(name)
        column = (
            pa.array(cells, pa.string()).dictionary_encode() if name == "city" else pa.array(cells, part[name].type)
        )
        holed = holed.set_column(place, part.schema.field(name), column)
    filled = model.impute(holed, seed=5)
    for name in ("city", "net", "total", "end"):
        there = holed[name].is_valid()
        assert filled[name].filter(there).to_pylist() == holed[name].filter(there).to_pylist()
    done = filled.to_pylist()
    assert [row["city"] for row in done] == part["city"].to_pylist()
    # Where net and total are both gone they are drawn and made to fit; the rest has one answer.
    assert all(row["total"] == row["net"] + row["tax"] for row in done)
    assert all(row["start"] <= row["end"] for row in done)


def test_a_given_constraint_that_the_table_breaks_is_said_and_obeyed(table: pa.Table) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
        with pytest.warns(TabadWarning, match="`tax <= net` was given, and [0-9]+ rows of the table break it"):
            fitted = tabad.fit(table.slice(0, 300), constraints=["tax <= net", "none"])
    assert [str(one) for one in fitted.constraints()] == ["tax <= net"]
    assert all(row["tax"] <= row["net"] for row in fitted.generate(100).to_pylist())


def test_a_dependency_keeps_only_values_that_the_model_keeps_anyway(table: pa.Table) -> None:
    def told(pairs: list[list[str]]) -> list[Constraint]:
        fit = _core.Fit()
        fit.observe(table)
        fit.prepare()
        rule = {"rule": "determines", "columns": ["zip", "city"], "given": True, "broken": None, "pairs": pairs}
        fit.set_constraints(json.dumps([rule]))
        return tabad.Model(fit.finish()).constraints()

    assert told([["z1", "city 0"], ["z99", "city 0"]])[0].pairs == (("z1", "city 0"),)
    assert told([["z99", "city 0"]]) == []


def test_what_the_fit_did_not_learn_is_refused(model: tabad.Model) -> None:
    with pytest.raises(UsageError, match="the model was fitted without asking"):
        model.generate(1, constraints="city -> zip")
    with pytest.raises(UsageError, match="keys between several tables and sequences of rows are not generated"):
        model.generate(1, constraints="orders.total = net + tax")


@pytest.mark.parametrize(
    "damage",
    [
        lambda one: one.update(rule="near"),
        lambda one: one.update(columns=["zip", "nowhere"]),
        lambda one: one.update(columns=["zip", "zip"]),
        lambda one: one.update(pairs=3),
        lambda one: one.update(given=None),
        lambda one: one.update(rule="at_most"),
    ],
)
def test_damaged_constraints_are_refused(model: tabad.Model, damage: object) -> None:
    manifest, tensors = take_apart(model.to_bytes())
    damage(next(one for one in manifest["constraints"] if one["rule"] == "determines"))
    with pytest.raises(ModelFileError, match=r"the manifest's `constraints` are damaged|tensors that its manifest"):
        tabad.Model.from_bytes(put_together(manifest, tensors))


def test_damaged_pairs_are_refused(model: tabad.Model) -> None:
    manifest, tensors = take_apart(model.to_bytes())
    at = [one["rule"] for one in manifest["constraints"]].index("determines")
    ends = tensors[f"constraint.{at}.to.ends"].copy()
    ends[0] = 2**31
    tensors[f"constraint.{at}.to.ends"] = ends
    with pytest.raises(ModelFileError, match="the strings of `constraint"):
        tabad.Model.from_bytes(put_together(manifest, tensors))

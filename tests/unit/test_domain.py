"""A cell out of what its column holds makes a row odd by itself: beyond its bounds, or what no row has."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle import domain as twin
from tests.oracle.model_file import put_together, take_apart

import tabad

ROWS = 1_500
COUNTRIES = ["AT", "CH", "DE", "FR"]


def _table(rows: int, seed: int) -> pa.Table:
    """Skewed amounts, whole ages, a closed and an open set of values, a flag that is often missing."""
    draw = np.random.default_rng(seed)
    shops = [f"S{int(at):02d}" for at in np.minimum(draw.geometric(0.35, rows), 30)]
    return pa.table(
        {
            "amount": np.round(draw.lognormal(3, 1, rows), 2),
            "age": draw.integers(18, 90, rows),
            "weight": draw.normal(70, 9, rows),
            "country": draw.choice(COUNTRIES, rows),
            "shop": shops,
            "vip": pa.array([None if gone else bool(yes) for gone, yes in draw.random((rows, 2)) < 0.3], pa.bool_()),
        }
    )


def _normal(table: pa.Table) -> pa.Table:
    return table.append_column("state", pa.repeat("fine", table.num_rows))


def _encoded(model: tabad.Model, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    rows, x, c = model.core.encode(table)
    return np.frombuffer(x, "<f4").reshape(rows, -1), np.frombuffer(c, "<u2").reshape(rows, -1)


def _without(model: tabad.Model) -> tabad.Model:
    manifest, tensors = take_apart(model.to_bytes())
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("domain.")}
    return tabad.Model.from_bytes(put_together({k: v for k, v in manifest.items() if k != "domain"}, kept))


def _raised(model: tabad.Model, table: pa.Table) -> np.ndarray:
    scores = [np.array(one.score(table, explain="none")["tabad_score"].to_pylist()) for one in (model, _without(model))]
    return scores[0] - scores[1]


def _with(table: pa.Table, name: str, cells: list[Any]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(cells, table[name].type))


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return tabad.fit(_normal(_table(ROWS, 1)), label="state", normal="fine", quality="fast")


def test_inspect_lists_what_has_bounds_and_known_values(model: tabad.Model) -> None:
    columns = {one["column"]: (one["bounds"], one["unseen"]) for one in model.inspect()["holds"]["columns"]}

    # Numbers have bounds and no nulls, all values of a closed set have ten rows, an open one has few that occur once.
    assert columns == {
        "amount": (True, True),
        "age": (True, True),
        "weight": (True, True),
        "country": (False, True),
        "shop": (False, True),
        "vip": (False, True),
        "state": (False, False),
    }


@pytest.mark.parametrize(("normal", "refunds"), [(True, 0), (False, 0), (False, 60)])
def test_bounds_and_codes_are_those_of_the_twin(normal: bool, refunds: int) -> None:
    table = _table(3_000, 4)
    amounts = table["amount"].to_pylist()
    table = _with(table, "amount", [*[-40 * amount for amount in amounts[:refunds]], *amounts[refunds:]])
    options: dict[str, Any] = {"label": "state", "normal": "fine"} if normal else {}
    model = tabad.fit(_normal(table) if normal else table, quality="fast", all_rows=True, **options)
    manifest, tensors = take_apart(model.to_bytes())
    x_BN, c_BC = _encoded(model, table)
    features = [f | {"column": c["name"]} for c in model.manifest["columns"] for f in c.get("features", [])]
    numbers = [f for f in features if "number" in f]
    assert manifest["domain"] == {"rows": 3_000}
    assert [f["column"] for f in numbers] == ["amount", "age", "weight"]

    for at in range(3):
        low, high = twin.bounds(x_BN[:, at], 3_000, 6, normal=normal)
        assert tensors["domain.low"][at] == pytest.approx(low, rel=2e-3, abs=2e-3)
        assert tensors["domain.high"][at] == pytest.approx(high, rel=2e-3, abs=2e-3)

    categories = [f for f in features if "number" not in f]
    expected = twin.strange(c_BC, [f["size"] for f in categories], [f["part"] == "status" for f in categories])
    np.testing.assert_allclose(tensors["domain.strange"], np.concatenate(expected), rtol=1e-6)
    assert (tensors["domain.strange"] > 0).sum() > 5


def test_what_is_out_of_its_column_is_worth_how_rare_that_is(model: tabad.Model) -> None:
    fresh = _table(200, 2)
    n = take_apart(model.to_bytes())[0]["domain"]["rows"]
    assert n == 1_200, "calibration rows know no bounds"
    # Whether there is a number (three), a country, a shop; which country, and which flag.
    closed = math.log(20 * (n + 1) / 7)

    for name, cells, worth in [
        ("amount", [1e7] * 200, math.log(20 * (n + 1))),
        ("age", [-400] * 200, math.log(20 * (n + 1))),
        ("age", [None] * 200, closed),
        ("country", ["XX"] * 200, closed),
        ("country", [None] * 200, closed),
    ]:
        odd = _with(fresh, name, cells)
        np.testing.assert_allclose(_raised(model, odd), worth, atol=1e-5)
        p_values = model.score(odd, explain="none")["tabad_p_value"].to_pylist()
        assert max(p_values) <= 0.01, name


def test_a_value_that_no_row_has_is_worth_less_where_values_are_that_occur_once() -> None:
    shops = ["S01"] * 1_500 + ["S02"] * 1_490 + ["S03"] * 8
    model = tabad.fit(_with(_table(3_000, 4), "shop", [*shops, "Q1", "Q2"]), quality="fast", all_rows=True)

    raised = _raised(model, _with(_table(50, 2), "shop", ["new"] * 50))

    np.testing.assert_allclose(raised, math.log(3_001 / 3), atol=1e-5)


def test_rows_within_keep_their_score_to_the_bit(model: tabad.Model) -> None:
    fresh = _table(500, 3)
    within = fresh.filter(pa.array(np.isin(fresh["shop"].to_pylist(), ["S01", "S02", "S03"])))

    raised = _raised(model, within)

    assert within.num_rows > 300
    assert set(raised.tolist()) == {0.0}


def test_few_rows_and_context_know_no_bounds() -> None:
    small = tabad.fit(_table(499, 1), quality="fast")
    assert "domain" not in take_apart(small.to_bytes())[0]
    given = tabad.fit(_table(ROWS, 1), quality="fast", given=["amount", "country"])
    odd = _with(_with(_table(50, 2), "amount", [1e7] * 50), "country", ["XX"] * 50)
    assert set(_raised(given, odd).tolist()) == {0.0}


def test_a_screened_table_shows_what_is_beyond_all_bounds() -> None:
    table = _table(2_000, 5)
    cells = table["weight"].to_pylist()
    rows = [7, 500, 1_999]
    for row in rows:
        cells[row] *= 10

    scored = tabad.score(_with(table, "weight", cells), level=None)

    flags = np.flatnonzero(scored["tabad_flag"].to_pylist()).tolist()
    assert set(rows) <= set(flags)
    assert len(flags) <= 4
    firsts = [scored["tabad_reasons"].to_pylist()[row][0]["column"] for row in rows]
    assert firsts == ["weight"] * 3


@pytest.mark.parametrize(("every", "worth"), [(1_000, math.log(20 * 4_001)), (100, 0)])
def test_what_one_row_in_a_hundred_has_is_within_the_bounds(every: int, worth: float) -> None:
    """Refunds: of 161 among 15,156 purchases each one stood out."""
    table = _table(4_000, 5)
    amounts = [-40 * one if row % every == 0 else one for row, one in enumerate(table["amount"].to_pylist())]
    table = _with(table, "amount", amounts)

    raised = _raised(tabad.fit(table, quality="fast", all_rows=True), table)

    np.testing.assert_allclose(raised[::every], worth, atol=1e-5)


def test_an_update_opens_sets_and_widens_bounds() -> None:
    model = tabad.fit(_table(ROWS, 1), quality="fast")
    fresh = _table(1_000, 6)
    countries = ["LI" if row % 50 == 0 else country for row, country in enumerate(fresh["country"].to_pylist())]
    fresh = _with(fresh, "country", countries)
    weights = [weight + 40 * (row % 3 == 0) for row, weight in enumerate(fresh["weight"].to_pylist())]
    fresh = _with(fresh, "weight", weights)

    updated = tabad.fit(fresh, update=model)

    (manifest, before), (later, after) = (take_apart(one.to_bytes()) for one in (model, updated))
    assert later["domain"]["rows"] > manifest["domain"]["rows"]
    assert (after["domain.low"] <= before["domain.low"]).all()
    assert (after["domain.high"] >= before["domain.high"]).all()
    assert after["domain.high"][2] > before["domain.high"][2]
    new, gap = (_with(_table(20, 2), "country", [value] * 20) for value in ("LI", None))
    assert set(_raised(updated, new).tolist()) == {0.0}
    assert min(_raised(updated, gap)) > 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domain.low": np.array([1, -1, -1], "<f4")}, "the manifest's `domain` is damaged"),
        ({"domain.high": np.array([1, np.nan, 1], "<f4")}, "the manifest's `domain` is damaged"),
        ({"domain.high": np.array([1, 1], "<f4")}, "tensor `domain.high` has shape [2], [3] is needed"),
        ({"domain.strange": None}, "the manifest's `domain` is damaged"),
    ],
)
def test_forged_bounds_are_refused(model: tabad.Model, change: dict[str, Any], message: str) -> None:
    manifest, tensors = take_apart(model.to_bytes())
    if "domain.strange" in change:
        change = {"domain.strange": np.full_like(tensors["domain.strange"], 1e6)}
    with pytest.raises(tabad.TabadError) as caught:
        tabad.Model.from_bytes(put_together(manifest, {**tensors, **change}))
    assert message in str(caught.value)


def test_a_value_that_a_large_table_has_beyond_the_sample_is_no_new_one() -> None:
    rows = 120_000
    draw = np.random.default_rng(3)
    cells = draw.choice(["a", "b"], rows).tolist()
    # A row that the sample of 100,000 does not hold.
    cells[5] = "rare"
    table = pa.table({"kind": cells, "x": draw.normal(size=rows)})

    model = tabad.fit(table, quality="fast")

    kinds = ["rare", "new", "a"]
    raised = _raised(model, pa.table({"kind": kinds, "x": [0.0] * 3}))
    sampled = take_apart(model.to_bytes())[0]["domain"]["rows"]
    assert raised[0] == raised[2] == 0.0
    # Among the rows of the sample it is none: no value occurs once, and one in as many rows is expected to be new.
    assert raised[1] == pytest.approx(math.log(sampled + 1), abs=1e-5)

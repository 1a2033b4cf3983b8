"""`net = quantity * price`: rows that break it are odd, the reason names the cell, what is made obeys."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tabad
from tabad.diffusion import presets
from tabad.errors import InputError, TabadWarning, UsageError

ROWS = 1_500
RULES = ["total = net + tax", "net = quantity * price", "tax = net * rate"]


def _orders(rows: int, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    quantity, price = draw.integers(1, 9, rows), draw.lognormal(2, 1, rows).round(2)
    rate = draw.choice([0.07, 0.19], rows)
    net = (quantity * price).round(2)
    tax = (net * rate).round(2)
    return pa.table(
        {"quantity": quantity, "price": price, "net": net, "rate": rate, "tax": tax, "total": (net + tax).round(2)}
    )


def _with(table: pa.Table, row: int, **cells: float) -> pa.Table:
    for name, cell in cells.items():
        values = table[name].to_numpy().copy()
        values[row] = cell
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    return table


def _breaks(rows: pa.Table) -> int:
    cells = {name: rows[name].to_numpy() for name in rows.schema.names}
    gaps = [
        cells["quantity"] * cells["price"] - cells["net"],
        cells["net"] * cells["rate"] - cells["tax"],
        cells["net"] + cells["tax"] - cells["total"],
    ]
    return int((np.abs(gaps) > 0.00501).any(axis=0).sum())


def _said(scored: pa.Table, row: int) -> list[tuple[str, str]]:
    return [(reason["column"], reason["expected"]) for reason in scored["tabad_reasons"][row].as_py()]


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(48, 2, 256, 250, 1e9, matched=2_048))
        return tabad.fit(_orders(ROWS, 0))


def test_a_screening_finds_the_wrong_cell() -> None:
    orders = _orders(1_000, 1)
    net = orders["net"][5].as_py()
    quantity = orders["quantity"][9].as_py()
    wrong = _with(orders, 5, net=round(1.137 * net, 2))
    wrong = _with(wrong, 9, quantity=quantity + 1)
    wrong = _with(wrong, 12, total=orders["total"][12].as_py() + 3)
    scored = tabad.score(wrong)
    assert np.flatnonzero(scored["tabad_flag"].to_numpy(zero_copy_only=False)).tolist() == [5, 9, 12]
    # The net is in all three rules, and one value of it mends them; of the others each would break another.
    assert _said(scored, 5)[0] == ("net", f"{net:.2f} (total - tax)")
    assert _said(scored, 9)[0] == ("quantity", f"{quantity} (net / price)")
    assert _said(scored, 12)[0] == ("total", f"{orders['total'][12].as_py():.2f} (net + tax)")


def test_a_model_judges_rows_by_it_and_so_does_its_redacted_copy(model: tabad.Model) -> None:
    fresh = _orders(300, 2)
    wrong = _with(fresh, 7, price=fresh["price"][7].as_py() + 1)
    for one in (tabad.fit(_orders(ROWS, 0), quality="fast"), model, model.redacted(bytes(range(32)))):
        scored = one.score(wrong)
        assert int(np.argmax(scored["tabad_score"].to_numpy())) == 7
        assert _said(scored, 7)[0] == ("price", f"{fresh['price'][7].as_py():.2f} (net / quantity)")


def test_the_rules_are_found_and_kept_in_the_file(model: tabad.Model) -> None:
    found = model.constraints()
    assert [str(one) for one in found if "=" in str(one) and "<=" not in str(one)] == RULES
    assert [one.decimals for one in found[:3]] == [None, 2, 2]
    assert tabad.Model.from_bytes(model.to_bytes()).constraints() == found


def test_generated_and_filled_rows_obey(model: tabad.Model) -> None:
    made = model.generate(500, seed=1)
    assert _breaks(made) == 0
    assert set(made["quantity"].to_pylist()) <= set(range(1, 9))
    assert _breaks(model.generate(100, seed=1, constraints=None)) > 90
    held = model.generate(40, where={"quantity": 3}, seed=2)
    assert _breaks(held) == 0
    assert set(held["quantity"].to_pylist()) == {3}
    orders = _orders(200, 3)
    gone = np.arange(200) % 3
    holed = orders
    for at, name in enumerate(("price", "net")):
        column = pa.array(orders[name].to_numpy(), mask=gone == at)
        holed = holed.set_column(orders.schema.get_field_index(name), name, column)
    filled = model.impute(holed, seed=4)
    assert filled["net"].null_count + filled["price"].null_count == 0
    assert _breaks(filled.filter(pa.array(gone == 1))) == 0  # a net is what its factors make it


def test_a_rule_can_be_given(model: tabad.Model) -> None:
    orders = _orders(400, 5)
    price = orders["price"].to_numpy().copy()
    price[::15] += 1  # one in 15: too many to be found, not too many for a rule that is given
    wrong = orders.set_column(1, "price", pa.array(price)).select(["quantity", "price", "net"])
    assert "net = quantity * price" not in map(str, tabad.fit(wrong, quality="fast").constraints())
    with pytest.warns(TabadWarning, match="27 rows of the table break it"):
        given = tabad.fit(wrong, quality="fast", constraints="net = quantity * price")
    [one] = [one for one in given.constraints() if one.given]
    assert (str(one), one.broken, one.decimals) == ("net = quantity * price", 27, 2)
    with pytest.raises(UsageError, match="is no constraint"):
        tabad.fit(wrong, quality="fast", constraints="net = quantity * price * net2")
    more = model.constraints("price = quantity * rate")
    assert more[-1].decimals == 2


def test_given_rules_hold_in_floats_of_32_bits() -> None:
    orders = _orders(400, 7)
    narrow = orders.cast(pa.schema([("quantity", pa.int16()), *((n, pa.float32()) for n in orders.schema.names[1:])]))
    model = tabad.fit(narrow, quality="fast", constraints=["total = net + tax", "net = quantity * price"])
    assert [(one.broken, one.decimals) for one in model.constraints() if one.given] == [(0, None), (0, 2)]
    assert (
        int(np.argmax(model.score(_with(narrow, 3, net=narrow["net"][3].as_py() + 1))["tabad_score"].to_numpy())) == 3
    )


def test_a_text_is_not_multiplied() -> None:
    table = _orders(60, 6).append_column("unit", pa.array(["kg"] * 60))
    with pytest.raises((UsageError, InputError), match="column `unit` is string, which cannot be multiplied"):
        tabad.fit(table, quality="fast", constraints="net = quantity * unit")


def test_the_manifest_says_what_is_judged(model: tabad.Model) -> None:
    facts: list[dict[str, Any]] = model.manifest["constraints"]
    assert facts[1] == {
        "rule": "product", "columns": ["net", "quantity", "price"], "given": False, "broken": 0, "rows": ROWS,
        "checked": True, "pairs": 0, "decimals": 2,
    }  # fmt: skip

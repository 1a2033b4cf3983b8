"""Nulls that go by the value of another column: found, kept in the file, obeyed by generated and filled rows."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tabad
from tabad.diffusion import presets
from tabad.errors import TabadWarning

ROWS = 1_500
DAY = dt.date(2024, 1, 1)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    status = draw.choice(["open", "paid", "sent"], ROWS, p=[0.2, 0.2, 0.6])
    sent = [DAY + dt.timedelta(days=int(day)) for day in draw.integers(0, 90, ROWS)]
    items = draw.integers(1, 6, ROWS)
    return pa.table(
        {
            "status": status,
            "sent": pa.array(sent, mask=status != "sent"),
            "carrier": pa.array(draw.choice(["DHL", "UPS"], ROWS), mask=status != "sent"),
            "items": items,
            "spread": pa.array(draw.gamma(2.0, 1.0, ROWS).round(2), mask=items == 1),
            "amount": draw.lognormal(3, 1, ROWS).round(2),
        }
    )


@pytest.fixture(scope="module")
def model(table: pa.Table) -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(48, 2, 256, 250, 1e9, matched=2_048))
        return tabad.fit(table)


def breaks(rows: pa.Table) -> int:
    """Rows whose date or spread is there where it cannot be, or is not where it must be."""
    gone = [row["status"] != "sent" for row in rows.to_pylist()]
    sent = [
        {row["sent"] is None, row["carrier"] is None} != {out} for row, out in zip(rows.to_pylist(), gone, strict=True)
    ]
    spread = [(row["spread"] is None) != (row["items"] == 1) for row in rows.to_pylist()]
    return sum(map(max, zip(sent, spread, strict=True)))


def test_they_are_found_and_kept_in_the_file(model: tabad.Model) -> None:
    assert [str(one) for one in model.constraints()] == [
        "sent, carrier: null together",
        "status tells where sent is null",
        "items tells where spread is null",
    ]
    again = tabad.Model.from_bytes(model.to_bytes())
    assert dict(again.constraints()[1].pairs) == {"open": "null", "paid": "null", "sent": "there"}
    assert dict(again.constraints()[2].pairs) == {"1": "null", **dict.fromkeys("2345", "there")}
    assert again.constraints() == model.constraints()


def test_generated_rows_obey(model: tabad.Model) -> None:
    assert breaks(model.generate(600, seed=1)) == 0
    assert breaks(model.generate(600, seed=1, constraints=None)) > 0
    held = model.generate(100, where={"status": "open"}, seed=1)
    assert held["sent"].null_count == 100
    late = model.generate(50, where="sent >= 2024-03-01", seed=1)
    assert set(late["status"].to_pylist()) == {"sent"}


def test_what_is_meant_to_be_null_is_not_missing(model: tabad.Model, table: pa.Table) -> None:
    rows = table.slice(0, 300)
    meant = {name: rows[name].null_count for name in ("sent", "spread")}
    gone = pa.array(np.arange(300) % 3 == 0)
    sent = pc.if_else(gone, pa.scalar(None, rows["sent"].type), rows["sent"])
    holed = rows.set_column(1, rows.schema.field(1), sent)
    with pytest.warns(
        TabadWarning, match=f"{meant['sent']} of `sent`, {meant['sent']} of `carrier`, {meant['spread']} of"
    ):
        filled = model.impute(holed, seed=2)
    assert breaks(filled) == 0
    asked = model.impute(holed, columns="sent", seed=2)  # says nothing
    assert asked["sent"].null_count == 0
    assert asked["spread"].equals(rows["spread"])


def test_a_value_that_is_filled_goes_with_the_nulls_that_stand(model: tabad.Model, table: pa.Table) -> None:
    rows = table.slice(0, 300)
    holed = rows.set_column(0, rows.schema.field(0), pa.nulls(300, pa.string()))
    filled = model.impute(holed, columns="status", seed=3)
    assert filled["sent"].equals(rows["sent"])
    assert breaks(filled) == 0
    with pytest.warns(TabadWarning, match="stay null"):
        both = model.impute(holed, seed=3)
    assert both.equals(filled)  # a null beside a status that is not known is read as it stands


def test_a_null_beside_what_comes_with_it_alone_is_no_null_that_is_meant(model: tabad.Model, table: pa.Table) -> None:
    rows = table.filter(pc.equal(table["status"], "sent")).slice(0, 100)
    holed = rows.set_column(0, rows.schema.field(0), pa.nulls(100, pa.string()))
    holed = holed.set_column(1, rows.schema.field(1), pa.nulls(100, pa.date32()))
    with pytest.warns(TabadWarning, match=f"{rows['spread'].null_count} of `spread` stay null"):
        filled = model.impute(holed, seed=3)  # the carrier is there
    assert set(filled["status"].to_pylist()) == {"sent"}
    assert breaks(filled) == 0


def test_a_row_that_breaks_one_is_odd_and_says_why(model: tabad.Model, table: pa.Table) -> None:
    rows = table.filter(pc.equal(table["status"], "sent")).slice(0, 40)
    none = pa.nulls(1, pa.string())

    def with_first(name: str, cell: pa.Array) -> pa.Table:
        column = pa.chunked_array([cell.cast(rows[name].type), *rows[name].slice(1).chunks])
        return rows.set_column(rows.schema.get_field_index(name), name, column)

    plain = model.score(rows)["tabad_score"].to_numpy()
    for wrong, column, expected in [
        (with_first("sent", none), "sent", "a value (as carrier)"),  # the status says so too
        (with_first("carrier", none), "carrier", "a value (as sent)"),
        (with_first("status", pa.array(["open"])), "sent", "null (status open)"),
    ]:
        scored = model.score(wrong)
        assert scored["tabad_flag"].to_pylist()[0]
        assert (scored["tabad_reasons"][0][0]["column"].as_py(), scored["tabad_reasons"][0][0]["expected"].as_py()) == (
            column, expected,
        )  # fmt: skip
        # 1,500 rows and two rules that go by a value, one of nulls together: ln(1,501 / 3) nats at least.
        assert scored["tabad_score"].to_numpy()[0] - plain[0] > 5
        assert np.array_equal(scored["tabad_score"].to_numpy()[1:], plain[1:])


def test_a_redacted_copy_keeps_the_rules_without_values(model: tabad.Model) -> None:
    redacted = model.redacted(bytes(range(32)))
    assert [str(one) for one in redacted.constraints()] == ["sent, carrier: null together"]


def test_rows_of_an_update_that_break_one_strike_it_out(model: tabad.Model, table: pa.Table) -> None:
    wrong = table.slice(0, 700).set_column(0, "status", pa.array(["sent"] * 700))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(48, 2, 256, 50, 1e9, matched=2_048))
        updated = tabad.fit(wrong, update=model)
    facts = {one["columns"][-1]: one for one in updated.manifest["constraints"]}
    assert facts["sent"]["broken"] == table.slice(0, 700)["sent"].null_count
    assert (facts["sent"]["checked"], facts["carrier"]["checked"], facts["spread"]["checked"]) == (False, True, True)

"""A row that breaks what no row of the fit broke is odd by how rare that is, and its reason says what would obey."""

import datetime as dt
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle.model_file import put_together, take_apart

import tabad
from tabad.cli.render import constraint_lines
from tabad.diffusion import presets

ROWS = 1_200
DAY = dt.date(2024, 1, 1)
CENT = Decimal("0.01")


def _table(rows: int, seed: int) -> pa.Table:
    """Totals in cents as decimals, whole items, and days in order; a tenth of the ends are missing."""
    draw = np.random.default_rng(seed)
    net, tax = draw.integers(100, 9_000, rows), draw.integers(100, 9_000, rows)
    start, length = draw.integers(0, 60, rows), draw.integers(0, 20, rows)
    gone = draw.random(rows) < 0.1

    def money(cents: np.ndarray) -> pa.Array:
        return pa.array([Decimal(int(value)).scaleb(-2) for value in cents], pa.decimal128(9, 2))

    ends = [None if lost else DAY + dt.timedelta(days=int(day)) for day, lost in zip(start + length, gone, strict=True)]
    return pa.table(
        {
            "net": money(net),
            "tax": money(tax),
            "total": money(net + tax),
            "start": pa.array([DAY + dt.timedelta(days=int(day)) for day in start], pa.date32()),
            "end": pa.array(ends, pa.date32()),
            "weight": draw.normal(70, 9, rows),
        }
    )


def _brief(table: pa.Table, **options: Any) -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
        return tabad.fit(table, **options)


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    pytest.importorskip("torch")
    return _brief(_table(ROWS, 1))


def _without_rules(model: tabad.Model) -> tabad.Model:
    manifest, tensors = take_apart(model.to_bytes())
    return tabad.Model.from_bytes(put_together({**manifest, "constraints": []}, tensors))


def _with(table: pa.Table, name: str, change: Callable[[Any], Any]) -> pa.Table:
    return _with_cells(table, name, [change(row) for row in table.to_pylist()])


def _with_cells(table: pa.Table, name: str, cells: list[Any]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(cells, table[name].type))


def _scores(model: tabad.Model, table: pa.Table) -> np.ndarray:
    return np.array(model.score(table, explain="none")["tabad_score"].to_pylist())


RULES = ["total = net + tax", "net <= total", "tax <= total", "start <= end"]
EVIDENCE = math.log(20 * (ROWS + 1))
"""Of a broken sum, however many there are."""
OF_ORDERS = math.log((ROWS + 1) / 3)


def test_a_cent_is_worth_how_rare_it_is(model: tabad.Model) -> None:
    assert [str(one) for one in model.constraints()] == RULES
    wrong = _with(_table(200, 2), "total", lambda row: row["total"] + CENT)

    raised = _scores(model, wrong) - _scores(_without_rules(model), wrong)

    np.testing.assert_allclose(raised, EVIDENCE, atol=1e-9)
    assert set(model.score(wrong, level=0.01)["tabad_flag"].to_pylist()) == {True}


def test_a_row_that_breaks_two_rules_is_raised_once(model: tabad.Model) -> None:
    wrong = _with(_table(200, 2), "total", lambda row: (min(row["net"], row["tax"]) / 2).quantize(CENT))

    np.testing.assert_allclose(_scores(model, wrong) - _scores(_without_rules(model), wrong), EVIDENCE, atol=1e-9)


def test_a_broken_order_is_worth_less_the_more_orders_there_are(model: tabad.Model) -> None:
    late = _with(_table(200, 2), "start", lambda row: row["end"] and row["end"] + dt.timedelta(days=1))
    late = late.filter(late["end"].is_valid())

    np.testing.assert_allclose(_scores(model, late) - _scores(_without_rules(model), late), OF_ORDERS, atol=1e-9)


def test_orders_that_are_many_for_the_rows_say_nothing() -> None:
    pytest.importorskip("torch")
    draw = np.random.default_rng(9)
    base = draw.normal(size=600)
    steps = np.cumsum(draw.uniform(0.1, 0.4, (6, 600)), axis=0)
    table = pa.table({f"c{at:02d}": base + steps[at] for at in range(6)} | {"free": draw.normal(size=600)})
    few, many = table.select(["c00", "c01", "free"]), table
    wrong = _with(table.slice(0, 20), "c01", lambda row: row["c00"] - 0.05)

    for rows, counts in ((few, True), (many, False)):
        model = _brief(rows)
        orders = [one for one in model.constraints() if one.rule == "at_most"]
        assert (len(orders) * 200 <= 600) == counts, len(orders)
        raised = _scores(model, wrong.select(rows.column_names)) > _scores(
            _without_rules(model), wrong.select(rows.column_names)
        )
        assert raised.tolist() == [counts] * 20


def test_rows_that_obey_keep_their_score_to_the_bit(model: tabad.Model) -> None:
    rows = _table(500, 3)

    assert _scores(model, rows).tolist() == _scores(_without_rules(model), rows).tolist()


def test_a_missing_cell_breaks_nothing(model: tabad.Model) -> None:
    for name in ("net", "total", "start"):
        rows = _with(_table(50, 4), name, lambda _: None)
        assert _scores(model, rows).tolist() == _scores(_without_rules(model), rows).tolist()


def test_the_reason_says_what_would_obey(model: tabad.Model) -> None:
    rows = _table(60, 5)
    wrong = _with(rows, "total", lambda row: row["total"] * 4)
    late = _with(rows, "end", lambda row: row["start"] - dt.timedelta(days=1))

    named = []
    for row in model.score(wrong, explain="all").to_pylist():
        first, second = row["tabad_reasons"][:2]
        obeying = {
            "total": f"{row['net'] + row['tax']} (net + tax)",
            "net": f"{row['total'] - row['tax']} (total - tax)",
            "tax": f"{row['total'] - row['net']} (total - net)",
        }
        # Any cell of a sum may be wrong: the likeliest counts twice as much as the next.
        assert first["expected"] == obeying[first["column"]]
        assert second["expected"] == obeying[second["column"]]
        named.append(first["column"])
        assert first["share"] == pytest.approx(2 / 3 * EVIDENCE / row["tabad_score"], rel=1e-5)
        assert second["share"] == pytest.approx(1 / 3 * EVIDENCE / row["tabad_score"], rel=1e-5)
        assert sum(reason["share"] for reason in row["tabad_reasons"]) <= 1.0 + 1e-5
    # Four times a small total is a total that there is: then a part may be wrong as well.
    assert named.count("total") >= 0.8 * len(named)
    for row in model.score(late, explain="all").to_pylist():
        first = row["tabad_reasons"][0]
        limit = {"end": f"at least {row['start']} (start)", "start": f"at most {row['end']} (end)"}
        assert first["expected"] == limit[first["column"]]


def test_of_two_broken_orders_the_narrower_is_what_is_expected() -> None:
    draw = np.random.default_rng(6)
    first, second = draw.uniform(0, 50, (2, ROWS)).round(2)
    last = (np.maximum(first, second) + draw.uniform(1, 40, ROWS)).round(2)
    table = pa.table({"first": first, "second": second, "last": last})
    model = tabad.fit(table, quality="fast")
    wrong = _with(table.slice(0, 60), "last", lambda row: min(row["first"], row["second"]) - 20)

    for row in model.score(wrong, explain="all").to_pylist():
        reason = next(one for one in row["tabad_reasons"] if one["column"] == "last")
        limit, name = max((row["first"], "first"), (row["second"], "second"))
        assert reason["expected"] == f"at least {limit:.2f} ({name})"


def test_a_context_column_is_not_to_blame() -> None:
    pytest.importorskip("torch")
    model = _brief(_table(ROWS, 1).drop_columns(["net", "tax", "total"]), given=["start"])
    late = _with(_table(60, 5), "start", lambda row: row["end"] and row["end"] + dt.timedelta(days=1))
    late = late.filter(late["end"].is_valid())

    for row in model.score(late, explain="all").to_pylist():
        first = row["tabad_reasons"][0]
        assert (first["column"], first["expected"]) == ("end", f"at least {row['start']} (start)")


def test_a_part_is_named_where_it_alone_makes_the_row_ordinary() -> None:
    pytest.importorskip("torch")
    draw = np.random.default_rng(8)
    net, tax = draw.integers(1_000, 9_000, ROWS), draw.integers(1, 400, ROWS)
    table = pa.table({"net": net, "tax": tax, "total": net + tax})
    wrong = _with(table.slice(0, 40), "tax", lambda row: row["tax"] + 5_000)

    reasons = [of[0] for of in _brief(table).score(wrong, explain="all")["tabad_reasons"].to_pylist()]

    assert [(of["column"], of["expected"]) for of in reasons] == [("tax", f"{t} (total - net)") for t in tax[:40]]


def test_what_would_obey_is_written_like_the_other_cells() -> None:
    pytest.importorskip("torch")
    draw = np.random.default_rng(8)
    net, tax = draw.integers(1_000, 9_000, ROWS) / 4, draw.integers(1, 400, ROWS) / 4
    table = pa.table({"net": net, "tax": tax, "total": net + tax})
    wrong = _with(table.slice(0, 40), "total", lambda row: row["total"] * 3 + 0.0123456)

    reasons = [of[0] for of in _brief(table).score(wrong, explain="all")["tabad_reasons"].to_pylist()]

    named = [(of, n + t) for of, n, t in zip(reasons, net, tax, strict=False) if of["column"] == "total"]
    assert len(named) >= 20
    for reason, total in named:
        assert float(reason["expected"].removesuffix(" (net + tax)")) == total
        assert len(reason["expected"].split(" ")[0].partition(".")[2]) <= 2


def test_cells_of_other_types_obey_as_well_as_their_precision_lets_them(model: tabad.Model) -> None:
    rows = _table(300, 6)
    single = rows.cast(
        pa.schema([(f.name, pa.float32() if pa.types.is_decimal(f.type) else f.type) for f in rows.schema])
    )
    # One of two dates as an instant: 2024-01-05 and 2024-01-05 12:00 say nothing of each other.
    noon = _with(rows, "end", lambda row: row["start"])
    mixed = noon.set_column(
        3, "start", pa.array([dt.datetime.combine(d, dt.time(12)) for d in rows["start"].to_pylist()])
    )

    for table in (single, mixed):
        assert _scores(model, table).tolist() == _scores(_without_rules(model), table).tolist()
    wrong = _with(single, "total", lambda row: row["total"] + 1.0)
    assert (_scores(model, wrong) > _scores(_without_rules(model), wrong)).all()


def test_a_student_and_its_redacted_copy_look_at_rules_too() -> None:
    pytest.importorskip("torch")
    from tabad.diffusion import distill

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill, "size_for", lambda *_: distill.Size(16, 1, 500, 20))
        model = _brief(_table(2_000, 1))
    key = bytes(range(32))
    redacted = tabad.Model.from_bytes(model.redacted(key).to_bytes()).with_key(key)
    student = model.with_scorer("student")
    wrong = _with(_table(200, 2), "total", lambda row: row["total"] + CENT)

    assert _scores(redacted, wrong).tolist() == _scores(student, wrong).tolist()
    assert (_scores(student, wrong) > _scores(_without_rules(student), wrong) + 5.0).all()


def test_a_given_rule_that_many_rows_break_is_not_looked_at() -> None:
    pytest.importorskip("torch")
    table = _with(_table(ROWS, 1), "weight", lambda row: float(row["net"]) + (row["weight"] - 80.0))
    many = sum(row["weight"] > float(row["net"]) for row in table.to_pylist())
    assert many > ROWS // 10
    with pytest.warns(tabad.TabadWarning, match="rows of the table break it"):
        model = _brief(table, constraints=["weight <= net"])

    assert [one.broken for one in model.constraints() if one.given] == [many]
    fresh = _with(table.slice(0, 50), "weight", lambda row: float(row["net"]) + 1.0)
    assert _scores(model, fresh).tolist() == _scores(_without_rules(model), fresh).tolist()


def _wrong(table: pa.Table, rows: list[int]) -> pa.Table:
    """With totals a cent off in these rows."""
    off = [CENT if row in rows else Decimal(0) for row in range(table.num_rows)]
    cells = [row["total"] + more for row, more in zip(table.to_pylist(), off, strict=True)]
    return table.set_column(2, "total", pa.array(cells, table["total"].type))


WRONG = [7, 400, 401, 1_100]


@pytest.mark.parametrize("quality", ["fast", "default"])
def test_a_rule_with_few_exceptions_finds_them_in_the_very_table(quality: Any) -> None:
    if quality == "default":
        pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
        scored = tabad.score(_wrong(_table(ROWS, 1), WRONG), quality=quality, explain="all").to_pylist()

    oddest = sorted(range(ROWS), key=lambda row: -scored[row]["tabad_score"])[: len(WRONG)]
    assert sorted(oddest) == WRONG
    assert [row for row in range(ROWS) if scored[row]["tabad_flag"]] == WRONG
    for row in WRONG:
        assert (
            "(net + tax)" in scored[row]["tabad_reasons"][0]["expected"]
            or " - " in scored[row]["tabad_reasons"][0]["expected"]
        )
    # Shares of ranks: the rows that were raised are among those that they are compared with.
    assert [scored[row]["tabad_p_value"] for row in oddest] == [(2 + rank) / (1 + ROWS) for rank in range(len(WRONG))]


def test_rows_that_calibrate_are_raised_too() -> None:
    pytest.importorskip("torch")
    table = _table(ROWS, 1)
    model = _brief(_wrong(table, list(range(0, ROWS, 110))))
    assert [one.broken for one in model.constraints() if one.rule == "sum"] == [11]
    calibration = model.manifest["calibration_rows"]
    wrong = _wrong(_table(300, 2), list(range(300)))

    # Of 240 calibration rows some two are raised; a row that breaks the rule is as odd as those.
    p = np.array(model.score(wrong, explain="none")["tabad_p_value"].to_pylist())
    raised = round(float(p.max()) * (calibration + 1)) - 1
    assert 1 <= raised <= 8
    np.testing.assert_allclose(_scores(model, wrong) - _scores(_without_rules(model), wrong), EVIDENCE, atol=1e-9)


def test_exceptions_weaken_an_order() -> None:
    pytest.importorskip("torch")
    table = _table(ROWS, 1).drop_columns(["net", "tax", "total"])
    late = [row for row in range(ROWS) if table["end"][row].is_valid][:5]
    ends = [
        start - dt.timedelta(days=1) if row in late else end
        for row, (start, end) in enumerate(zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True))
    ]
    model = _brief(table.set_column(1, "end", pa.array(ends, pa.date32())))
    assert [(str(one), one.broken) for one in model.constraints()] == [("start <= end", 5)]
    wrong = _with(_table(200, 2), "start", lambda row: row["end"] and row["end"] + dt.timedelta(days=1))
    wrong = wrong.filter(wrong["end"].is_valid()).select(table.column_names)

    raised = _scores(model, wrong) - _scores(_without_rules(model), wrong)
    np.testing.assert_allclose(raised, math.log((ROWS + 1) / 6), atol=1e-9)


def test_rows_of_a_labelled_table_may_be_the_exceptions() -> None:
    pytest.importorskip("torch")
    table = _wrong(_table(ROWS, 1), WRONG)
    kind = pa.array(["wrong" if row in WRONG else "right" for row in range(ROWS)])
    plain, labelled = _brief(table), _brief(table.append_column("kind", kind), label="kind")

    def adds_up(rows: pa.Table) -> set[bool]:
        return {row["total"] == row["net"] + row["tax"] for row in rows.to_pylist()}

    assert adds_up(plain.generate(50)) == {True}
    assert adds_up(labelled.generate(50)) != {True}


def test_an_update_counts_what_its_rows_break(model: tabad.Model) -> None:
    more = _table(1_000, 7)
    late = pa.concat_tables(
        [more.slice(1), _with(more.slice(0, 1), "end", lambda row: row["start"] - dt.timedelta(days=1))]
    )

    same, struck = tabad.fit(more, update=model), tabad.fit(late, update=model)

    assert [one.broken for one in same.constraints()] == [0, 0, 0, 0]
    assert [one.broken for one in struck.constraints()] == [0, 0, 0, 1]
    # Of few rows orders say nothing, and are looked at all the same: more rows may make them tell.
    assert [one.broken for one in tabad.fit(late, update=_brief(_table(550, 1))).constraints()][-1] == 1


def test_an_order_of_amounts_that_an_update_breaks_says_nothing_from_then_on() -> None:
    pytest.importorskip("torch")
    draw = np.random.default_rng(3)
    low = draw.integers(0, 500, ROWS)
    table = pa.table({"low": low, "high": low + draw.integers(1, 300, ROWS), "free": draw.normal(size=ROWS)})
    model = _brief(table)
    wrong = _with(table.slice(0, 50), "low", lambda row: row["high"] + 1)
    assert [(str(one), one.broken) for one in model.constraints()] == [("low <= high", 0)]
    assert (_scores(model, wrong) > _scores(_without_rules(model), wrong)).all()

    updated = tabad.fit(pa.concat_tables([table, wrong.slice(0, 1)]), update=model)

    assert [(str(one), one.broken) for one in updated.constraints()] == [("low <= high", 1)]
    assert _scores(updated, wrong).tolist() == _scores(_without_rules(updated), wrong).tolist()


def test_a_file_of_before_looks_at_no_rule(model: tabad.Model) -> None:
    manifest, tensors = take_apart(model.to_bytes())
    for one in manifest["constraints"]:
        del one["broken"]
    old = tabad.Model.from_bytes(put_together(manifest, tensors))
    wrong = _with(_table(50, 2), "total", lambda row: row["total"] + CENT)

    assert _scores(old, wrong).tolist() == _scores(_without_rules(model), wrong).tolist()
    assert json.loads(old.core.constraints())[0]["broken"] is None


def test_a_table_is_screened_by_a_rule_that_is_given() -> None:
    rows = _table(600, 3)
    wrong = [7, 90, 501]
    cells = [row["weight"] - 200 if at in wrong else row["weight"] for at, row in enumerate(rows.to_pylist())]
    table = _with_cells(rows, "weight", cells).append_column("least", pa.array(np.linspace(0, 30, 600)))

    scored = tabad.score(table, constraints="least <= weight", explain="flagged")

    flagged = np.flatnonzero(scored["tabad_flag"].to_pylist()).tolist()
    assert flagged == wrong
    for row in wrong:
        first = scored["tabad_reasons"].to_pylist()[row][0]
        assert {first["column"], first["expected"].rsplit("(", 1)[1].rstrip(")")} == {"weight", "least"}


def test_a_rule_that_one_row_in_four_breaks_says_nothing_and_that_is_said() -> None:
    draw = np.random.default_rng(5)
    table = pa.table({"a": draw.normal(0.0, 1.0, 800), "b": draw.normal(1.0, 1.0, 800)})
    broken = int((np.array(table["a"]) > np.array(table["b"])).sum())
    assert broken > 80

    with pytest.warns(tabad.TabadWarning, match=f"`a <= b` was given, and {broken} rows of the table break it"):
        model = tabad.fit(table, quality="fast", constraints=["a <= b"])

    assert constraint_lines(model.manifest) == [f"a <= b (but {broken} of 800 rows: too many for it to say anything)"]
    assert (_scores(model, table) == _scores(_without_rules(model), table)).all()


def test_fast_takes_no_rule_that_is_for_generated_rows_alone() -> None:
    with pytest.raises(tabad.UsageError, match="`start -> end` is for rows that are generated"):
        tabad.score(_table(100, 3), constraints=["start -> end"])


def test_rules_of_the_normal_rows_are_found_though_frauds_break_them() -> None:
    rows = _table(1_000, 6)
    fraud = [at % 10 == 0 for at in range(1_000)]
    cells = [row["total"] + (CENT if odd else 0) for odd, row in zip(fraud, rows.to_pylist(), strict=True)]
    table = _with_cells(rows, "total", cells).append_column(
        "fraud", pa.array(["yes" if odd else "no" for odd in fraud])
    )

    model = tabad.fit(table, label="fraud", normal="no", quality="fast")
    either = tabad.fit(table, label="fraud", quality="fast")

    assert [(str(one), one.broken, one.rows, one.of_normal) for one in model.constraints()] == [
        ("total = net + tax", 0, 900, True),
        ("net <= total", 0, 900, False),
        ("tax <= total", 0, 900, False),
        ("start <= end", 0, 900, False),
    ]
    assert "total = net + tax" not in [str(one) for one in either.constraints()]
    assert "total = net + tax" not in [str(one) for one in model._generated_obey(())]
    wrong = _with(_table(100, 2), "total", lambda row: row["total"] + CENT)
    assert max(model.score(wrong, explain="none")["tabad_p_value"].to_pylist()) <= 0.01
    # Nor do the frauds of an update say anything against it.
    updated = tabad.fit(table, update=model)
    assert next((str(one), one.broken, one.rows) for one in updated.constraints()) == ("total = net + tax", 0, 1_800)
    assert max(updated.score(wrong, explain="none")["tabad_p_value"].to_pylist()) <= 0.01

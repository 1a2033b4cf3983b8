"""Constraints: how a text reads, what is found in a table and what chance alone would do, across batches."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from tests.oracle.rules import rules

from tabad import _core
from tabad.constraints import Constraint, from_text, parse
from tabad.constraints.find import chance_is_out, search
from tabad.constraints.watch import Watch
from tabad.errors import UsageError

DRAW = np.random.default_rng(0)
N = 2_000


def told(table: pa.Table, seed: int = 0) -> list[Constraint]:
    """Orders and sums that a fit finds."""
    fit = _core.Fit(seed=seed, memory=32)
    fit.observe(table)
    fit.prepare()
    return from_text(fit.constraints())


def found(columns: dict[str, object]) -> list[str]:
    table = pa.table(columns)
    return [str(one) for one in [*told(table), *search(table)]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start <= end", Constraint("at_most", ("start", "end"), given=True)),
        ("end >= start", Constraint("at_most", ("start", "end"), given=True)),
        ("total = net + tax", Constraint("sum", ("total", "net", "tax"), given=True)),
        ("net + tax = total", Constraint("sum", ("total", "net", "tax"), given=True)),
        ("amount = quantity * price", Constraint("product", ("amount", "quantity", "price"), given=True)),
        ("quantity * price = amount", Constraint("product", ("amount", "quantity", "price"), given=True)),
        ("a-b = c * d-e", Constraint("product", ("a-b", "c", "d-e"), given=True)),
        ("zip->city", Constraint("determines", ("zip", "city"), given=True)),
        ("two words <= c-d", Constraint("at_most", ("two words", "c-d"), given=True)),
    ],
)
def test_a_text_reads(text: str, expected: Constraint) -> None:
    assert parse([text]) == [expected]


@pytest.mark.parametrize("text", ["", "a", "a <=", "a <= a", "a <= b <= c", "a + b = c + d", "a -> b + c", "a < b"])
def test_a_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no constraint on columns"):
        parse([text])


def test_times_in_order_are_found_and_what_follows_is_left_out() -> None:
    start = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=int(h)) for h in DRAW.integers(0, 500, N)]
    middle = [t + dt.timedelta(hours=int(h)) for t, h in zip(start, DRAW.integers(0, 90, N), strict=True)]
    end = [t + dt.timedelta(hours=int(h)) for t, h in zip(middle, DRAW.integers(0, 90, N), strict=True)]
    assert found({"end": end, "start": start, "middle": middle}) == ["start <= middle", "middle <= end"]


def test_columns_of_different_size_say_nothing() -> None:
    assert found({"age": DRAW.integers(18, 80, N), "wage": DRAW.integers(10_000, 90_000, N)}) == []


@pytest.mark.parametrize("kind", ["int", "float", "float32", "decimal"])
def test_sums_are_found_to_the_last_decimal(kind: str) -> None:
    parts = [DRAW.integers(0, 100_000, N) for _ in range(3)]
    other = DRAW.integers(0, 300_000, N)
    scale = {
        "int": lambda x: pa.array(x),
        "float": lambda x: pa.array(x / 100),
        "float32": lambda x: pa.array((x / 100).astype(np.float32)),
        "decimal": lambda x: pa.array([Decimal(int(v)).scaleb(-2) for v in x], pa.decimal128(12, 2)),
    }[kind]
    columns = {"net": scale(parts[0]), "tax": scale(parts[1]), "other": scale(other), "sum": scale(parts[0] + parts[1])}
    assert "sum = net + tax" in found(columns)
    assert "total = net + tax + fee" in found(
        {"net": scale(parts[0]), "tax": scale(parts[1]), "fee": scale(parts[2]), "total": scale(sum(parts))}
    )
    # One row in a hundred may be wrong.
    for wrong, holds in ((N // 100, True), (N // 100 + 1, False)):
        off = columns["sum"].to_pylist()
        off[-wrong:] = [value + 1 for value in off[-wrong:]]
        assert ("sum = net + tax" in found({**columns, "sum": pa.array(off, columns["sum"].type)})) == holds


def test_products_are_found_to_the_last_decimal_of_the_total() -> None:
    quantity, price, rate = DRAW.integers(1, 9, N), DRAW.lognormal(2, 1, N).round(2), DRAW.choice([0.07, 0.19], N)
    net = (quantity * price).round(2)
    columns = {"quantity": quantity, "price": price, "net": net, "rate": rate, "tax": (net * rate).round(2)}
    result = {str(one): one for one in told(pa.table(columns)) if one.rule == "product"}
    assert list(result) == ["net = quantity * price", "tax = net * rate"]
    assert [(one.broken, one.decimals) for one in result.values()] == [(0, 2), (0, 2)]
    wrong = net.copy()
    wrong[:20] *= 1.0371  # one in a hundred, with more decimals than the others have
    [one] = [one for one in told(pa.table({**columns, "net": wrong}).drop_columns("tax")) if one.rule == "product"]
    assert (one.broken, one.decimals) == (20, 2)
    wrong[20] *= 2
    assert [one for one in told(pa.table({**columns, "net": wrong}).drop_columns("tax")) if one.rule == "product"] == []
    narrow = {"quantity": quantity, "price": price.astype(np.float32), "net": net.astype(np.float32)}
    [one] = [one for one in told(pa.table(narrow)) if one.rule == "product"]
    assert (str(one), one.broken, one.decimals) == ("net = quantity * price", 0, 2)
    free = {"quantity": quantity, "price": price, "ratio": quantity * price}
    [one] = [one for one in told(pa.table(free)) if one.rule == "product"]
    assert (str(one), one.decimals) == ("ratio = quantity * price", None)  # 3 x 1.1 is 3.3000000000000003


def test_a_product_is_not_what_rounding_makes() -> None:
    # Shares below 1 whose product is 0 in whole numbers, beside counts that mostly are; factors that are 0 or 1.
    share, other = DRAW.random(N).round(2), DRAW.random(N).round(2)
    count = np.where(DRAW.random(N) < 0.005, 3, 0)
    assert [text for text in found({"share": share, "other": other, "count": count}) if "*" in text] == []
    flag, amount = DRAW.integers(0, 2, N), DRAW.lognormal(3, 1, N).round(2)
    same = np.where(flag == 1, amount, 0.0)
    assert [text for text in found({"flag": flag, "amount": amount, "same": same}) if "*" in text] == []


def test_a_dependency_is_found_one_exception_refutes_it() -> None:
    code = DRAW.integers(0, 40, N)
    columns = {"code": pa.array([f"c{c}" for c in code]), "country": pa.array([f"n{c // 2}" for c in code])}
    assert found(columns) == ["code -> country"]
    broken = columns["country"].to_pylist()
    broken[-1] = "n99"
    assert found({**columns, "country": pa.array(broken)}) == []


def test_a_column_that_hardly_repeats_determines_nothing() -> None:
    # 2,000 rows, 1,900 values: what repeats could agree by chance, nine in ten do.
    rare = DRAW.random(N) < 0.05
    assert found({"key": [f"k{v}" for v in DRAW.integers(0, 20_000, N)], "rare": rare}) == []


def test_nulls_that_come_together_are_found() -> None:
    gone, more = DRAW.random(N) < 0.03, DRAW.random(N) < 0.05
    values = DRAW.normal(size=N)
    masked = {name: pa.array(values, mask=mask) for name, mask in [("a", gone), ("b", gone), ("c", gone | more)]}
    assert [text for text in found(masked) if "null" in text] == ["a, b: null together", "c is null where a is"]
    apart = {"a": pa.array(values, mask=gone), "b": pa.array(values[::-1], mask=more)}
    assert [text for text in found(apart) if "null" in text] == []


def test_nulls_that_go_by_a_value_are_found_one_exception_refutes_it() -> None:
    status = DRAW.choice(["open", "paid", "sent"], N, p=[0.1, 0.2, 0.7])
    # A code that determines the status tells no more than it; where the status is null nothing is said.
    code = np.char.add(status, DRAW.integers(0, 5, N).astype(str))
    empty = status != "sent"
    columns = {
        "code": code,
        "status": pa.array(status, mask=DRAW.random(N) < 0.01),
        "sent": pa.array(DRAW.random(N), mask=empty),
    }
    assert found(columns) == ["code -> status", "status tells where sent is null"]
    # Nulls together: of the first alone.
    both = {"status": status, "sent": columns["sent"], "by": pa.array(DRAW.random(N), mask=empty)}
    assert found(both) == ["sent, by: null together", "status tells where sent is null"]
    empty[np.flatnonzero(status == "open")[0]] = False
    assert found({"status": status, "sent": pa.array(DRAW.random(N), mask=empty)}) == []


def test_two_columns_that_tell_each_other_say_it_once() -> None:
    one = DRAW.integers(0, 6, N)
    columns = {"one": one, "two": [f"t{v}" for v in one], "cell": pa.array(DRAW.random(N), mask=one == 3)}
    assert [text for text in found(columns) if "null" in text] == ["one tells where cell is null"]


def test_nulls_by_a_value_need_repeats_beyond_chance() -> None:
    # 3 of 1,000 keys of two rows each are with nulls: 1,000 repeats at 0.006 nats are 6.
    key = np.repeat(np.arange(1_000), 2)
    assert found({"key": key, "cell": pa.array(DRAW.random(N), mask=key < 3)}) == []
    assert found({"key": key, "cell": pa.array(DRAW.random(N), mask=key < 300)}) == ["key tells where cell is null"]


def test_chance_is_excluded_beyond_twenty_nats() -> None:
    # -ln 0.5 is 0.693: 28 rows are 19.4 nats, 29 are 20.1.
    assert [chance_is_out(rows, 0.5) for rows in (28, 29)] == [False, True]
    assert not chance_is_out(19, 0.0)


def watched(table: pa.Table, given: list[str], batch: int) -> Watch:
    watch = Watch(parse(given))
    reader = watch.through(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch)))
    assert reader.read_all().equals(table)
    return watch


def test_rows_after_the_search_strike_out_and_bring_further_pairs() -> None:
    code = np.r_[DRAW.integers(0, 30, 24_000), [50]]
    low = DRAW.integers(0, 100, len(code))
    high = low + DRAW.integers(0, 100, len(code))
    wrong = high.copy()
    wrong[-2] = -1
    table = pa.table({"code": code, "half": [f"h{c // 2}" for c in code], "low": low, "high": high, "wrong": wrong})
    columns = [{"name": name, "kind": "category" if name == "half" else "number"} for name in table.schema.names]
    watch = watched(table, ["low <= wrong"], 7_000)
    result = {str(one): one for one in watch.found(columns)}
    assert list(result) == ["low <= wrong", "code -> half", "wrong -> high"]
    assert [(one.broken, one.rows) for one in result.values()] == [(1, 24_001), (0, 24_001), (0, 24_001)]
    assert dict(result["code -> half"].pairs) == {str(c): f"h{c // 2}" for c in [*range(30), 50]}
    assert watch.notes() == ["`low <= wrong` was given, and 1 row of the table breaks it"]


def test_rows_after_the_search_bring_values_that_tell_of_nulls_or_strike_the_rule_out() -> None:
    code = np.r_[DRAW.integers(0, 30, 24_000), [50]]
    values = DRAW.random(len(code))
    late = code < 10
    late[-3] = ~late[-3]
    table = pa.table({"code": code, "cell": pa.array(values, mask=code < 10), "late": pa.array(values, mask=late)})
    watch = watched(table, [], 7_000)
    [one] = watch.found([{"name": name, "kind": "number"} for name in table.schema.names])
    assert str(one) == "code tells where cell is null"
    assert dict(one.pairs) == {str(c): "null" if c < 10 else "there" for c in [*range(30), 50]}
    times = [{"name": name, "kind": "datetime"} for name in table.schema.names]
    assert watch.found(times) == []  # no model keeps single times


def test_rows_beyond_the_first_bring_further_exceptions() -> None:
    low = DRAW.integers(0, 100, 24_000) * 86_400
    high = low + DRAW.integers(0, 100, len(low)) * 86_400
    few, many = high.copy(), high.copy()
    few[DRAW.permutation(len(low))[:160]] = -1
    many[DRAW.permutation(len(low))[:300]] = -1
    amounts = pa.table({"low": low, "few": few, "many": many})
    assert told(amounts) == []
    result = {
        str(one): one
        for one in told(amounts.cast(pa.schema([(name, pa.timestamp("s")) for name in ["low", "few", "many"]])))
    }
    assert (result["low <= few"].broken, result["low <= few"].rows) == (160, 24_000)
    assert not [text for text in result if text.endswith("<= many")]


def random_table(seed: int) -> pa.Table:
    """Sums and orders with and without exceptions, missing cells, columns that are mostly 0, and columns of chance."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(60, 3_000))
    a, b, c = (
        draw.integers(0, int(draw.integers(3, 10_000)), n) * (draw.random(n) < draw.uniform(0.1, 1)) for _ in range(3)
    )
    rows = {"a": a, "b": b, "c": c, "ab": a + b, "abc": a + b + c, "copy": a.copy(), "free": draw.normal(size=n)}
    rows["above"] = a + draw.integers(0, 50, n)
    few, price = draw.integers(1, 7, n), draw.lognormal(1, 1, n).round(2)
    rows |= {"few": few, "price": price, "cost": (few * price).round(2), "whole": (few * price).round()}
    for name in ("ab", "abc", "copy", "above", "cost", "whole"):
        wrong = draw.permutation(n)[: int(draw.integers(0, n // 60 + 1))]
        rows[name][wrong] = draw.integers(0, 20_000, len(wrong))
    start = np.datetime64("2024-01-01") + draw.integers(0, 300, n)
    rows |= {"start": start, "end": start + draw.integers(-1 if seed % 2 else 0, 200, n)}
    missing = {name: draw.random(n) < draw.choice([0.0, 0.1]) for name in rows}
    return pa.table({name: pa.array(values, mask=missing[name]) for name, values in rows.items()})


@pytest.mark.parametrize("seed", range(30))
def test_what_is_found_is_what_the_twin_finds(seed: int) -> None:
    table = random_table(seed)
    kinds = {name: "datetime" if name in ("start", "end") else "number" for name in table.column_names}
    fit = _core.Fit(kinds=kinds, memory=32)
    fit.observe(table)
    fit.prepare()
    assert from_text(fit.constraints()) == rules(table)


def test_a_given_dependency_takes_the_commonest_value() -> None:
    table = pa.table({"zip": ["1"] * 5 + ["2"] * 3, "city": ["Rome"] * 4 + ["Roma"] + ["Oslo"] * 3})
    watch = watched(table, ["zip -> city"], 3)
    (one,) = watch.found([{"name": "zip", "kind": "key"}, {"name": "city", "kind": "category"}])
    assert one.pairs == (("1", "Rome"), ("2", "Oslo"))
    assert watch.notes() == ["`zip -> city` was given, and 1 pairs of the table contradict a commoner one"]

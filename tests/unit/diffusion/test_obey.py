"""What is free moves so that rows obey, what stands does not; what cannot be mended is named."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from tabad.constraints import Constraint, parse
from tabad.diffusion.obey import Obedience, Rows


def rows(columns: dict[str, list[object]], held: str = "", types: dict[str, pa.DataType] | None = None) -> Rows:
    chunked = {name: pa.chunked_array([pa.array(cells, (types or {}).get(name))]) for name, cells in columns.items()}
    return Rows(chunked, {name: np.full(len(cells), name != held) for name, cells in columns.items()})


def enforced(made: Rows, texts: list[str | Constraint], **how: bool) -> tuple[dict[str, list[object]], list[bool]]:
    constraints = [parse([one])[0] if isinstance(one, str) else one for one in texts]
    broken = Obedience(constraints, {}).enforce(made, **how)
    return {name: column.to_pylist() for name, column in made.columns.items()}, broken.tolist()


ZIP = Constraint("determines", ("zip", "city"), pairs=(("1", "Rome"), ("2", "Oslo")))


def test_what_is_determined_is_looked_up_and_unknown_or_null_cells_stay() -> None:
    made = rows({"zip": ["1", "2", "9", None, "1"], "city": ["Oslo", "Oslo", "Oslo", "Rome", None]})
    columns, broken = enforced(made, [ZIP])
    assert columns["city"] == ["Rome", "Oslo", "Oslo", "Rome", None]
    assert broken == [False] * 5


def test_a_determined_cell_that_stands_breaks_its_row() -> None:
    columns, broken = enforced(rows({"zip": ["1", "2"], "city": ["Oslo", "Oslo"]}, held="city"), [ZIP])
    assert columns["city"] == ["Oslo", "Oslo"]
    assert broken == [True, False]


def test_dependencies_follow_one_another() -> None:
    land = Constraint("determines", ("city", "land"), pairs=(("Rome", "IT"), ("Oslo", "NO")))
    columns, _ = enforced(rows({"land": ["XX"], "city": ["Oslo"], "zip": ["1"]}), [land, ZIP])
    assert columns == {"land": ["IT"], "city": ["Rome"], "zip": ["1"]}


@pytest.mark.parametrize(
    ("kind", "net", "tax"),
    [
        (pa.float64(), [0.1, 1.15], [0.2, 2.3]),
        (pa.decimal128(9, 2), [Decimal("0.10"), Decimal("1.15")], [Decimal("0.20"), Decimal("2.30")]),
        (pa.int32(), [1, 5], [2, 7]),
    ],
)
def test_a_total_is_the_exact_sum_in_its_type(kind: pa.DataType, net: list[object], tax: list[object]) -> None:
    types = dict.fromkeys(["total", "net", "tax"], kind)
    made = rows({"total": [net[0], net[0]], "net": net, "tax": tax}, types=types)
    columns, broken = enforced(made, ["total = net + tax"])
    wanted = {"0.1": [0.3, 3.45], "0.10": [Decimal("0.30"), Decimal("3.45")], "1": [3, 12]}[str(net[0])]
    assert columns["total"] == wanted
    assert broken == [False, False]


def test_a_total_that_stands_moves_its_last_part_within_its_range() -> None:
    made = rows({"total": [10, 10, 10], "net": [4, 9, 20], "tax": [6, 2, 1]}, held="total")
    columns, broken = enforced(made, ["total = net + tax"])
    # 10 - 20 is no tax that was ever drawn, but the net may move instead: 10 - 1.
    assert columns == {"total": [10, 10, 10], "net": [4, 9, 9], "tax": [6, 1, 1]}
    assert broken == [False, False, False]


AMOUNT = Constraint("product", ("amount", "items", "price"), decimals=2)


def test_a_total_is_the_rounded_product_of_its_factors() -> None:
    made = {"amount": [9.0, 1.0, None, 5.0], "items": [3, 2, 2, None], "price": [1.115, 0.25, 3.0, 2.0]}
    columns, broken = enforced(rows(made), [AMOUNT])
    # 3.345 is no double: either of 3.34 and 3.35 obeys, and the first is what round makes of it.
    assert columns["amount"] == [pytest.approx(3.345, abs=0.0051), 0.5, None, 5.0]
    assert broken == [False] * 4


def test_a_product_that_stands_moves_a_factor_that_gives_it() -> None:
    made = {"amount": [9.0, 7.0, 5.0], "items": [3, 2, 5], "price": [2.0, 4.0, 8.0]}
    columns, broken = enforced(rows(made, held="amount"), [AMOUNT])
    # 9 = 3 x 3 and 7 = 2 x 3.5; 5 = 5 x 1 would be a price that was never drawn, and no whole number of items makes it.
    assert columns == {"amount": [9.0, 7.0, 5.0], "items": [3, 2, 5], "price": [3.0, 4.0, 8.0]}
    assert broken == [False, True, True]


def test_floats_of_32_bits_obey_as_far_as_they_can() -> None:
    types = dict.fromkeys(("amount", "price", "net", "tax"), pa.float32())
    made = rows({"amount": [9.0], "items": [3], "price": [8.11], "net": [0.1], "tax": [8.0]}, types=types)
    columns, broken = enforced(made, [AMOUNT, "price = net + tax"])
    assert broken == [False]
    assert [columns[name][0] for name in ("price", "amount")] == pytest.approx([8.1, 24.3], rel=1e-7)


def test_a_sum_that_is_a_factor_is_made_first() -> None:
    paid = Constraint("product", ("paid", "total", "rate"), decimals=2)
    columns, broken = enforced(
        rows({"paid": [1.0], "total": [1.0], "net": [2.0], "tax": [0.5], "rate": [1.1]}), [paid, "total = net + tax"]
    )
    assert (columns["total"], columns["paid"], broken) == ([2.5], [2.75], [False])


def test_a_wrong_order_is_drawn_again_or_exchanged_at_last() -> None:
    cells = {"low": [1, 5, 7], "high": [2, 3, None]}
    assert enforced(rows(cells), ["low <= high"]) == (cells, [False, True, False])
    columns, broken = enforced(rows(cells), ["low <= high"], last=True)
    assert columns == {"low": [1, 3, 7], "high": [2, 5, None]}
    assert broken == [False] * 3
    columns, broken = enforced(rows(cells, held="low"), ["low <= high"], last=True)
    assert columns == {"low": [1, 5, 7], "high": [2, 5, None]}


SENT = Constraint("null_by", ("status", "sent"), pairs=(("open", "null"), ("sent", "there")))


def test_nulls_go_by_a_value() -> None:
    made = {"status": ["open", "sent", "sent", "new", None], "sent": [1, None, 2, 3, None], "by": [1, 2, 3, None, None]}
    # What has a null is never filled: such a row is drawn again. What is emptied empties more.
    columns, broken = enforced(rows(made), [Constraint("null_with", ("sent", "by")), SENT])
    assert columns == {**made, "sent": [None, None, 2, 3, None], "by": [None, None, 3, None, None]}
    assert broken == [False, True, False, False, False]
    columns, broken = enforced(rows(made, held="sent"), [SENT])
    assert columns == made
    assert broken == [True, True, False, False, False]
    assert enforced(rows(made), [SENT], nulls=False) == (made, [False] * 5)


def test_what_is_looked_up_tells_of_nulls() -> None:
    state = Constraint("determines", ("code", "status"), pairs=(("1", "open"),))
    columns, _ = enforced(rows({"code": ["1"], "status": ["sent"], "sent": [1]}), [SENT, state])
    assert columns == {"code": ["1"], "status": ["open"], "sent": [None]}


def test_orders_in_a_chain_and_the_sums_of_their_cells_hold_in_the_end() -> None:
    chain = ["a <= b", "b <= c"]
    columns, broken = enforced(rows({"a": [3, 9], "b": [2, 8], "c": [1, 7]}), chain, last=True)
    assert columns == {"a": [1, 7], "b": [2, 8], "c": [3, 9]}
    assert broken == [False, False]
    columns, broken = enforced(
        rows({"net": [5, 2], "most": [3, 4], "tax": [1, 1], "total": [0, 0]}),
        ["total = net + tax", "net <= most"],
        last=True,
    )
    assert (columns["net"], columns["most"], columns["total"]) == ([3, 2], [5, 4], [4, 3])
    assert broken == [False, False]


def test_which_nulls_are_meant_and_which_cannot_be() -> None:
    rules = [SENT, Constraint("null_together", ("sent", "by")), Constraint("null_with", ("by", "signed"))]
    obedience = Obedience(rules, {})
    status = ["open", "sent", None, "open"]
    cells = {"sent": [None, None, None, 1], "by": [None, 1, None, 1], "signed": [None, None, 1, None]}
    table = pa.table({"status": status, **cells})
    meant = obedience.meant_to_be_null(table)
    assert {name: flags.tolist() for name, flags in meant.items()} == {
        name: [True, False, False, True] for name in cells
    }
    lost = obedience.surely_missing(dict(zip(table.schema.names, table.columns, strict=True)))
    assert {name: flags.tolist() for name, flags in lost.items()} == {
        "sent": [False, True, True, False], "by": [False, False, True, False],
    }  # fmt: skip
    assert obedience.telling() == {"status"}


def test_nulls_come_together() -> None:
    together = Constraint("null_together", ("a", "b"))
    where = Constraint("null_with", ("a", "c"))
    made = rows({"a": [None, 1, 2], "b": [1, None, 2], "c": [1, 1, None]})
    columns, broken = enforced(made, [together, where])
    assert columns["c"] == [None, 1, None]
    assert (columns["a"][0], columns["b"][0]) == (None, None)
    assert broken == [False, True, False]
    assert enforced(rows({"a": [None], "b": [1]}), [together], nulls=False)[0] == {"a": [None], "b": [1]}

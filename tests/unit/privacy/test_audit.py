"""The audit as a whole: what must be found, what must not, groups, notes, odd tables."""

import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import mixed_table

import tabad
from tabad.api import refuse_alarms
from tabad.errors import InputError, Refused, UsageError
from tabad.privacy.audit import ATTACKS, FAMILY

ALL = mixed_table(3_000, seed=7)


def split(seed: int, *sizes: int) -> list[pa.Table]:
    """Disjoint random parts of one table."""
    order = np.random.default_rng(seed).permutation(ALL.num_rows)
    ends = np.cumsum([0, *sizes])
    return [ALL.take(pa.array(order[start:end])) for start, end in itertools.pairwise(ends)]


TRAIN, HOLDOUT, FRESH = split(0, 1_000, 1_000, 1_000)


def test_a_fresh_sample_passes_every_attack() -> None:
    audit = tabad.audit(FRESH, TRAIN, HOLDOUT)

    assert audit.passed
    assert [finding.attack for finding in audit.findings] == list(ATTACKS)
    assert {finding.verdict for finding in audit.findings} == {"pass", "informative"}
    assert audit.finding("distances").p_value is None
    assert "row_id" in audit.left_out
    assert audit.rows == {"train": 1_000, "holdout": 1_000, "synthetic": 1_000}


def test_one_planted_copy_in_a_hundred_rows_is_found() -> None:
    copies = TRAIN.slice(100, 10).set_column(0, "row_id", pa.array([f"N{row}" for row in range(10)]))

    audit = tabad.audit(pa.concat_tables([FRESH.slice(0, 990), copies]), TRAIN, HOLDOUT)

    assert audit.finding("copies").verdict == "alarm"
    assert audit.finding("copies").figure("copies of training rows").value == pytest.approx(0.01)
    assert not audit.passed


def test_rows_learned_by_heart_are_found_though_none_is_identical() -> None:
    draw = np.random.default_rng(0)
    noised = TRAIN
    for name, noise in (("weight", 0.2), ("amount", 0.01)):
        values = TRAIN[name].cast(pa.float64()).to_numpy() + noise * draw.normal(size=TRAIN.num_rows)
        noised = noised.set_column(noised.schema.get_field_index(name), name, pa.array(values, from_pandas=True))

    audit = tabad.audit(noised, TRAIN, HOLDOUT)

    assert {"copies", "membership", "linkability"} <= {finding.attack for finding in audit.alarms}
    # The rows whose weight is null and whose amount is as it was are few.
    assert audit.finding("copies").figure("copies of training rows").value == 0.0


def test_rows_that_the_population_repeats_are_no_copies() -> None:
    draw = np.random.default_rng(0)

    def table(rows: int) -> pa.Table:
        return pa.table({name: pa.array(draw.choice(list("abc"), rows)) for name in ("x", "y", "z")})

    audit = tabad.audit(table(500), table(500), table(500))

    assert audit.finding("copies").verdict == "pass"
    assert audit.finding("copies").figure("identical to a training row").value == 1.0


def test_fresh_samples_raise_few_alarms() -> None:
    alarms = 0
    for seed in range(12):
        synthetic, train, holdout = split(100 + seed, 300, 500, 300)
        alarms += not tabad.audit(synthetic, train, holdout, seed=seed).passed

    # At most FAMILY of them are to raise one: three or more of twelve then happen once in 600 trials.
    assert FAMILY == 0.02
    assert alarms <= 2


def test_a_class_is_audited_by_itself() -> None:
    rare = TRAIN.filter(pa.array([country == "NA" for country in TRAIN["country"].to_pylist()])).slice(0, 40)
    rare = rare.set_column(0, "row_id", pa.array([f"N{row}" for row in range(rare.num_rows)]))

    audit = tabad.audit(pa.concat_tables([FRESH, rare]), TRAIN, HOLDOUT, label="country", class_value="NA")

    assert len(audit.findings) == 2 * len(ATTACKS)
    assert audit.finding("copies", "country = NA").verdict == "alarm"
    assert audit.finding("copies", "country = NA").figure("copies of training rows").value > 0.2
    assert audit.finding("copies").level == audit.finding("copies", "country = NA").level


def test_few_rows_are_not_passed() -> None:
    synthetic, train, holdout = split(1, 60, 60, 60)

    audit = tabad.audit(synthetic, train, holdout)

    assert {finding.verdict for finding in audit.findings} == {"too few rows to tell", "informative"}
    assert not audit.passed
    assert not audit.alarms
    with pytest.raises(Refused, match="the tables have too few rows for any attack to tell; nothing was written"):
        refuse_alarms(audit, withheld=True)


def test_a_class_of_a_few_rows_is_not_attacked() -> None:
    parts = [
        part.append_column("fraud", pa.array([row < 5 for row in range(1_000)])) for part in (FRESH, TRAIN, HOLDOUT)
    ]

    audit = tabad.audit(*parts, label="fraud", class_value="true")

    of_class = [finding for finding in audit.findings if finding.group == "fraud = true"]
    assert {(finding.verdict, finding.p_value) for finding in of_class} == {("too few rows to tell", None)}


def test_the_same_seed_gives_the_same_audit() -> None:
    first, second = (tabad.audit(FRESH, TRAIN, HOLDOUT, rows=200, seed=3).to_dict() for _ in range(2))

    assert first == second
    assert first["used"] == {"train": 200, "holdout": 200, "synthetic": 200}
    json.dumps(first, allow_nan=False)


def test_the_result_is_frozen() -> None:
    audit = tabad.audit(FRESH, TRAIN, HOLDOUT, rows=100)

    with pytest.raises(dataclasses.FrozenInstanceError):
        audit.rows = {}  # type: ignore[misc]
    with pytest.raises(KeyError):
        audit.finding("no such attack")


def test_a_holdout_that_was_trained_on_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"300 of 1,000 rows of the held-out table \(30.0%\) stand in the training table"
    ):
        tabad.audit(FRESH, TRAIN, pa.concat_tables([HOLDOUT.slice(0, 700), TRAIN.slice(0, 300)]))


def test_types_that_mean_the_same_are_brought_together() -> None:
    floats = FRESH.set_column(2, "amount", FRESH["amount"].cast(pa.float64()))
    copies = pa.concat_tables([floats.slice(0, 980), TRAIN.slice(0, 20).cast(floats.schema)])

    audit = tabad.audit(copies, TRAIN, HOLDOUT)

    assert audit.finding("copies").figure("copies of training rows").value == pytest.approx(0.02)


ODD: dict[str, Any] = {
    "one column": lambda rows: {"a": [float(row % 37) for row in rows]},
    "constant and null columns": lambda rows: {
        "a": [1.0] * len(rows), "b": pa.nulls(len(rows), pa.string()), "c": list(rows),
    },
    "not finite": lambda rows: {
        "a": [(math.nan, math.inf, -math.inf, 1.0, None)[row % 5] for row in rows], "b": ["x"] * len(rows),
    },
    "no number at all": lambda rows: {"a": pa.nulls(len(rows), pa.float64()), "b": list(rows)},
    "dates that end": lambda rows: {
        "a": [f"2024-01-{row % 28 + 1:02d}" if row < 250 else "none" for row in rows], "b": list(rows),
    },
    "huge": lambda rows: {"a": [(-1) ** row * 1e308 for row in rows], "b": [row * 0.5 for row in rows]},
    "unicode": lambda rows: {"a": ["\u00dc" * (row % 9) for row in rows], "b": [row * 0.5 for row in rows]},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_are_audited(name: str) -> None:
    parts = (range(200), range(200, 350), range(350, 470))
    train, holdout, synthetic = (pa.table(ODD[name](rows)) for rows in parts)

    audit = tabad.audit(synthetic, train, holdout, kinds={"a": "number"} if name == "one column" else None)

    assert json.loads(json.dumps(audit.to_dict(), allow_nan=False))["findings"]


def test_values_that_only_the_synthetic_table_has() -> None:
    strange = FRESH.set_column(6, "country", pa.array(["ZZ"] * 1_000))

    assert tabad.audit(strange, TRAIN, HOLDOUT).finding("copies").figure("copies of training rows").value == 0.0


def test_alarms_are_refused_where_that_is_asked_for() -> None:
    audit = tabad.audit(TRAIN.slice(0, 500), TRAIN, HOLDOUT)

    with pytest.raises(Refused, match="the synthetic table gives training rows away: copies, membership"):
        refuse_alarms(audit)


def _customers(seed: int, first: int, count: int, rows_each: int) -> pa.Table:
    """Customers whose rows hardly differ, each customer unlike the others."""
    draw = np.random.default_rng([seed, first])
    own = np.repeat(draw.normal(size=(count, 4)), rows_each, axis=0)
    values = own + 0.01 * draw.normal(size=own.shape)
    columns: dict[str, Any] = {f"x{place}": values[:, place] for place in range(4)}
    return pa.table({"customer": np.repeat(np.arange(first, first + count), rows_each), **columns})


def test_rows_of_one_customer_are_one_witness() -> None:
    """Eight rows each of 40 customers: by chance alone some customers have near synthetic rows, eight times over."""
    alarms = {"rows": 0, "customers": 0}
    for seed in range(12):
        train, holdout = _customers(seed, 0, 40, 8), _customers(seed, 40, 40, 8)
        synthetic = _customers(seed, 80, 320, 1).drop_columns(["customer"])
        by_rows = tabad.audit(synthetic, train, holdout, ignore=["customer"])
        by_customers = tabad.audit(synthetic, train, holdout, unit="customer")
        alarms["rows"] += by_rows.finding("membership").p_value < 0.01
        alarms["customers"] += by_customers.finding("membership").p_value < 0.01
        assert by_customers.used == {"train": 40, "holdout": 40, "synthetic": 320}
        assert by_customers.left_out == ("customer",)

    assert alarms["rows"] >= 6  # clean tables, and row by row they look like leaks
    assert alarms["customers"] <= 1  # P(2 or more of 12) at 1 % is 0.6 %


def test_a_copied_row_that_its_customer_has_often_is_still_that_customers() -> None:
    train, holdout = _customers(3, 0, 300, 1), _customers(3, 300, 300, 1)
    train = pa.concat_tables([train, train])  # every row twice, each pair of one customer
    synthetic = pa.concat_tables([_customers(3, 600, 290, 1), train.slice(0, 10)]).drop_columns(["customer"])

    audit = tabad.audit(synthetic, train, holdout, unit="customer")

    assert audit.finding("copies").verdict == "alarm"
    assert audit.finding("copies").figure("copies of training rows").value == pytest.approx(10 / 300)


def test_a_row_without_a_unit_is_one_by_itself() -> None:
    train, holdout = _customers(1, 0, 60, 2), _customers(1, 60, 60, 2)
    unknown = pa.array([None if row < 30 else row for row in train["customer"].to_pylist()], pa.int64())
    train = train.set_column(0, "customer", unknown)

    audit = tabad.audit(_customers(1, 120, 100, 1).drop_columns(["customer"]), train, holdout, unit="customer")

    assert audit.used["train"] == 2 * 30 + 30


def test_a_customer_in_both_tables_is_refused_by_name() -> None:
    train, holdout = _customers(1, 0, 30, 2), _customers(1, 25, 30, 2)

    with pytest.raises(InputError, match=r"5 of 30 values of `customer` in the held-out table stand in the training"):
        tabad.audit(_customers(1, 90, 60, 1), train, holdout, unit="customer")
    with pytest.raises(UsageError, match=r"the training table and the held-out table have no column `client`"):
        tabad.audit(_customers(1, 90, 60, 1), train, holdout, unit="client")


def test_a_customer_is_the_same_whatever_type_its_number_has() -> None:
    train, holdout = _customers(1, 0, 30, 2), _customers(1, 29, 30, 2)
    as_float = holdout["customer"].cast(pa.float64())  # what pandas makes of whole numbers with a gap

    with pytest.raises(InputError, match=r"1 of 30 values of `customer` in the held-out table stand in the training"):
        tabad.audit(_customers(1, 90, 60, 1), train, holdout.set_column(0, "customer", as_float), unit="customer")

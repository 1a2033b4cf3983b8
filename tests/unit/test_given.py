"""Context columns: odd given who, where, when; p-values within groups of context."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import RunTabad

import tabad

GROUPS = ("shop", "fuel", "hotel")
MEANS = {"shop": 40.0, "fuel": 70.0, "hotel": 400.0}


def payments(rows: int, seed: int, *, rare: float = 0.0) -> pa.Table:
    """Amounts that depend on the kind of merchant; `rare`: share of rows of a fourth kind, of ordinary amounts."""
    draw = np.random.default_rng(seed)
    kind = draw.choice(GROUPS, rows, p=[0.6, 0.3, 0.1])
    amount = np.array([MEANS[k] for k in kind]) * draw.lognormal(0, 0.15, rows)
    kind = np.where(draw.random(rows) < rare, "rocket", kind)
    return pa.table({"kind": kind, "amount": amount, "hour": draw.integers(8, 20, rows).astype(float)})


def fit(table: pa.Table, **options: object) -> tabad.Model:
    return tabad.fit(table, quality="fast", memory=512, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    return fit(payments(6000, 1, rare=0.004), given="kind")


def one(kind: str, amount: float) -> pa.Table:
    return pa.table({"kind": [kind], "amount": [amount], "hour": [12.0]})


def score(model: tabad.Model, table: pa.Table) -> float:
    return float(model.score(table, explain="none")["tabad_score"][0].as_py())


def test_a_rare_context_is_not_odd_and_a_usual_amount_in_the_wrong_context_is(model: tabad.Model) -> None:
    plain = fit(payments(6000, 1, rare=0.004))
    usual, rare, wrong = one("shop", 40.0), one("rocket", 42.0), one("shop", 400.0)

    # Without context the rare kind counts against its row; given the kind it says nothing of it.
    assert score(plain, rare) > score(plain, usual) + 0.7
    assert score(model, rare) < score(model, usual) + 0.7
    assert score(model, wrong) > score(model, usual) + 2


def test_a_given_column_is_never_a_reason(model: tabad.Model) -> None:
    table = pa.concat_tables([one("rocket", 4000.0), one("never seen", 40.0), one("hotel", 2.0)])
    for reasons in model.score(table, explain="all")["tabad_reasons"].to_pylist():
        assert "kind" not in [reason["column"] for reason in reasons]


def test_groups_are_the_contexts_of_200_calibration_rows_and_the_rest(model: tabad.Model) -> None:
    facts = model.manifest
    # 1,200 calibration rows: about 720 of shop and 360 of fuel; hotel has 120, and rocket 5.
    *own, rest = facts["groups"]
    fuel, shop = sorted(own)
    assert sum(facts["groups"]) == facts["calibration_rows"] == 1200
    assert abs(fuel - 360) < 4 * math.sqrt(1200 * 0.3 * 0.7)
    assert abs(shop - 720) < 4 * math.sqrt(1200 * 0.6 * 0.4)
    assert abs(rest - 124) < 4 * math.sqrt(1200 * 0.1 * 0.9)
    # The rest is a small group here, and does not raise the level of the others.
    assert facts["level_ppm"] == round(1e6 / (1 + fuel))
    assert [column.get("given", False) for column in facts["columns"]] == [True, False, False]


def test_p_values_count_within_the_group(model: tabad.Model) -> None:
    far = pa.concat_tables([one(kind, 1e7) for kind in ("fuel", "shop", "hotel", "unheard of")])
    *own, rest = model.manifest["groups"]
    fuel, shop = sorted(own)

    p_values = model.score(far, explain="none")["tabad_p_value"].to_pylist()

    assert p_values == [1 / (1 + n) for n in (fuel, shop, rest, rest)]


def test_p_values_are_super_uniform_within_every_group() -> None:
    # 500 calibration rows: shop has a group of its own, fuel and hotel are the rest.
    level, draws, fresh = 0.05, 60, 600
    shares: dict[str, list[float]] = {"shop": [], "rest": []}
    for seed in range(draws):
        fitted = fit(payments(2500, 1000 + seed), given="kind", seed=seed)
        new = payments(fresh, 5000 + seed)
        p = fitted.score(new, explain="none")["tabad_p_value"].to_numpy()
        is_shop = np.array(new["kind"].to_pylist()) == "shop"
        assert len(fitted.manifest["groups"]) == 2
        for group, rows in (("shop", is_shop), ("rest", ~is_shop)):
            shares[group].append(float((p[rows] <= level).mean()))
    for group, found in shares.items():
        # Four standard errors of the mean, from the draws themselves: crossed once in 30,000 runs; the seeds are fixed.
        assert float(np.mean(found)) <= level + 4 * float(np.std(found)) / math.sqrt(draws), group


def test_a_false_discovery_rate_works_over_groups(model: tabad.Model) -> None:
    odd = pa.concat_tables([payments(400, 9), *[one("fuel", 5000.0 + k) for k in range(20)]])

    flagged = model.score(odd, fdr=0.1, explain="none")["tabad_flag"].to_numpy(zero_copy_only=False)

    assert flagged[400:].all()
    assert flagged[:400].sum() <= 12


def test_the_model_file_keeps_context_and_groups(model: tabad.Model) -> None:
    again = tabad.Model.from_bytes(model.to_bytes())
    new = payments(300, 3, rare=0.1)

    assert again.manifest == model.manifest
    assert again.score(new, explain="none").equals(model.score(new, explain="none"))


def test_an_update_keeps_the_context(model: tabad.Model) -> None:
    updated = tabad.fit(payments(3000, 21), update=model, memory=512)

    assert [column.get("given", False) for column in updated.manifest["columns"]] == [True, False, False]
    assert sum(updated.manifest["groups"]) == 600


def test_screening_given_a_column_on_the_command_line(run_tabad: RunTabad, tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    table = pa.concat_tables([payments(3000, 4, rare=0.002), one("shop", 900.0)])
    import pyarrow.csv

    pyarrow.csv.write_csv(table, path)

    screened = run_tabad("score", path, "--given", "kind")
    fitted = run_tabad("fit", path, "-o", tmp_path / "m.tabad", "--given", "kind", "--quality", "fast")
    shown = run_tabad("inspect", tmp_path / "m.tabad")

    assert screened.returncode == fitted.returncode == shown.returncode == 0
    assert "row 3,001" in screened.stderr.split("oddest")[-1] or "3,001" in screened.stderr
    assert "given    kind · p-values within" in fitted.stderr
    assert "given       kind · p-values within" in shown.stdout


def test_what_cannot_be_given_is_refused_by_name() -> None:
    table = payments(100, 5).append_column("id", pa.array([f"r{k}" for k in range(100)]))
    with pytest.raises(tabad.UsageError, match="`id` is to be given, and it names the row"):
        fit(table, given="id")
    with pytest.raises(tabad.UsageError, match="`kind` is to be given, and it is left out"):
        fit(table, given="kind", ignore=["kind"])
    with pytest.raises(tabad.UsageError, match="every modelled column is given"):
        fit(table, given=["kind", "amount", "hour"])
    with pytest.raises(tabad.UsageError, match="`kinds`"):
        fit(table, given="kinds")

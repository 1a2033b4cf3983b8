"""What a fit and its updates keep in proportion, and models of unusual tables that can be opened again."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.students import taught

import tabad
from tabad import _core
from tabad.errors import UsageError


def again(model: _core.Model) -> _core.Model:
    return _core.Model.from_bytes(model.to_bytes())


def fitted(table: pa.Table, **options: Any) -> _core.Model:
    fit = _core.Fit(memory=options.pop("memory", 2_048), **options)
    fit.observe(table)
    fit.prepare()
    return fit.finish()


@pytest.mark.parametrize(("columns", "rows", "sentinels"), [(30, 2_000, 3), (40, 5_000, 5)])
def test_equal_sentinels_far_out_make_a_model_that_opens(columns: int, rows: int, sentinels: int) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(5, columns)).round(2)[draw.integers(0, 5, rows)]
    x[:sentinels] = 999_999_999.0
    again(fitted(pa.table({f"c{at}": x[:, at] for at in range(columns)})))


def judged(rows: int, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    said = np.full(rows, None, object)
    said[:8], said[8:12] = True, False
    x = draw.random((rows, 3))
    x[:8, 0] += 2.0
    return pa.table(
        {"a": x[:, 0], "b": x[:, 1], "c": draw.choice(["x", "y"], rows), "seen": pa.array(said, pa.bool_())}
    )


@pytest.mark.parametrize("rows", [150, 400, 700])
def test_a_model_that_follows_feedback_can_be_updated_and_opened(rows: int) -> None:
    base = fitted(judged(rows, 1), feedback="seen")
    new = judged(900, 2).drop(["seen"])
    updated = base.updated(new, memory=2_048, seed=0)
    scores = pa.table(updated.score(new))["tabad_score"]
    assert pa.table(again(updated).score(new))["tabad_score"].equals(scores)


def test_an_update_goes_on_with_the_kept_rows() -> None:
    draw = np.random.default_rng(0)
    table = pa.table({"a": draw.normal(size=600)})
    with pytest.raises(
        UsageError, match="no rows are to be kept, and an update goes on with the rows that the model keeps"
    ):
        tabad.fit(table, update=tabad.fit(table, quality="fast"), memory=0)


def test_rows_known_to_be_normal_do_not_calibrate() -> None:
    draw = np.random.default_rng(0)
    for rows, known, calibrating in ((300, 200, 100), (700, 200, 100)):  # cross-fitted; a fifth of the others
        said = pa.array([False] * known + [None] * (rows - known), pa.bool_())
        table = pa.table({"a": draw.normal(size=rows), "b": draw.normal(size=rows), "seen": said})
        assert tabad.fit(table, quality="fast", feedback="seen").manifest["calibration_rows"] == calibrating


def moved(rows: int, by: float, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table({"a": draw.normal(by, 1, rows), "b": draw.normal(size=rows), "label": ["ok"] * rows})


@pytest.mark.parametrize("rows", [600, 1_000])
def test_bounds_follow_an_update_of_any_size(rows: int) -> None:
    base = fitted(moved(2_000, 0.0, 0), label="label", normal="ok")
    updated = base.updated(moved(rows, 40.0, 1), memory=2_048, seed=0)
    scores = pa.table(updated.score(moved(500, 40.0, 2)))["tabad_score"].to_numpy()
    # Beyond a bound of 1,400 rows every score is ln(20 * 1,401) = 10.2 and more.
    assert np.median(scores) < 2.0


def test_a_model_of_few_rows_gets_bounds_when_many_come() -> None:
    base = fitted(moved(300, 0.0, 0), label="label", normal="ok")
    updated = base.updated(moved(3_000, 0.0, 1), memory=2_048, seed=0)

    def bounded(model: _core.Model) -> bool:
        return any(column["bounds"] for column in json.loads(model.manifest())["holds"]["columns"])

    assert (bounded(base), bounded(updated)) == (False, True)
    again(updated)


def mixed(rows: int, share: float, middle: float, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table({"c": draw.choice(["x", "y"], rows, p=[1 - share, share]), "a": draw.normal(middle, 1, rows)})


def memory(model: _core.Model) -> tuple[float, float]:
    """The share of `y` in the marginal, and of numbers above 2 in the quantiles."""
    kept = json.loads(model.memory()[0])
    marginal = next(one[3] for one in kept["categories"] if len(one[3]) == 4)
    spread = np.array(kept["numbers"][0][3])
    return marginal[3], float((spread > 2).mean())


def test_old_and_new_rows_count_alike_after_updates() -> None:
    model = fitted(mixed(20_000, 0.01, 0.0, 0))
    for turn in range(3):
        model = model.updated(mixed(600, 0.5, 0.0, turn + 1), memory=2_048, seed=turn)
    facts = json.loads(model.manifest())
    assert (facts["rows"], facts["training_rows"]) == (21_800, 14_000 + 3 * 420)
    # 0.01 of 14,000 and 0.5 of 1,260: 0.050; within three standard errors of the smaller part.
    assert abs(memory(model)[0] - 0.050) < 3 * 0.5 / 1_260**0.5 * 1_260 / 15_260
    once = fitted(mixed(20_000, 0.05, 0.0, 0)).updated(mixed(5_000, 0.05, 4.0, 1), memory=2_048, seed=0)
    # A fifth of the rows is new, and nearly all of these are above 2, of the old ones one in fifty.
    assert abs(memory(once)[1] - (0.2 * 0.977 + 0.8 * 0.023)) < 0.03


def test_a_label_is_taken_as_it_is_written_where_it_is_written_so() -> None:
    draw = np.random.default_rng(0)
    for asked, values in (("ok", ["OK", "ok"]), ("1", ["01", "1"]), ("Ok", ["ok"])):
        words = draw.choice(values, 400, p=[0.2, 0.8][: len(values)] if len(values) > 1 else [1.0]).tolist()
        model = tabad.fit(pa.table({"a": draw.normal(size=400), "l": words}), quality="fast", label="l", normal=asked)
        assert model.manifest["label"]["normal"] == (asked if asked in values else values[0])


def test_what_is_expected_lies_within_its_own_range() -> None:
    draw = np.random.default_rng(0)
    shop, usual = np.repeat(np.arange(120), 4), np.exp(draw.uniform(3, 9, 120))
    draw.shuffle(shop)
    amount = np.round(usual[shop] * (1 + 0.02 * draw.normal(size=480)), 2)
    table = pa.table({"shop": [f"s{at:03d}" for at in shop], "amount": amount})
    model = tabad.fit(table, quality="fast", kinds={"shop": "category"})
    wrong = pa.table({"shop": [f"s{at:03d}" for at in range(40)], "amount": np.round(usual[:40] * 50, 2)})
    ranges = 0
    for reasons in model.score(wrong, explain="all")["tabad_reasons"].to_pylist():
        for reason in reasons:
            if reason["column"] == "amount" and "," in reason["expected"]:
                middle, span = reason["expected"].removeprefix("about ").split(", ")
                low, high = map(float, span.split(" to "))
                assert low <= float(middle) <= high
                ranges += 1
    assert ranges > 20


def test_shares_of_reasons_are_shares_where_feedback_makes_scores_negative() -> None:
    draw = np.random.default_rng(0)
    a = draw.normal(size=520)
    said = pa.array(["normal"] * 60 + [None] * 460, pa.string())
    table = pa.table(
        {"a": a, "b": a + 0.2 * draw.normal(size=520), "k": draw.choice(["u", "v", "w"], 520), "seen": said}
    )
    scored = tabad.fit(table, quality="fast", feedback="seen").score(table.slice(0, 200), explain="all")
    assert (scored["tabad_score"].to_numpy() < 0).sum() > 50
    shares = [reason["share"] for reasons in scored["tabad_reasons"].to_pylist() for reason in reasons]
    assert min(shares) > 0.0
    assert max(shares) <= 1.0


def test_context_is_no_reason_of_a_student_either() -> None:
    pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    g = draw.normal(size=2_000)
    table = pa.table({"g": g, "k": draw.choice(["u", "v"], 2_000), "a": g + 0.3 * draw.normal(size=2_000),
                      "b": draw.normal(size=2_000)})  # fmt: skip
    student = taught(table, given=("g", "k")).with_scorer("student")
    odd = pa.table(
        {"g": [6.0, 40.0, 1e6, 0.0], "k": ["u", "v", "u", "NEW"], "a": [6.0, 40.0, 1e6, 0.0], "b": [0.1] * 4}
    )
    named = {
        one["column"] for reasons in student.score(odd, explain="all")["tabad_reasons"].to_pylist() for one in reasons
    }
    assert named == {"a", "b"}

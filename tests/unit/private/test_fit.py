"""A private fit from end to end: what the model says, what it holds, what it makes, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import RunTabad

import tabad
from tabad import _core
from tabad.private.stored import pack, unpack

BOUNDS = {
    "columns": {
        "age": {"kind": "number", "lower": 18, "upper": 99},
        "job": {"kind": "category", "values": ["clerk", "farmer", "smith"], "nullable": True},
        "bad": {"kind": "category", "values": [0, 1]},
    }
}


def people(rows: int = 4_000, seed: int = 0) -> pa.Table:
    draw = np.random.default_rng(seed)
    job = draw.choice(["clerk", "farmer", "smith"], rows, p=[0.6, 0.3, 0.1])
    age = np.where(job == "smith", draw.integers(60, 80, rows), draw.integers(18, 60, rows))
    bad = (draw.random(rows) < np.where(age > 59, 0.9, 0.1)).astype(np.int8)
    return pa.table({"age": age, "job": pa.array(job, mask=draw.random(rows) < 0.05), "bad": bad})


@pytest.fixture
def bounds(tmp_path: Path) -> str:
    path = tmp_path / "bounds.json"
    path.write_text(json.dumps(BOUNDS))
    return str(path)


def fitted(bounds: str, **options: object) -> tabad.Model:
    private = tabad.PrivateOptions(epsilon=3, bounds=bounds, noise_seed=0, **options)  # type: ignore[arg-type]
    return tabad.fit(people(), private=private, quality="fast", label="bad")


def test_the_manifest_spells_the_guarantee_out(bounds: str) -> None:
    private = fitted(bounds).manifest["private"]

    assert (private["epsilon"], private["delta"]) == ("3", "1e-06")
    assert private["adjacency"] == "one row added or removed"
    assert (private["rows_public"], private["secret_noise"], private["paid_for"]) == (False, False, [])
    gaussian = private["accountant"]["gaussian"]
    assert (gaussian["epsilon"], gaussian["delta"]) == ("3", "1e-06")
    assert sum(float(part["share"]) for part in gaussian["mechanisms"]) == pytest.approx(1.0, abs=1e-4)
    assert [part["purpose"] for part in gaussian["mechanisms"]] == [
        "digits of numbers", "values of columns", "columns with the label", "choice of pairs", "pairs of columns",
    ]  # fmt: skip
    assert "seed" not in json.dumps(private)


def test_rows_have_the_types_values_and_dependences_of_the_table(bounds: str) -> None:
    made = fitted(bounds).generate(20_000, seed=1)

    assert made.schema == people().schema
    age, job, bad = (made[name] for name in ("age", "job", "bad"))
    assert set(job.to_pylist()) == {"clerk", "farmer", "smith", None}
    old = age.to_numpy() > 59
    smith = np.array([one == "smith" for one in job.to_pylist()])
    # 0.1 of the rows are smiths, all of them old, and 0.9 of the old are bad.
    assert smith[~np.array([one is None for one in job.to_pylist()])].mean() == pytest.approx(0.1, abs=0.02)
    assert old[smith].mean() > 0.9
    assert bad.to_numpy()[old].mean() == pytest.approx(0.9, abs=0.05)
    assert bad.to_numpy()[~old].mean() == pytest.approx(0.1, abs=0.03)


def test_the_same_seed_makes_the_same_rows_and_a_file_gives_them_again(bounds: str, tmp_path: Path) -> None:
    model = fitted(bounds)
    model.save(tmp_path / "m.tabad")
    again = tabad.Model.load(tmp_path / "m.tabad")

    assert again.to_bytes() == model.to_bytes()
    assert again.generate(100, seed=4) == model.generate(100, seed=4)
    assert again.generate(100, seed=5) != model.generate(100, seed=4)
    assert fitted(bounds).to_bytes() == model.to_bytes()


def test_classes_and_conditions_are_met(bounds: str) -> None:
    made = fitted(bounds).generate(200, label="1", where=["age > 59", "job=smith"])

    assert made.num_rows == 200
    assert set(made["bad"].to_pylist()) == {1}
    assert set(made["job"].to_pylist()) == {"smith"}
    assert min(made["age"].to_pylist()) > 59
    with pytest.raises(tabad.InputError, match="0 of 65,536 rows drawn obey `age > 98`"):
        fitted(bounds).generate(5, where="age > 98")
    for where, message in (("z=1", "no column"), ("job > a", "no order"), ("age = x", "not a value")):
        with pytest.raises(tabad.UsageError, match=message):
            fitted(bounds).generate(5, where=where)
    with pytest.raises(tabad.UsageError, match="no guidance"):
        fitted(bounds).generate(5, guidance=2.0)


def test_no_row_of_the_table_is_kept_and_scores_still_work(bounds: str) -> None:
    model = fitted(bounds)
    odd = pa.table({"age": [30, 95], "job": ["clerk", "smith"], "bad": pa.array([0, 0], pa.int8())})
    scored = model.score(odd, explain="none")

    assert scored["tabad_p_value"].to_pylist()[1] < scored["tabad_p_value"].to_pylist()[0]
    # The count of rows is noisy: 4,000 it is not, but near.
    assert model.manifest["rows"] != 4_000
    assert model.manifest["rows"] == pytest.approx(4_000, abs=250)


def test_bounds_and_vocabularies_that_no_file_gives_are_paid_for() -> None:
    private = tabad.PrivateOptions(epsilon=5, delta=1e-5, noise_seed=0)
    rows = people(20_000)
    one_more = pa.table({"age": [10**9], "job": ["a name nobody shares"], "bad": pa.array([0], pa.int8())})
    model = tabad.fit(pa.concat_tables([rows, one_more]), private=private, quality="fast", label="bad")
    facts = model.manifest["private"]

    assert facts["paid_for"] == ["age", "job", "bad"]
    assert facts["accountant"]["vocabularies"] == {"delta": "1e-06"}
    assert facts["accountant"]["gaussian"]["delta"] == "9e-06"
    age, job, _ = facts["columns"]
    assert job["values"] == ["clerk", "farmer", "smith"]
    # Powers of two around 18 to 79: the one row beyond does not widen them.
    assert (age["lower"], age["upper"]) == (16, 128)


def test_a_unit_is_protected_and_not_modelled(bounds: str) -> None:
    rows = people().append_column("who", pa.array(np.arange(4_000) // 4))
    private = tabad.PrivateOptions(epsilon=3, bounds=bounds, unit="who", unit_rows=2, noise_seed=0)
    model = tabad.fit(rows, private=private, quality="fast")
    facts = model.manifest["private"]

    assert facts["adjacency"] == "one value of `who`, with at most 2 rows added or removed"
    assert "who" not in [column["name"] for column in model.manifest["columns"]]
    # Two of four rows of each unit count.
    assert model.manifest["rows"] == pytest.approx(2_000, abs=300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon is 0, and must be above 0"),
        ({"epsilon": 1.0, "delta": 0.0}, "delta is 0, and must be above 0"),
        ({"epsilon": 1.0, "unit_rows": 2}, "no unit is named"),
        ({"epsilon": 1.0, "unit": "a", "unit_rows": 2, "method": "dp-sgd"}, "draws rows, not units"),
        ({"epsilon": 1.0, "method": "magic"}, "not one of marginals, dp-sgd"),
    ],
)
def test_options_without_a_guarantee_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(tabad.UsageError, match=message):
        tabad.PrivateOptions(**options)  # type: ignore[arg-type]


def test_what_a_private_fit_cannot_keep_is_refused(bounds: str, tmp_path: Path) -> None:
    with pytest.raises(tabad.UsageError, match="memory does not go with a private fit"):
        tabad.fit(people(), private=1.0, memory=100)
    with pytest.raises(tabad.UsageError, match="feedback and kinds do not go with a private fit"):
        tabad.fit(people(), private=1.0, feedback="bad", kinds={"age": "key"})
    with pytest.raises(tabad.UsageError, match="the table has no column `z`"):
        tabad.fit(people(), private=tabad.PrivateOptions(epsilon=1, unit="z", noise_seed=0), quality="fast")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(tabad.InputError, match="whose types are told by its values"):
        tabad.fit(str(tmp_path / "t.csv"), private=1.0, quality="fast")
    with pytest.raises(tabad.UsageError, match="this model is private, and an update"):
        tabad.fit(people(), update=fitted(bounds))


def test_a_delta_that_gives_rows_away_is_warned_of(bounds: str) -> None:
    with pytest.warns(tabad.TabadWarning, match="delta is 0.001, and of about"):
        fitted(bounds, delta=1e-3)


def damaged(facts: dict[str, object], path: list[object], value: object) -> dict[str, object]:
    copy = json.loads(json.dumps(facts))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["columns", 0, "leaves"], 10**12),
        (["columns", 0, "leaves"], -1),
        (["columns", 0, "leaves"], "7"),
        (["columns", 0, "upper"], 20),
        (["columns", 0, "scale"], 0),
        (["columns", 1, "values"], None),
        (["columns", 1, "nullable"], False),
        (["columns", 1, "kind"], "text"),
        (["steps", 0, "columns"], [0, 0]),
        (["steps", 0, "columns"], [99]),
        (["steps", 0, "parents"], [1]),
        (["steps"], [{"parents": [], "columns": [0]}]),
        (["columns"], 5),
    ],
)
def test_damaged_facts_are_refused(bounds: str, path: list[object], value: object) -> None:
    model = fitted(bounds)
    text, numbers = model.core.release() or ("", b"")
    with pytest.raises(tabad.ModelFileError, match="private release is damaged"):
        unpack(damaged(json.loads(text), path, value), numbers, model.schema)


def test_a_release_comes_back_as_it_was_and_floats_and_infinities_do_not_go_in(bounds: str) -> None:
    model = fitted(bounds)
    text, numbers = model.core.release() or ("", b"")
    facts = json.loads(text)
    guarantee = {key: value for key, value in facts.items() if key not in ("columns", "steps")}
    packed = pack(unpack(facts, numbers, model.schema), guarantee)

    assert json.loads(packed[0]) == facts
    assert packed[1] == numbers
    core: _core.Model = model.core
    with pytest.raises(tabad.ModelFileError, match="`private` is damaged"):
        core.with_release('{"epsilon": 0.5}', numbers)
    with pytest.raises(tabad.ModelFileError, match="must hold finite numbers"):
        core.with_release("{}", np.array([np.inf]).tobytes())


def test_on_the_command_line(run_tabad: RunTabad, bounds: str, tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    pq.write_table(people(), tmp_path / "people.parquet")
    model = str(tmp_path / "m.tabad")
    done = run_tabad("fit", str(tmp_path / "people.parquet"), "-o", model, "--private", "3", "--public-bounds", bounds,
               "--label", "bad", "--quality", "fast")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "private  epsilon 3, delta 1e-06 for one row added or removed (marginals)" in done.stderr
    shown = run_tabad("inspect", model)
    assert "generated rows, none of the table" in shown.stdout
    assert "NOT PRIVATE" not in shown.stdout
    assert run_tabad("fit", str(tmp_path / "people.parquet"), "-o", model, "--delta", "1e-6").returncode == 2

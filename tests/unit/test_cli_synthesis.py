"""The commands that make or compare rows, in this process: what is written, what is said, exit codes."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabad
from tabad.cli.report_synthesis import show_augmented
from tabad.cli.run import run
from tabad.diffusion import presets
from tabad.synthesis import augment, learner, loop
from tabad.synthesis.loop import Choice, Plan

ROWS = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`t.parquet`, a table with ten missing amounts, and `m.tabad`, a hardly trained model of it."""
    place = tmp_path_factory.mktemp("synthesis")
    draw = np.random.default_rng(0)
    rare = np.arange(ROWS) % 5 == 0
    amount = [None if row < 10 else float(value) for row, value in enumerate(draw.normal(size=ROWS) + 3 * rare)]
    table = pa.table(
        {"amount": amount, "city": draw.choice(["Oslo", "Rome"], ROWS).tolist(), "fraud": np.where(rare, "yes", "no")}
    )
    pq.write_table(table, place / "t.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(16, 1, 64, 20, 1e9))
        tabad.fit(table, ignore=["fraud"]).save(place / "m.tabad")
    return place


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_impute_writes_the_filled_table_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["impute", "t.parquet", "-m", "m.tabad", "-o", "filled.parquet"]) == 0
    assert capsys.readouterr().err == "200 rows · 10 cells filled: amount 10\nwrote filled.parquet\n"
    filled, table = pq.read_table("filled.parquet"), pq.read_table("t.parquet")
    assert filled.schema == table.schema
    assert filled["amount"].null_count == 0
    assert filled.slice(10) == table.slice(10)


def test_impute_answers_in_json_and_refuses_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["impute", "t.parquet", "-m", "m.tabad", "-o", "f.csv", "--json"]
    assert run([*command, "--column", "amount"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "tabad": 1, "rows": 200, "output": "f.csv", "filled": {"amount": 10}, "warnings": []
    }  # fmt: skip
    assert run([*command, "--column", "fraud"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["name"] == "impute-column"


def test_generate_obeys_conditions_and_makes_anomalies(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "-m", "m.tabad", "-n", "20", "-o", "made.csv"]
    assert run([*command, "--where", "city != Rome", "--where", "amount > 0"]) == 0
    assert {row.split(",")[1] for row in Path("made.csv").read_text().splitlines()[1:]} == {'"Oslo"'}
    moves = ["--anomalies", "--from", "t.parquet", "--columns", "city"]
    assert run([*command, *moves]) == 0
    assert Path("made.csv").read_text().splitlines()[0] == '"amount","city","fraud","tabad_changed","tabad_original"'
    assert run([*command, *moves[:1]]) == 2
    assert run([*command, *moves[1:]]) == 2
    assert run([*command, *moves, "--where", "city=Oslo"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: --from is missing",
        "error: --from and --columns need --anomalies",
        "error: --where do not go with --anomalies",
    ]


def test_compare_prints_a_table_or_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "_ROUNDS", 3)
    assert run(["compare", "t.parquet", "t.parquet", "--label", "fraud"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[-2] == lines[2].split()[-2] == "1.000"  # shapes and trends of a table beside itself
    assert [line[:24].rstrip() for line in lines[4:8]] == [
        "manifold precision, no", "manifold recall, no", "manifold precision, yes", "manifold recall, yes"
    ]  # fmt: skip
    assert run(["compare", "t.parquet", "t.parquet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["generated"]["shapes"] == {"amount": 1.0, "city": 1.0, "fraud": 1.0}
    assert found["generated"]["manifold"] == {"all": {"precision": 1.0, "recall": 1.0}}


def test_augment_says_no_gain(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Plan", partial(Plan, folds=3, repeats=1))
    monkeypatch.setattr(augment, "choose", lambda *_: Choice(0, dict.fromkeys((*loop.ARMS, "augment"), 10), ()))
    monkeypatch.setattr(learner, "_ROUNDS", 3)
    assert run(["augment", "t.parquet", "--label", "fraud", "--rare", "yes", "-o", "more.parquet"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("200 rows, 40 of them `yes` · ")
    assert lines[1:3] == [
        "average precision on 3 folds that no step has seen, gradient boosting",
        "(in brackets as if both classes were equally common: the loop goes by that, where the other does not lose)",
    ]
    assert lines[3].startswith("  nothing        ")
    assert lines[3].endswith("augment +0.000 (95 % interval +0.000 to +0.000)")
    assert lines[-2:] == ["no gain: nothing was added", "wrote more.parquet"]
    assert pq.read_table("more.parquet").drop(["tabad_synthetic"]) == pq.read_table("t.parquet")


@pytest.mark.parametrize(
    ("low", "said"),
    [
        (0.01, "a gain: 80 rows were added"),
        (-0.09, "a gain, in average precision within what chance does to these folds: 80 rows were added"),
    ],
)
def test_a_gain_within_chance_is_called_so(low: float, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    arms = dict.fromkeys((*loop.ARMS, "augment"), 0.3)
    uplift = dict.fromkeys(loop.ARMS, (0.06, low, 0.21))
    rows = pa.table({"a": list(range(1_580))})
    outcome = augment.Outcome(rows, 80, True, 40, arms, arms, uplift, 1, (1, 0), (), 3.0)

    show_augmented(outcome, "yes", "-", as_json=False)

    assert capsys.readouterr().err.splitlines()[-1] == said


def test_threads_of_openmp_wait_a_little_before_they_sleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Gradient boosting on two cores: 6.8 s for what takes 0.6 s, where they sleep at once.
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    assert run(["--version"]) == 0
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"]) == ("passive", "10000")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert run(["--version"]) == 0
    assert os.environ["GOMP_SPINCOUNT"] == "7"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--class", "yes"], "--class"),
        (["--guidance", "2"], "--guidance"),
        (["--no-constraints"], "--no-constraints"),
        (["--redraw-copies", "--train", "t.parquet"], "--train and --redraw-copies"),
        (["--redraw-near", "0.1", "--train", "t.parquet"], "--train and --redraw-near"),
        (["--audit", "--train", "t.parquet", "--holdout", "t.parquet"], "--train and --holdout and --audit"),
    ],
)
def test_options_of_generated_rows_do_not_go_with_anomalies(
    options: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", "--anomalies", "--from", "t.parquet", "-m", "m.tabad", "-n", "3", "-o", "odd.parquet"]

    assert run([*command, *options]) == 2
    assert f"{named} do not go with --anomalies" in capsys.readouterr().err
    assert not Path("odd.parquet").exists()

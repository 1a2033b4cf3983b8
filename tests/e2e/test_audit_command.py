"""`tabad audit` in a process of its own: exit codes, what a person reads, what a program reads."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.conftest import RunTabad, mixed_table


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Training, held-out, fresh and partly copied rows of one table."""
    folder = tmp_path_factory.mktemp("audit")
    table = mixed_table(900, seed=4)
    parts = {"train": table.slice(0, 300), "holdout": table.slice(300, 300), "fresh": table.slice(600, 300)}
    parts["copied"] = pa.concat_tables([parts["fresh"].slice(0, 280), parts["train"].slice(20, 20)])
    for name, part in parts.items():
        pq.write_table(part, folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in parts}


def arguments(places: dict[str, Path], synthetic: str) -> list[object]:
    return ["audit", places[synthetic], "--train", places["train"], "--holdout", places["holdout"]]


def test_a_table_that_leaks_nothing_passes(run_tabad: RunTabad, places: dict[str, Path]) -> None:
    done = run_tabad(*arguments(places, "fresh"))

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{places['fresh']}   300 rows, 300 training, 300 held out"
    assert lines[1] == "  left out: row_id"
    assert [line.split("  ")[2].strip() for line in lines if line.startswith("    ")] == [
        "copies", "distances", "membership", "singling out by one column", "singling out by several columns",
        "linkability", "attribute inference",
    ]  # fmt: skip
    assert sum(" pass " in line for line in lines) == 6


def test_copies_are_an_alarm_and_exit_code_1(run_tabad: RunTabad, places: dict[str, Path]) -> None:
    done = run_tabad(*arguments(places, "copied"))

    assert done.returncode == 1
    assert "copies                           alarm" in done.stdout
    assert done.stderr.startswith("error: the synthetic table gives training rows away: copies")
    assert "hint: train on more rows" in done.stderr


def test_json_is_one_document_with_every_figure(run_tabad: RunTabad, places: dict[str, Path]) -> None:
    done = run_tabad(*arguments(places, "copied"), "--json", "--label", "country", "--class", "DE", "--seed", "5")

    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["tabad"], found["passed"], found["synthetic"]) == (1, False, str(places["copied"]))
    assert {finding["group"] for finding in found["findings"]} == {"all rows", "country = DE"}
    copies = found["findings"][0]
    assert (copies["attack"], copies["verdict"]) == ("copies", "alarm")
    assert copies["p_value"] <= copies["level"]
    share = copies["figures"]["copies of training rows"]
    assert share["value"] == pytest.approx(20 / 300)
    assert share["low"] < share["value"] < share["high"]


def test_other_formats_are_read_with_the_types_of_the_training_table(
    run_tabad: RunTabad, places: dict[str, Path], tmp_path: Path
) -> None:
    synthetic = tmp_path / "copied.csv"
    pyarrow.csv.write_csv(pq.read_table(places["copied"]), synthetic)

    done = run_tabad(*arguments({**places, "copied": synthetic}, "copied"), "--json")

    assert done.returncode == 1, done.stderr
    figures = json.loads(done.stdout)["findings"][0]["figures"]
    assert figures["copies of training rows"]["value"] == pytest.approx(20 / 300)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--label", "country"], 2, "a label is given without a class"),
        (["--ignore", "nope"], 2, "no table has a column `nope`"),
        (["--label", "country", "--class", "XX"], 2, "has class `XX` in column `country`"),
        (["--rows", "3"], 2, "invalid value for '--rows'"),
    ],
)
def test_wrong_calls(run_tabad: RunTabad, places: dict[str, Path], more: list[str], code: int, message: str) -> None:
    done = run_tabad(*arguments(places, "fresh"), *more)

    assert done.returncode == code
    assert message in done.stderr


def test_a_holdout_that_was_trained_on_is_unfit_input(run_tabad: RunTabad, places: dict[str, Path]) -> None:
    done = run_tabad("audit", places["fresh"], "--train", places["train"], "--holdout", places["train"], "--json")

    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["name"] == "holdout-overlap"


def test_checks_of_generated_rows_need_their_tables(run_tabad: RunTabad, places: dict[str, Path]) -> None:
    alone = run_tabad("generate", "-m", "m.tabad", "--audit", "--train", places["train"])
    idle = run_tabad("generate", "-m", "m.tabad", "--train", places["train"])

    assert (alone.returncode, idle.returncode) == (2, 2)
    assert "--audit needs the rows that the model was trained on" in alone.stderr
    assert "no check is asked for" in idle.stderr

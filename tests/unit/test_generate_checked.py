"""Generated rows that are audited before they are handed out, and copies drawn again."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabad
from tabad.cli.run import run
from tabad.diffusion import presets
from tabad.errors import InputError, Refused, UsageError
from tabad.privacy.redraw import without_copies


def rows(seed: int, n: int, digits: int = 1) -> pa.Table:
    draw = np.random.default_rng(seed)
    size = draw.choice([1.0, 2.0, 3.0], n)
    return pa.table(
        {
            "row": pa.array([f"{seed}-{row}" for row in range(n)]),
            "city": pa.array(np.where(draw.random(n) < 0.5, "Rome", "Oslo").tolist()).dictionary_encode(),
            "size": size,
            "amount": np.round(10 * size + draw.normal(0, 1, n), digits),
        }
    )


TRAIN, HOLDOUT = rows(1, 600), rows(2, 600)
# No row like another.
FINE = rows(1, 600, digits=9)


@pytest.fixture(scope="module")
def model() -> tabad.Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "preset", lambda *_, **__: presets.Preset(64, 2, 256, 500, 1e9))
        return tabad.fit(TRAIN)


@pytest.fixture
def memorising(monkeypatch: pytest.MonkeyPatch, model: tabad.Model) -> tabad.Model:
    """A model whose generator hands out its training rows."""
    monkeypatch.setattr(tabad.Model, "generate", lambda _, n, **__: FINE.slice(0, n))
    return model


def test_rows_that_pass_are_written(model: tabad.Model, tmp_path: Path) -> None:
    out = tmp_path / "made.parquet"

    answer = tabad.generate(model, 300, train=TRAIN, holdout=HOLDOUT, output=out)

    assert answer == out
    assert pq.read_table(out).num_rows == 300


def test_rows_that_raise_an_alarm_are_not_written(memorising: tabad.Model, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"copies.*; nothing was written") as caught:
        tabad.generate(memorising, 300, train=FINE, holdout=rows(2, 600, digits=9), output=tmp_path / "made.parquet")

    assert list(tmp_path.iterdir()) == []
    assert (caught.value.exit_code, caught.value.answered) == (1, False)


@pytest.mark.usefixtures("memorising")
def test_the_command_line_refuses_and_leaves_nothing(
    model: tabad.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {name: str(tmp_path / name) for name in ("m.tabad", "train.parquet", "holdout.parquet", "made.parquet")}
    model.save(places["m.tabad"])
    pq.write_table(FINE, places["train.parquet"])
    pq.write_table(rows(2, 600, digits=9), places["holdout.parquet"])
    call = ["generate", "-m", places["m.tabad"], "-n", "300", "-o", places["made.parquet"], "--json", "--audit"]

    code = run([*call, "--train", places["train.parquet"], "--holdout", places["holdout.parquet"]])

    assert code == 1
    assert json.loads(capsys.readouterr().out)["error"]["name"] == "audit-alarm"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["holdout.parquet", "m.tabad", "train.parquet"]


def test_the_training_table_may_have_more_columns(model: tabad.Model) -> None:
    wider = TRAIN.append_column("extra", TRAIN["amount"]), HOLDOUT.append_column("extra", HOLDOUT["amount"])

    assert tabad.generate(model, 200, train=wider[0], holdout=wider[1]).num_rows == 200


def test_copies_are_drawn_again(model: tabad.Model) -> None:
    plain = tabad.generate(model, 400, seed=3)
    checked = tabad.generate(model, 400, seed=3, train=TRAIN, redraw_copies=True)

    keys = ["city", "size", "amount"]
    once = {line for line, count in _counts(TRAIN.select(keys)).items() if count == 1}
    assert once & set(_counts(plain.select(keys)))
    assert not once & set(_counts(checked.select(keys)))
    assert (checked.num_rows, checked.schema) == (plain.num_rows, plain.schema)
    same = [a == b for a, b in zip(plain.to_pylist(), checked.to_pylist(), strict=True)]
    assert 0 < same.count(False) < 200


def _counts(table: pa.Table) -> dict[str, int]:
    lines = [json.dumps(row, sort_keys=True) for row in table.to_pylist()]
    return {line: lines.count(line) for line in set(lines)}


def test_a_generator_that_only_copies_is_found_out() -> None:
    made = FINE.slice(0, 50)

    with pytest.raises(InputError, match="after 20 turns of drawing again") as caught:
        without_copies(made, FINE, ["city", "size", "amount"], lambda n, _: FINE.slice(0, n), "train.parquet")

    assert caught.value.name == "copies-remain"


def test_near_copies_are_drawn_again(model: tabad.Model) -> None:
    plain = tabad.generate(model, 200, seed=3)
    checked = tabad.generate(model, 200, seed=3, train=FINE, redraw_near=0.5)

    # No two amounts of FINE are the same: half of its rows have another of their city and size within `cut`.
    cut = float(np.median(_apart(FINE, 1)))
    assert (_apart(plain, 0) < cut).mean() > 0.2
    assert (_apart(checked, 0) < 0.99 * cut).mean() == 0
    assert (checked.num_rows, checked.schema) == (plain.num_rows, plain.schema)


def _apart(made: pa.Table, rank: int) -> np.ndarray:
    """How far the amount of a row is from the nearest (rank 1: second nearest) one of its city and size in FINE."""
    amounts: dict[tuple[str, float], list[float]] = {}
    for row in FINE.to_pylist():
        amounts.setdefault((row["city"], row["size"]), []).append(row["amount"])
    rows = made.to_pylist()
    found = [sorted(abs(row["amount"] - a) for a in amounts[row["city"], row["size"]])[rank] for row in rows]
    return np.array(found)


def test_a_share_of_near_copies_is_a_share(model: tabad.Model) -> None:
    with pytest.raises(UsageError, match="`redraw_near` is 1, and must be 0 or a share below 1"):
        tabad.generate(model, 5, train=TRAIN, redraw_near=1.0)


def test_a_check_needs_its_tables(model: tabad.Model) -> None:
    with pytest.raises(UsageError, match="`train` is not given"):
        tabad.generate(model, 5, redraw_copies=True)
    with pytest.raises(UsageError, match="`holdout` is not given"):
        tabad.generate(model, 5, train=TRAIN)

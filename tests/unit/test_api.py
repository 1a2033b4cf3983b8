"""Which arguments go together, and how a decision becomes a level."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tabad
from tabad.run import benjamini_hochberg
from tabad.schema import looks_like_label, parse_kinds


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"level": 0.1, "top": 3}, "options-conflict"),
        ({"level": 0.1, "fdr": 0.1}, "options-conflict"),
        ({"level": 1.5}, "option-range"),
        ({"fdr": 0.0}, "option-range"),
        ({"top": 0}, "option-range"),
        ({"explain": "some"}, "option-unknown"),
        ({"quality": "superb"}, "option-unknown"),
        ({"device": "tpu"}, "option-unknown"),
        ({"normal": "no"}, "normal-without-label"),
        ({"memory": -1}, "option-range"),
        ({"fdr": 0.1}, "fdr-without-calibration"),
        ({"ignore": ["nope"]}, "column-unknown"),
        ({"kinds": {"weight": "colour"}}, "kind-unknown"),
    ],
)
def test_wrong_arguments_are_usage_errors(arguments: dict[str, Any], name: str, mixed: pa.Table) -> None:
    with pytest.raises(tabad.UsageError) as caught:
        tabad.score(mixed, **arguments)

    assert caught.value.name == name


@pytest.mark.parametrize(
    "argument", [{"ignore": ["note"]}, {"quality": "fast"}, {"save_model": "x.tabad"}, {"seed": 1}]
)
def test_fit_arguments_beside_a_model_are_refused(
    argument: dict[str, Any], mixed: pa.Table, model: tabad.Model
) -> None:
    with pytest.raises(tabad.UsageError, match=f"{next(iter(argument))} says how to fit"):
        tabad.score(mixed, model, **argument)


def test_what_is_no_table_says_so() -> None:
    with pytest.raises(tabad.UsageError, match="a dict is not a table"):
        tabad.score({"a": [1]})


def test_model_survives_save_and_load_to_the_byte(model: tabad.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.tabad")

    again = tabad.Model.load(tmp_path / "m.tabad")

    assert again.to_bytes() == model.to_bytes()
    assert again.manifest == model.manifest


def test_screening_keeps_the_very_model_that_scored(mixed: pa.Table, tmp_path: Path) -> None:
    scored = tabad.score(mixed, save_model=tmp_path / "m.tabad", memory=256)

    again = tabad.score(mixed, tmp_path / "m.tabad")

    assert again.equals(scored)


def test_top_flags_the_oddest_rows(mixed: pa.Table, model: tabad.Model) -> None:
    scored = model.score(mixed, top=5)
    order = sorted(scored["tabad_score"].to_pylist(), reverse=True)

    assert [flag for flag in scored["tabad_flag"].to_pylist() if flag] == [True] * 5
    assert (
        min(s for s, f in zip(scored["tabad_score"].to_pylist(), scored["tabad_flag"].to_pylist(), strict=True) if f)
        == order[4]
    )


def test_level_below_the_smallest_p_value_is_said(mixed: pa.Table, model: tabad.Model) -> None:
    with pytest.warns(tabad.TabadWarning, match="nothing can be flagged at level 1e-06"):
        scored = model.score(mixed, level=1e-6)

    assert sum(scored["tabad_flag"].to_pylist()) == 0


def test_rate_that_cannot_be_reached_is_said(mixed: pa.Table, model: tabad.Model) -> None:
    with pytest.warns(tabad.TabadWarning, match="cannot be reached"):
        scored = model.score(mixed, fdr=1e-6)

    assert sum(scored["tabad_flag"].to_pylist()) == 0


def test_generate_without_a_network_says_how_to_get_one(model: tabad.Model) -> None:
    with pytest.raises(tabad.UsageError, match="no network") as caught:
        model.generate(3)

    assert "quality" in (caught.value.hint or "")


def test_manifest_is_a_copy(model: tabad.Model) -> None:
    model.manifest["columns"].clear()

    assert model.manifest["columns"]
    assert json.dumps(model.inspect())


@given(st.lists(st.integers(0, 40), min_size=2, max_size=60), st.floats(0.001, 0.9))
def test_benjamini_hochberg_is_the_textbook_procedure(ranks: list[int], fdr: float) -> None:
    # The slow twin: sort all p-values, find the largest k with p_(k) <= k q / m.
    p_values = sorted((1 + rank) / len(ranks) for rank, count in enumerate(ranks) for _ in range(count))
    rejected = [k for k, p in enumerate(p_values, start=1) if p * len(p_values) <= fdr * k]
    expected = p_values[rejected[-1] - 1] if rejected else 0.0

    counted = [((1 + rank) / len(ranks), count) for rank, count in enumerate(ranks) if count]
    assert benjamini_hochberg(counted, fdr) == expected


@pytest.mark.parametrize(
    "name", ["label", "Class", "is_fraud", "TX_FRAUD", "FraudFound_P", "isFraud", "y", "is_anomaly", "target"]
)
def test_label_is_told_by_its_name(name: str) -> None:
    assert looks_like_label(name)


@pytest.mark.parametrize("name", ["class_size", "amount", "year", "defaulted_at", "yes", "customer_id"])
def test_other_names_are_no_labels(name: str) -> None:
    assert not looks_like_label(name)


def test_kinds_are_parsed_at_the_last_equals_sign() -> None:
    assert parse_kinds(["a=b=category"]) == {"a=b": "category"}


@pytest.mark.parametrize("pair", ["zip", "zip=", "=category", "zip=colour"])
def test_wrong_kind_is_refused(pair: str) -> None:
    with pytest.raises(tabad.UsageError, match="is not COL=KIND"):
        parse_kinds([pair])


def test_all_rows_are_learned_from_and_none_is_held_out(mixed: pa.Table, tmp_path: Path) -> None:
    some = tabad.fit(mixed, quality="fast")
    every = tabad.fit(mixed, quality="fast", all_rows=True)
    assert (some.manifest["calibration"], some.manifest["training_rows"]) == ("held-out", 420)
    assert (every.manifest["calibration"], every.manifest["training_rows"]) == ("self", 600)
    # The same model that a screened table leaves behind.
    tabad.score(mixed, quality="fast", save_model=tmp_path / "screened.tabad")
    every.save(tmp_path / "every.tabad")
    assert (tmp_path / "every.tabad").read_bytes() == (tmp_path / "screened.tabad").read_bytes()


@pytest.mark.parametrize("beside", [{"private": 1.0}, {"update": True}])
def test_all_rows_does_not_go_with_a_private_fit_or_an_update(
    beside: dict[str, Any], mixed: pa.Table, model: tabad.Model
) -> None:
    if "update" in beside:
        beside = {"update": model}
    with pytest.raises(tabad.UsageError, match="all_rows"):
        tabad.fit(mixed, quality="fast", all_rows=True, **beside)


def test_a_damaged_model_file_is_named(model: tabad.Model, tmp_path: Path) -> None:
    path = tmp_path / "cut.tabad"
    path.write_bytes(model.to_bytes()[:-1])
    with pytest.raises(tabad.ModelFileError) as caught:
        tabad.Model.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.name == "model-file-damaged"
    assert caught.value.hint

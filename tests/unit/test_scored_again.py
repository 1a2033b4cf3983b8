"""What a scoring added to a table is not modelled when the table is fitted or screened again."""

import pyarrow as pa
import pytest
from tests.unit.test_broken_rules import _table

import tabad

NOTE = "tabad_score, tabad_p_value, tabad_flag, tabad_reasons are left out: an earlier scoring added them"


@pytest.fixture(scope="module")
def scored() -> pa.Table:
    return tabad.score(_table(800, 1), explain="all")


def test_the_columns_of_a_scoring_are_left_out_and_that_is_said(scored: pa.Table) -> None:
    plain = scored.drop_columns([name for name in scored.column_names if name.startswith("tabad_")])

    with pytest.warns(tabad.TabadWarning) as caught:
        model = tabad.fit(scored, quality="fast")

    assert [str(one.message) for one in caught] == [NOTE]
    kinds = {column["name"]: column["kind"] for column in model.manifest["columns"]}
    assert [name for name, kind in kinds.items() if kind == "ignored"] == NOTE.partition(" are ")[0].split(", ")
    scores = [one.score(plain, explain="none")["tabad_score"] for one in (model, tabad.fit(plain, quality="fast"))]
    assert scores[0] == scores[1]


def test_so_are_those_of_another_prefix_and_both(scored: pa.Table) -> None:
    with pytest.warns(tabad.TabadWarning, match=NOTE):
        twice = tabad.score(scored, prefix="again_", level=None)
    with pytest.warns(tabad.TabadWarning) as caught:
        model = tabad.fit(twice, quality="fast")

    both = NOTE.replace("tabad_reasons", f"tabad_reasons, {NOTE.partition(' are ')[0].replace('tabad_', 'again_')}")
    assert [str(one.message) for one in caught] == [both]
    assert sum(column["kind"] == "ignored" for column in model.manifest["columns"]) == 8


def test_what_is_named_or_not_whole_is_modelled(scored: pa.Table) -> None:
    flat = scored.drop_columns(["tabad_reasons"])
    assert "ignored" not in {column["kind"] for column in tabad.fit(flat, quality="fast").manifest["columns"]}

    with pytest.raises(tabad.InputError, match="`tabad_reasons` cannot be modelled: nested or binary"):
        tabad.fit(scored, quality="fast", kinds={"tabad_score": "number"})
    model = tabad.fit(scored, quality="fast", kinds={"tabad_score": "number"}, ignore=["tabad_reasons"])
    kinds = {column["name"]: column["kind"] for column in model.manifest["columns"]}
    assert (kinds["tabad_score"], kinds["tabad_flag"], kinds["tabad_reasons"]) == ("number", "boolean", "ignored")


def test_a_column_that_is_not_there_may_be_a_slip(scored: pa.Table) -> None:
    with pytest.raises(tabad.UsageError) as caught:
        tabad.fit(_table(800, 1), quality="fast", ignore=["Totla", "TOTAL", "nowhere"])

    assert str(caught.value) == "the table has no column `Totla`, `TOTAL`, `nowhere`"
    assert caught.value.hint == (
        "did you mean `total`? its columns are `net`, `tax`, `total`, `start`, `end`, `weight`"
    )

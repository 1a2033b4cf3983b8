"""Cells of a CSV file that are not what their column is: `12,50` among amounts, the 45th of a month among days."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

import tabad
from tabad.errors import InputError, TabadWarning
from tabad.tables.strays import marked

ROWS = 1_200
DIRTY = {"amount": (700, "12,50"), "qty": (800, "maybe"), "day": (900, "2024-13-45")}


def rows(stray: dict[str, tuple[int, str]]) -> dict[str, list[str]]:
    table = {
        "amount": [f"{10 + row * 37 % 991 / 10:.2f}" for row in range(ROWS)],
        "qty": [str(1 + row * 7 % 60) for row in range(ROWS)],
        "day": [f"2023-{1 + row * 5 % 12:02}-{1 + row * 11 % 28:02}" for row in range(ROWS)],
        "city": [("Bern", "Basel", "Genf")[row * 13 % 3] for row in range(ROWS)],
    }
    for name, (row, text) in stray.items():
        table[name][row] = text
    return table


def written(path: Path, table: dict[str, list[str]], by: str = ",") -> Path:
    cells = zip(*table.values(), strict=True)
    quoted = ([f'"{cell}"' if by in cell else cell for cell in row] for row in cells)
    path.write_text("\n".join(by.join(row) for row in ([*table], *quoted)) + "\n")
    return path


def flagged(scored: pa.Table) -> dict[int, tuple[str, str, str]]:
    found = {}
    for row, (flag, reasons) in enumerate(
        zip(scored["tabad_flag"].to_pylist(), scored["tabad_reasons"].to_pylist(), strict=True)
    ):
        if flag:
            found[row] = tuple(reasons[0][key] for key in ("column", "seen", "expected"))
    return found


FOUND = {
    700: ("amount", "12,50", "a number"),
    800: ("qty", "maybe", "a whole number"),
    900: ("day", "2024-13-45", "a date"),
}


def test_a_screening_names_them_and_nothing_else(tmp_path: Path) -> None:
    assert flagged(tabad.score(written(tmp_path / "t.csv", rows(DIRTY)))) == FOUND


def test_a_model_of_clean_rows_names_them(tmp_path: Path) -> None:
    model = tabad.fit(written(tmp_path / "clean.csv", rows({})), quality="fast")
    assert flagged(model.score(written(tmp_path / "t.csv", rows(DIRTY)), top=3)) == FOUND
    assert list(model.schema.types) == [pa.float64(), pa.int64(), pa.date32(), pa.string()]


def test_every_cell_comes_back_as_it_was(tmp_path: Path) -> None:
    given, out = written(tmp_path / "t.csv", rows(DIRTY)), tmp_path / "scored.csv"
    tabad.score(given, output=out)
    as_text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(rows({}), pa.string()))
    read = pyarrow.csv.read_csv(out, convert_options=as_text)
    assert {name: read[name].to_pylist() for name in rows({})} == rows(DIRTY)
    scored = tabad.score(given)
    assert [field.metadata for field in scored.schema] == [None] * 8


def test_a_model_of_rows_with_some_is_the_model_of_rows_that_lack_these_cells(tmp_path: Path) -> None:
    blank = {name: (row, "") for name, (row, _) in DIRTY.items()}
    with pytest.warns(TabadWarning, match="no number or date: 1 of `amount`, 1 of `day`, 1 of `qty`; for the model"):
        one = tabad.fit(written(tmp_path / "dirty.csv", rows(DIRTY)), quality="fast", output=tmp_path / "a.tabad")
    other = tabad.fit(written(tmp_path / "blank.csv", rows(blank)), quality="fast", output=tmp_path / "b.tabad")
    assert one.schema == other.schema
    assert (tmp_path / "a.tabad").read_bytes() == (tmp_path / "b.tabad").read_bytes()


def test_one_that_stands_far_down_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabad.tables.csv_lines.BLOCK", 1_000)
    table = {name: cells * 2 for name, cells in rows({}).items()}
    table["qty"][2_300] = "maybe"
    assert flagged(tabad.score(written(tmp_path / "t.csv", table))) == {2_300: ("qty", "maybe", "a whole number")}


def test_decimals_behind_a_comma(tmp_path: Path) -> None:
    table = rows({"amount": (700, "12.5.0")})
    table["amount"] = [cell if row == 700 else cell.replace(".", ",") for row, cell in enumerate(table["amount"])]
    scored = tabad.score(written(tmp_path / "t.csv", table, by=";"))
    assert flagged(scored) == {700: ("amount", "12.5.0", "a number")}


def test_what_has_decimals_further_down_is_a_number(tmp_path: Path) -> None:
    table = rows({"qty": (500, "maybe")})
    table["qty"][1_050:] = [f"{cell}.5" for cell in table["qty"][1_050:]]
    model = tabad.fit(written(tmp_path / "t.csv", table), quality="fast", all_rows=True)
    assert model.schema.field("qty").type == pa.float64()


def test_codes_are_no_strays(tmp_path: Path) -> None:
    table = rows({})
    table["qty"] = [f"C{cell}" if row >= 1_100 else cell for row, cell in enumerate(table["qty"])]
    said = "column `qty` looks like numbers at first, but 100 of 1,200 cells are none: it is read as text"
    with pytest.warns(TabadWarning, match=said):
        scored = tabad.score(written(tmp_path / "t.csv", table))
    assert not any(column == "qty" and "number" in expected for column, _, expected in flagged(scored).values())


def test_what_is_not_judged_is_not_named(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", rows(DIRTY))
    assert flagged(tabad.score(path, ignore=["amount", "qty"])) == {900: FOUND[900]}
    assert 800 not in flagged(tabad.score(path, given=["qty"]))


def test_an_update_takes_them_for_missing(tmp_path: Path) -> None:
    model = tabad.fit(written(tmp_path / "clean.csv", rows({})), quality="fast")
    with pytest.warns(TabadWarning, match="no number or date: 1 of `amount`, 1 of `day`, 1 of `qty`"):
        updated = tabad.fit(written(tmp_path / "t.csv", rows(DIRTY)), update=model)
    assert updated.schema == model.schema


def test_other_verbs_ask_for_a_correct_cell(tmp_path: Path) -> None:
    one, other = written(tmp_path / "clean.csv", rows({})), written(tmp_path / "t.csv", rows(DIRTY))
    with pytest.raises(InputError, match="column `amount` reads '12,50' in line 702"):
        tabad.audit(other, train=one, holdout=one)


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ([str(row) for row in range(300)], "int64"),
        ([*map(str, range(299)), "oops"], "int64"),
        ([*map(str, range(297)), "a", "b", "c"], None),  # three of three hundred are no mistakes
        ([*map(str, range(298)), "new", "new"], None),  # what is written twice is meant
        ([*map(str, range(99))], None),  # fewer than a hundred cells say little
        ([str(row % 10) for row in range(299)] + ["x"], None),  # codes of few values
        ([*(f"{row}.5" for row in range(299)), "12,50"], "float64"),
        ([*(f"{row}" for row in range(150)), *(f"{row}.5" for row in range(149)), "-"], "float64"),
        ([*(f"2023-01-{1 + row % 28:02}" for row in range(299)), "2023-02-30"], "date32"),
        ([*(f"2023-01-{1 + row % 28:02} 10:{row % 60:02}" for row in range(299)), "soon"], "timestamp[s]"),
        (["", "N/A", "nan"] * 50 + [str(row) for row in range(120)], "int64"),
        (["Bern"] * 300, None),
    ],
)
def test_what_the_first_rows_say(cells: list[str], word: str | None) -> None:
    assert marked(cells, ".") == word


def test_a_frame_of_pandas_that_read_such_a_file(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(written(tmp_path / "t.csv", rows(DIRTY)))
    scored = tabad.score(frame)
    pd.testing.assert_frame_equal(scored[frame.columns], frame)
    assert flagged(pa.Table.from_pandas(scored)) == FOUND
    model = tabad.fit(written(tmp_path / "clean.csv", rows({})), quality="fast")
    assert flagged(pa.Table.from_pandas(model.score(frame, top=3))) == FOUND


def test_other_frames() -> None:
    pl = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    frame = pl.DataFrame(rows(DIRTY))
    assert flagged(tabad.score(frame).to_arrow()) == FOUND
    assert flagged(tabad.score(frame.lazy()).collect().to_arrow()) == FOUND
    connection = duckdb.connect()
    connection.register("given", frame.to_arrow())
    assert flagged(tabad.score(connection.table("given")).to_arrow_table()) == FOUND


def test_a_column_of_pandas_that_mixes_numbers_and_texts() -> None:
    pd = pytest.importorskip("pandas")
    cells = [float(cell) for cell in rows({})["amount"]]
    frame = pd.DataFrame({"amount": [*cells[:600], "see note", None, *cells[602:]], "qty": range(ROWS)})
    scored = tabad.score(frame)
    pd.testing.assert_frame_equal(scored[["amount", "qty"]], frame)
    assert list(scored.index[scored["tabad_flag"]]) == [600]
    with pytest.raises(InputError, match="column `amount` of the pandas DataFrame mixes values of several types"):
        tabad.fit(frame, quality="fast")


def test_text_that_its_type_says_is_text_stays_text_in_a_fit() -> None:
    table = pa.table(rows(DIRTY))
    assert flagged(tabad.score(table)) == FOUND
    said = "column `amount` is text, though nearly all of its cells are numbers or dates ('12,50' is none)"
    with pytest.warns(TabadWarning) as told:
        assert tabad.fit(table, quality="fast").schema.types == [pa.string()] * 4
    assert str(told[0].message).startswith(said)
    assert len(told) == 3, "one for each column"
    codes = pa.table({"zip": [str(10_000 + row * 7 % 9_000) for row in range(ROWS)], "x": list(range(ROWS))})
    kinds = tabad.score(codes.set_column(0, "zip", pa.array([*codes["zip"].to_pylist()[:-1], "oops"])))
    assert kinds["tabad_flag"].to_pylist()[-1], "one stray among numbers"


def test_what_is_said_to_be_something_else_is_not_marked(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", rows(DIRTY))
    assert flagged(tabad.score(path, kinds={"amount": "text", "qty": "category"})).keys() <= {900, 700, 800}
    model = tabad.fit(path, quality="fast", kinds={"amount": "text"}, label="qty", all_rows=True)
    assert model.schema.field("amount").type == pa.string()
    assert model.manifest["label"]["column"] == "qty"


def test_dates_of_any_layout_among_many_columns() -> None:
    columns = {f"x{at}": [float((row * (7 + at) + at) % 997) for row in range(ROWS)] for at in range(12)}
    days = [f"{1 + row * 11 % 28:02}.{1 + row * 5 % 12:02}.2023" for row in range(ROWS)]
    days[500], days[900] = "31.02.2023", "soon"
    scored = tabad.score(pa.table({**columns, "day": days}))
    assert flagged(scored) == {500: ("day", "31.02.2023", "a date"), 900: ("day", "soon", "a date")}
    days[100:120] = ["unknown"] * 20
    scored = tabad.score(pa.table({**columns, "day": days}))
    assert not {*range(100, 120)} & flagged(scored).keys(), "what is often written is meant"

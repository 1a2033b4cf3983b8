"""Numbers as spreadsheets write them: decimal commas are read, other dresses are said."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tabad
from tabad.errors import InputError
from tabad.schema import spot_numbers
from tabad.tables import open_table


def _read(path: Path, text: str) -> pa.Table:
    path.write_text(text, "utf-8")
    table = open_table(path)
    read: pa.Table = table.reread(lambda: table.open().read_all())
    return read


def test_decimal_commas_are_read_where_no_number_has_a_point(tmp_path: Path) -> None:
    table = _read(tmp_path / "t.csv", "name;amount;n\nBäcker;12,50;1\nMetzger;-3,5;2\n;1e3;3\n")

    assert table["amount"].to_pylist() == [12.5, -3.5, 1000.0]
    assert table["n"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("sep=;\na;b\n1,5;x,y\n", ["a", "b"], [1.5, "x,y"]),
        ('\ufeff"SEP=|"\r\na|b;c;d\r\n7|x\r\n', ["a", "b;c;d"], [7, "x"]),
        ("\nsep=\t\n\na\n1\n", ["a"], [1]),
        # A second such line, and a mark that parts no cells, are names.
        ("sep=,\nsep=;\n1\n", ["sep=;"], [1]),
        ("sep=%\nb\n", ["sep=%"], ["b"]),
    ],
)
def test_a_first_line_names_the_separator_for_spreadsheets(
    tmp_path: Path, text: str, names: list[str], first: list[object]
) -> None:
    table = _read(tmp_path / "t.csv", text)
    assert table.column_names == names
    assert [table.column(name)[0].as_py() for name in names] == first


@pytest.mark.parametrize(
    ("text", "line", "found", "wanted"),
    [
        ("sep=;\na;b\n1;2\n3;4;5\n", 4, 3, 2),
        ("sep=;\na;b;c\n1;2;3\n3;4\n", 4, 2, 3),
        ("\nsep=;\na;b;c\n3;4\n", 4, 2, 3),
    ],
)
def test_lines_are_counted_from_the_first_of_the_file(
    tmp_path: Path, text: str, line: int, found: int, wanted: int
) -> None:
    with pytest.raises(InputError, match=rf"line {line} of .* has {found} fields, but its header has {wanted}"):
        _read(tmp_path / "t.csv", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1,5;2.5\n2,5;3.5\n", ["1,5", "2,5"]),  # both: the comma is something else
        ('a,b\n"1,5",2\n"2,5",3\n', ["1,5", "2,5"]),  # between commas it is a thousand as well
        ("a;b\n1,500;2\n2,500;3\n", ["1,500", "2,500"]),  # thousands, or thousandths
        ("a\tb\n1,500\t2\n2,5\t3\n", [1.5, 2.5]),
    ],
)
def test_what_may_be_something_else_is_left(text: str, expected: list[object], tmp_path: Path) -> None:
    assert _read(tmp_path / "t.tsv", text)["a"].to_pylist() == expected


def test_a_comma_after_whole_numbers_makes_numbers_of_them(tmp_path: Path) -> None:
    rows = [f"{row};x{'y' * 40}" for row in range(120_000)]  # more than a block
    table = _read(tmp_path / "t.csv", "a;b\n0,5;x\n" + "\n".join([*rows, "12,5;x", ""]))
    late = _read(tmp_path / "u.csv", "a;b;c\n0;x;0,5\n" + "\n".join([*(f"{row};1" for row in rows), "12,5;x;2", ""]))

    assert table["a"].to_pylist()[-2:] == late["a"].to_pylist()[-2:] == [119_999.0, 12.5]


def test_a_model_reads_commas_too(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    amounts = draw.uniform(1, 99, 200).round(2)
    (tmp_path / "point.csv").write_text("a;b\n" + "".join(f"{one};{row % 3}\n" for row, one in enumerate(amounts)))
    (tmp_path / "comma.csv").write_text((tmp_path / "point.csv").read_text().replace(".", ","))
    model = tabad.fit(str(tmp_path / "point.csv"), quality="fast")

    scores = [
        model.score(str(tmp_path / name), explain="none")["tabad_score"].to_pylist()
        for name in ("point.csv", "comma.csv")
    ]

    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    "cell", ["$1,234.50", "1.234,50 €", "12 EUR", "CHF 1'200", "45 %", "(12.50 USD)", "1,234", "-€3"]
)
def test_numbers_in_a_dress_are_spotted(cell: str) -> None:
    head = pa.record_batch({"a": [cell] * 30 + ["17"], "n": list(range(31))})

    assert spot_numbers(head) == {"a": cell}
    assert spot_numbers(head, ["a"]) == {}


@pytest.mark.parametrize(
    "cell",
    ["1234", "10.1.2.3", "2024-01-02", "12.03.2024", "030 123 456", "SKU 123", "A-17", "12:30", "1.5", "B 1,234 x"],
)
def test_other_texts_are_none(cell: str) -> None:
    assert spot_numbers(pa.record_batch({"a": [cell] * 30})) == {}


def test_a_fit_says_what_it_reads_as_text() -> None:
    table = pa.table(
        {"price": [f"${row % 40 + 1},100.00" for row in range(100)], "n": [0.5 * row for row in range(100)]}
    )

    with pytest.warns(tabad.TabadWarning) as caught:
        tabad.fit(table, quality="fast")

    assert [str(one.message) for one in caught] == [
        "column `price` is text such as '$1,100.00': only plain numbers (1234.5) are read as numbers"
    ]

"""Every refusal as a person reads it: catalogue name, class, message and hint, against `messages.txt`.

Regenerate after a deliberate change, and read the difference before it is committed:

    TABAD_REGENERATE=1 python -m pytest tests/golden/test_messages.py

A case is a function that must be refused. It runs in an empty folder, so that paths in messages are the same
everywhere; texts of pyarrow are kept out, because they change with its version.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.golden.audits import AUDITS
from tests.golden.elsewhere import ELSEWHERE
from tests.golden.labels import LABELS
from tests.house.test_names import catalogue

import tabad
from tabad import _core
from tabad._lazy import need
from tabad.cli.options import needed, only_with
from tabad.conditions import parse_conditions
from tabad.config import FitOptions, ScoreOptions
from tabad.schema import parse_kinds
from tabad.tables import open_table

GOLDEN = Path(__file__).with_name("messages.txt")
NUMBERS = pa.table({"a": [float(row) for row in range(30)], "b": ["xy"[row % 2] for row in range(30)]})
CASES: dict[str, Callable[[], object]] = {}


def case(function: Callable[[], object]) -> Callable[[], object]:
    CASES[function.__name__] = function
    return function


def fit(table: pa.Table, **options: Any) -> _core.Model:
    fitting = _core.Fit(**{"memory": 32, **options})
    fitting.observe(table)
    fitting.prepare()
    return fitting.finish()


def written(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def model() -> tabad.Model:
    return tabad.fit(NUMBERS, quality="fast", memory=32)


# The table and the model.


@case
def column_missing() -> object:
    return model().score(NUMBERS.drop(["a"]))


@case
def many_columns_missing() -> object:
    wide = pa.table({f"c{place}": [float(row * place % 7) for row in range(30)] for place in range(13)})
    return tabad.fit(wide, quality="fast").score(NUMBERS)


@case
def column_type() -> object:
    return fit(NUMBERS).score(NUMBERS.set_column(0, "a", pa.array(["one"] * 30)))


@case
def many_column_types() -> object:
    wide = pa.table({f"c{place}": [float(row * place % 7) for row in range(30)] for place in range(13)})
    return fit(wide).score(pa.table({f"c{place}": ["x"] * 30 for place in range(13)}))


@case
def column_nested() -> object:
    return fit(NUMBERS.append_column("tags", pa.array([[1]] * 30)))


@case
def columns_nested() -> object:
    return fit(NUMBERS.append_column("tags", pa.array([[1]] * 30)).append_column("raw", pa.array([b"x"] * 30)))


@case
def column_taken() -> object:
    return model().score(NUMBERS.append_column("tabad_score", NUMBERS["a"]))


@case
def columns_taken_in_core() -> object:
    taken = NUMBERS.append_column("tabad_score", NUMBERS["a"]).append_column("tabad_flag", NUMBERS["a"])
    return fit(NUMBERS).score(taken)


@case
def column_twice() -> object:
    return tabad.fit(pa.table([NUMBERS["a"], NUMBERS["b"]], names=["a", "a"]), quality="fast")


@case
def column_twice_in_core() -> object:
    return fit(pa.table([NUMBERS["a"], NUMBERS["b"]], names=["a", "a"]))


@case
def column_unknown() -> object:
    return fit(NUMBERS, ignore=["nope"], kinds={"neither": "number"})


@case
def table_of_no_rows() -> object:
    return fit(NUMBERS.slice(0, 0))


@case
def table_of_one_row() -> object:
    return fit(NUMBERS.slice(0, 1))


@case
def table_of_19_rows() -> object:
    return fit(NUMBERS.slice(0, 19))


@case
def nothing_to_model() -> object:
    return fit(NUMBERS, ignore=["a", "b"])


@case
def nothing_fitted() -> object:
    return fit(NUMBERS, memory=0)


@case
def schema_changed() -> object:
    fitting = _core.Fit()
    fitting.observe(NUMBERS)
    return fitting.observe(NUMBERS.drop(["a"]))


@case
def kind_unknown() -> object:
    return fit(NUMBERS, kinds={"a": "colour"})


@case
def kind_unknown_on_the_command_line() -> object:
    return parse_kinds(["a=colour"])


@case
def kind_misfits() -> object:
    return fit(NUMBERS, kinds={"a": "text"})


@case
def kind_impossible() -> object:
    return fit(NUMBERS, kinds={"b": "datetime"})


@case
def normal_without_label() -> object:
    return fit(NUMBERS, normal="x")


@case
def normal_without_label_in_options() -> object:
    return FitOptions(normal="x")


@case
def normal_unknown() -> object:
    return fit(NUMBERS, label="b", normal="z")


@case
def normal_too_few() -> object:
    return fit(NUMBERS, label="b", normal="x")


@case
def label_too_many() -> object:
    rows = range(1200)
    return fit(pa.table({"a": [float(row % 9) for row in rows], "y": [f"v{row}" for row in rows]}), label="y")


@case
def block_shape() -> object:
    return fit(NUMBERS).decode(3, b"", b"")


@case
def explain_unknown() -> object:
    return fit(NUMBERS).score(NUMBERS, explain="some")  # type: ignore[arg-type]


# The model file.


@case
def model_file_of_nothing() -> object:
    return tabad.Model.from_bytes(b"")


@case
def model_file_changed() -> object:
    content = bytearray(fit(NUMBERS).to_bytes())
    content[-1] ^= 1
    return tabad.Model.from_bytes(bytes(content))


@case
def model_not_found() -> object:
    return tabad.Model.load("m.tabad")


@case
def model_is_a_folder() -> object:
    Path("m.tabad").mkdir()
    return tabad.Model.load("m.tabad")


@case
def model_without_network() -> object:
    return model().generate(3)


@case
def model_without_network_to_impute() -> object:
    return model().impute(NUMBERS)


@case
def too_few_rows_to_compare() -> object:
    return tabad.compare(NUMBERS, NUMBERS.slice(0, 3))


# Options.


@case
def memory_below_zero() -> object:
    return FitOptions(memory=-1)


@case
def seed_below_zero() -> object:
    return FitOptions(seed=-1)


@case
def quality_unknown() -> object:
    return FitOptions(quality="superb")  # type: ignore[arg-type]


@case
def reasons_of_none() -> object:
    return ScoreOptions(reasons=0)


@case
def level_of_one() -> object:
    return tabad.score(NUMBERS, level=1.0)


@case
def top_of_none() -> object:
    return tabad.score(NUMBERS, top=0)


@case
def level_and_top() -> object:
    return tabad.score(NUMBERS, level=0.1, top=3)


@case
def fit_options_beside_a_model() -> object:
    return tabad.score(NUMBERS, model(), ignore=["a"], seed=3)


@case
def fdr_without_calibration() -> object:
    return tabad.score(NUMBERS, fdr=0.1)


@case
def anomalies_from_no_table() -> object:
    return needed(None, "--from")


@case
def columns_without_anomalies() -> object:
    return only_with("--anomalies", False, {"--columns": ["2"]}, {})


@case
def generate_fewer_than_none() -> object:
    return model().generate(-1)


@case
def sql_name() -> object:
    import tabad.duckdb

    return tabad.duckdb.register(None, model(), name="no name")


@case
def missing_dependency() -> object:
    return need("no_such_package", extra="train", purpose="generate rows")


# Files and frames.


@case
def table_not_found() -> object:
    return tabad.score("t.csv")


@case
def table_not_found_but_nearly() -> object:
    written("payments.csv", "a\n1\n")
    return tabad.score("payment.csv")


@case
def folder_without_a_table() -> object:
    Path("empty").mkdir()
    return tabad.score("empty")


@case
def not_a_table() -> object:
    return tabad.score({"a": [1]})


@case
def spreadsheet() -> object:
    return tabad.score(written("t.xlsx", "PK"))


@case
def format_unknown() -> object:
    return tabad.score(written("t.csv", "a\n1\n"), format="xml")


@case
def condition_without_an_operator() -> object:
    return parse_conditions(["country"])


@case
def format_of_frame() -> object:
    return tabad.score(pa.table({"a": [1, 2]}), format="csv")


@case
def ending_unknown() -> object:
    return tabad.score(NUMBERS, output="scored.xml")


@case
def formats_mixed() -> object:
    Path("both").mkdir()
    written("both/a.csv", "a\n1\n")
    pyarrow.parquet.write_table(NUMBERS, "both/b.parquet")
    return tabad.score("both")


@case
def schemas_differ() -> object:
    Path("parts").mkdir()
    pyarrow.parquet.write_table(NUMBERS, "parts/a.parquet")
    pyarrow.parquet.write_table(NUMBERS.drop(["b"]).append_column("c", NUMBERS["a"]), "parts/b.parquet")
    return tabad.score("parts")


@case
def file_of_no_bytes() -> object:
    return tabad.score(written("t.csv", ""))


@case
def csv_of_blank_lines() -> object:
    return tabad.score(written("t.csv", "\n\n"))


@case
def csv_column_twice() -> object:
    return tabad.score(written("t.csv", "a,b,a\n1,2,3\n"))


@case
def csv_ragged() -> object:
    return tabad.score(written("t.csv", "a,b\n" + "1,x\n" * 30 + "2,y,z\n"))


@case
def csv_encoding() -> object:
    return tabad.score(written("t.csv", ("a,b\n" + "1,x\n" * 30 + "2,\u00e9\n").encode("latin-1")))


@case
def csv_value() -> object:
    return model().score(written("t.csv", "a,b\n" + "1.5,x\n" * 30 + "much,y\n"))


@case
def json_invalid() -> object:
    return tabad.score(written("t.jsonl", '{"a": 1}\n' * 30 + "[1]\n"))


@case
def json_types() -> object:
    return tabad.score(written("t.jsonl", '{"a": 1}\n' * 30 + '{"a": "x"}\n'))


@case
def stream_consumed() -> object:
    once = pa.RecordBatchReader.from_batches(NUMBERS.schema, NUMBERS.to_batches())
    table = open_table(once)
    table.open().read_all()
    return table.open()


@case
def column_mixed() -> object:
    return tabad.score(pd.DataFrame({"a": pd.Series([1, "x", 2.5] * 10, dtype=object), "b": range(30)}))


CASES.update(LABELS)
CASES.update(AUDITS)


def refusal(function: Callable[[], object]) -> str:
    """The error as a block of the golden file."""
    try:
        function()
    except tabad.TabadError as error:
        hint = f"\n\nhint: {error.hint}" if error.hint else ""
        return f"{error.name} ({type(error).__name__}, exit code {error.exit_code})\n\nerror: {error}{hint}"
    return "NOT REFUSED"


def blocks() -> dict[str, str]:
    """The golden file by case."""
    parts = GOLDEN.read_text(encoding="utf-8").split("=== ")[1:]
    return {name: text.strip("\n") for name, _, text in (part.partition("\n") for part in parts)}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def _regenerated(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.environ.get("TABAD_REGENERATE") == "1":
        texts, before = [], Path.cwd()
        for name, function in CASES.items():
            os.chdir(tmp_path_factory.mktemp(name))
            texts.append(f"=== {name}\n{refusal(function)}\n")
        os.chdir(before)
        GOLDEN.write_text("\n".join(texts), encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_reads_as_it_did(name: str) -> None:
    assert refusal(CASES[name]) == blocks()[name]


def test_the_file_holds_nothing_else() -> None:
    assert list(blocks()) == list(CASES)
    assert "NOT REFUSED" not in blocks().values()


def test_every_name_of_the_catalogue_is_shown_here_or_elsewhere() -> None:
    shown = {text.partition(" ")[0] for text in blocks().values()}

    assert set(catalogue()) - shown - set(ELSEWHERE) == set()
    assert shown & set(ELSEWHERE) == set()
    assert shown <= set(catalogue())

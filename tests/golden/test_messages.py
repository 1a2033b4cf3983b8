"""Every refusal as a person reads it: catalogue name, class, message and hint, against `messages.txt`.

Regenerate after a deliberate change, and read the difference before it is committed:

    TABAD_REGENERATE=1 python -m pytest tests/golden/test_messages.py

A case is a function that must be refused. It runs in an empty folder, so that paths in messages are the same
everywhere; texts of pyarrow are kept out, because they change with its version.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.golden.audits import AUDITS
from tests.golden.cases import NUMBERS, Cases, fit
from tests.golden.constraints import CONSTRAINTS
from tests.golden.context import CONTEXT
from tests.golden.drifts import DRIFTS
from tests.golden.elsewhere import ELSEWHERE
from tests.golden.guards import GUARDS
from tests.golden.labels import LABELS
from tests.golden.redactions import REDACTIONS
from tests.golden.scorers import SCORERS
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
CASES = Cases()


def written(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def model() -> tabad.Model:
    return tabad.fit(NUMBERS, quality="fast", memory=32)


# The table and the model.


@CASES
def column_missing() -> object:
    return model().score(NUMBERS.drop(["a"]))


@CASES
def many_columns_missing() -> object:
    wide = pa.table({f"c{place}": [float(row * place % 7) for row in range(30)] for place in range(13)})
    return tabad.fit(wide, quality="fast").score(NUMBERS)


@CASES
def column_type() -> object:
    return fit(NUMBERS).score(NUMBERS.set_column(0, "a", pa.array(["one"] * 30)))


@CASES
def many_column_types() -> object:
    wide = pa.table({f"c{place}": [float(row * place % 7) for row in range(30)] for place in range(13)})
    return fit(wide).score(pa.table({f"c{place}": ["x"] * 30 for place in range(13)}))


@CASES
def column_nested() -> object:
    return fit(NUMBERS.append_column("tags", pa.array([[1]] * 30)))


@CASES
def columns_nested() -> object:
    return fit(NUMBERS.append_column("tags", pa.array([[1]] * 30)).append_column("raw", pa.array([b"x"] * 30)))


@CASES
def column_taken() -> object:
    return model().score(NUMBERS.append_column("tabad_score", NUMBERS["a"]))


@CASES
def columns_taken_in_core() -> object:
    taken = NUMBERS.append_column("tabad_score", NUMBERS["a"]).append_column("tabad_flag", NUMBERS["a"])
    return fit(NUMBERS).score(taken)


@CASES
def column_twice() -> object:
    return tabad.fit(pa.table([NUMBERS["a"], NUMBERS["b"]], names=["a", "a"]), quality="fast")


@CASES
def column_twice_in_core() -> object:
    return fit(pa.table([NUMBERS["a"], NUMBERS["b"]], names=["a", "a"]))


@CASES
def column_unknown() -> object:
    return fit(NUMBERS, ignore=["nope"], kinds={"neither": "number"})


@CASES
def table_of_no_rows() -> object:
    return fit(NUMBERS.slice(0, 0))


@CASES
def table_of_one_row() -> object:
    return fit(NUMBERS.slice(0, 1))


@CASES
def table_of_19_rows() -> object:
    return fit(NUMBERS.slice(0, 19))


@CASES
def nothing_to_model() -> object:
    return fit(NUMBERS, ignore=["a", "b"])


@CASES
def nothing_fitted() -> object:
    return fit(NUMBERS, memory=0)


@CASES
def schema_changed() -> object:
    fitting = _core.Fit()
    fitting.observe(NUMBERS)
    return fitting.observe(NUMBERS.drop(["a"]))


@CASES
def kind_unknown() -> object:
    return fit(NUMBERS, kinds={"a": "colour"})


@CASES
def kind_unknown_on_the_command_line() -> object:
    return parse_kinds(["a=colour"])


@CASES
def kind_misfits() -> object:
    return fit(NUMBERS, kinds={"a": "text"})


@CASES
def kind_impossible() -> object:
    return fit(NUMBERS, kinds={"b": "datetime"})


@CASES
def normal_without_label() -> object:
    return fit(NUMBERS, normal="x")


@CASES
def normal_without_label_in_options() -> object:
    return FitOptions(normal="x")


@CASES
def normal_unknown() -> object:
    return fit(NUMBERS, label="b", normal="z")


@CASES
def normal_too_few() -> object:
    return fit(NUMBERS, label="b", normal="x")


@CASES
def label_too_many() -> object:
    rows = range(1200)
    return fit(pa.table({"a": [float(row % 9) for row in rows], "y": [f"v{row}" for row in rows]}), label="y")


@CASES
def block_shape() -> object:
    return fit(NUMBERS).decode(3, b"", b"")


@CASES
def explain_unknown() -> object:
    return fit(NUMBERS).score(NUMBERS, explain="some")  # type: ignore[arg-type]


# The model file.


@CASES
def model_file_of_nothing() -> object:
    return tabad.Model.from_bytes(b"")


@CASES
def model_file_changed() -> object:
    content = bytearray(fit(NUMBERS).to_bytes())
    content[-1] ^= 1
    return tabad.Model.from_bytes(bytes(content))


@CASES
def model_not_found() -> object:
    return tabad.Model.load("m.tabad")


@CASES
def model_is_a_folder() -> object:
    Path("m.tabad").mkdir()
    return tabad.Model.load("m.tabad")


@CASES
def model_without_network() -> object:
    return model().generate(3)


@CASES
def model_without_network_to_impute() -> object:
    return model().impute(NUMBERS)


@CASES
def too_few_rows_to_compare() -> object:
    return tabad.compare(NUMBERS, NUMBERS.slice(0, 3))


# Options.


@CASES
def memory_below_zero() -> object:
    return FitOptions(memory=-1)


@CASES
def seed_below_zero() -> object:
    return FitOptions(seed=-1)


@CASES
def quality_unknown() -> object:
    return FitOptions(quality="superb")  # type: ignore[arg-type]


@CASES
def reasons_of_none() -> object:
    return ScoreOptions(reasons=0)


@CASES
def level_of_one() -> object:
    return tabad.score(NUMBERS, level=1.0)


@CASES
def top_of_none() -> object:
    return tabad.score(NUMBERS, top=0)


@CASES
def level_and_top() -> object:
    return tabad.score(NUMBERS, level=0.1, top=3)


@CASES
def fit_options_beside_a_model() -> object:
    return tabad.score(NUMBERS, model(), ignore=["a"], seed=3)


@CASES
def fdr_without_calibration() -> object:
    return tabad.score(NUMBERS, fdr=0.1)


@CASES
def anomalies_from_no_table() -> object:
    return needed(None, "--from")


@CASES
def columns_without_anomalies() -> object:
    return only_with("--anomalies", False, {"--columns": ["2"]}, {})


@CASES
def generate_fewer_than_none() -> object:
    return model().generate(-1)


@CASES
def sql_name() -> object:
    import tabad.duckdb

    return tabad.duckdb.register(None, model(), name="no name")


@CASES
def missing_dependency() -> object:
    return need("no_such_package", extra="train", purpose="generate rows")


# Files and frames.


@CASES
def table_not_found() -> object:
    return tabad.score("t.csv")


@CASES
def table_not_found_but_nearly() -> object:
    written("payments.csv", "a\n1\n")
    return tabad.score("payment.csv")


@CASES
def folder_without_a_table() -> object:
    Path("empty").mkdir()
    return tabad.score("empty")


@CASES
def not_a_table() -> object:
    return tabad.score({"a": [1]})


@CASES
def spreadsheet() -> object:
    return tabad.score(written("t.xlsx", "PK"))


@CASES
def format_unknown() -> object:
    return tabad.score(written("t.csv", "a\n1\n"), format="xml")


@CASES
def condition_without_an_operator() -> object:
    return parse_conditions(["country"])


@CASES
def format_of_frame() -> object:
    return tabad.score(pa.table({"a": [1, 2]}), format="csv")


@CASES
def ending_unknown() -> object:
    return tabad.score(NUMBERS, output="scored.xml")


@CASES
def formats_mixed() -> object:
    Path("both").mkdir()
    written("both/a.csv", "a\n1\n")
    pyarrow.parquet.write_table(NUMBERS, "both/b.parquet")
    return tabad.score("both")


@CASES
def schemas_differ() -> object:
    Path("parts").mkdir()
    pyarrow.parquet.write_table(NUMBERS, "parts/a.parquet")
    pyarrow.parquet.write_table(NUMBERS.drop(["b"]).append_column("c", NUMBERS["a"]), "parts/b.parquet")
    return tabad.score("parts")


@CASES
def file_of_no_bytes() -> object:
    return tabad.score(written("t.csv", ""))


@CASES
def csv_of_blank_lines() -> object:
    return tabad.score(written("t.csv", "\n\n"))


@CASES
def csv_column_twice() -> object:
    return tabad.score(written("t.csv", "a,b,a\n1,2,3\n"))


@CASES
def csv_ragged() -> object:
    return tabad.score(written("t.csv", "a,b\n" + "1,x\n" * 30 + "2,y,z\n"))


@CASES
def csv_encoding() -> object:
    return tabad.score(written("t.csv", ("a,b\n" + "1,x\n" * 30 + "2,\u00e9\n").encode("latin-1")))


@CASES
def csv_value() -> object:
    paid = tabad.fit(pa.table({"a": [1.5, 2.5] * 30, "paid": [True, False] * 30}), quality="fast")
    return paid.score(written("t.csv", "a,paid\n" + "1.5,true\n" * 30 + "2.5,maybe\n"))


@CASES
def json_invalid() -> object:
    return tabad.score(written("t.jsonl", '{"a": 1}\n' * 30 + "[1]\n"))


@CASES
def json_types() -> object:
    return tabad.score(written("t.jsonl", '{"a": 1}\n' * 30 + '{"a": "x"}\n'))


@CASES
def stream_consumed() -> object:
    once = pa.RecordBatchReader.from_batches(NUMBERS.schema, NUMBERS.to_batches())
    table = open_table(once)
    table.open().read_all()
    return table.open()


@CASES
def column_mixed() -> object:
    return tabad.score(pd.DataFrame({"a": pd.Series([1, "x", 2.5] * 10, dtype=object), "b": range(30)}))


CASES.update(LABELS)
CASES.update(AUDITS)
CASES.update(CONSTRAINTS)
CASES.update(CONTEXT)
CASES.update(SCORERS)
CASES.update(DRIFTS)
CASES.update(REDACTIONS)
CASES.update(GUARDS)


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

"""Refusals that keep files, and the process, whole: cases of `test_messages`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.golden.cases import NUMBERS, Cases

import tabad

GUARDS = Cases()


def parquet() -> str:
    pq.write_table(NUMBERS, "t.parquet")
    return "t.parquet"


@GUARDS
def model_onto_its_table() -> object:
    Path("link.parquet").symlink_to(parquet())
    return tabad.fit("t.parquet", quality="fast", output="link.parquet")


@GUARDS
def saved_model_onto_its_table() -> object:
    return tabad.score(parquet(), save_model="t.parquet")


@GUARDS
def model_onto_another_table() -> object:
    Path("other.csv").write_text("a,b\n1,2\n")
    return tabad.fit(parquet(), quality="fast", output="other.csv")


@GUARDS
def output_among_its_table() -> object:
    Path("days").mkdir()
    pq.write_table(NUMBERS, "days/1.parquet")
    return tabad.score("days", output="days/scored.parquet")


@GUARDS
def model_to_standard_output() -> object:
    return tabad.fit(parquet(), quality="fast", output="-")


def latin() -> pa.Array:
    """Thirty texts as Latin-1, which Arrow's files take without a look."""
    bytes_ = pa.array([b"Stra\xdfe"] * 30)
    return pa.StringArray.from_buffers(30, bytes_.buffers()[1], bytes_.buffers()[2])


@GUARDS
def text_that_is_no_text() -> object:
    return tabad.fit(NUMBERS.append_column("street", latin()), quality="fast")


@GUARDS
def scored_text_that_is_no_text() -> object:
    table = NUMBERS.append_column("street", pa.array(["High Street"] * 30))
    return tabad.fit(table, quality="fast").score(table.set_column(2, "street", latin()))


@GUARDS
def label_that_is_no_text() -> object:
    return tabad.fit(NUMBERS.append_column("street", latin()), quality="fast", label="street")


@GUARDS
def feedback_on_every_row() -> object:
    verdicts = pa.array(["anomaly"] * 5 + ["normal"] * 25)
    return tabad.score(NUMBERS.append_column("checked", verdicts), feedback="checked")


@GUARDS
def feedback_of_anomalies_alone() -> object:
    return tabad.score(NUMBERS.append_column("checked", pa.array([True] * 30)), feedback="checked")


@GUARDS
def too_many_threads() -> object:
    return tabad.fit(parquet(), quality="fast", private=None).score(parquet(), threads=10**9)


@GUARDS
def private_column_ignored_that_is_not_there() -> object:
    return tabad.fit(NUMBERS, quality="fast", private=3.0, ignore=["c"])


@GUARDS
def private_label_ignored() -> object:
    return tabad.fit(NUMBERS, quality="fast", private=3.0, label="b", ignore=["b"])


@GUARDS
def two_columns_of_one_name_in_pandas() -> object:
    import pandas as pd

    return tabad.fit(pd.DataFrame([[1.0, 2.0]] * 30, columns=["a", "a"]), quality="fast")

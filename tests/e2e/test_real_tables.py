"""The main job on real tables, labels left out: it ends well, in time, and gives reasons."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
from tests.conftest import RunTabad

# Table, label, columns left out as the manifest says.
TABLES = [
    ("hmeq/data.parquet", "label", []),
    ("vehicle_insurance_fraud_oracle/data.parquet", "is_anomaly", []),
    ("bank_full/data.parquet", None, []),
    ("german_credit/data.parquet", None, []),
]


@pytest.mark.parametrize(("name", "label", "ignore"), TABLES, ids=[name.partition("/")[0] for name, _, _ in TABLES])
def test_real_table_is_screened(
    name: str, label: str | None, ignore: list[str], real: Callable[[str], Path], run_tabad: RunTabad, tmp_path: Path
) -> None:
    path = real(name)
    columns = pyarrow.parquet.read_schema(path).names
    arguments = ["--label", label] if label in columns else []
    arguments += [part for column in ignore for part in ("--ignore", column)]

    done = run_tabad("score", path, *arguments, "-o", tmp_path / "scored.parquet", "--json")

    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert document["rows"] == pyarrow.parquet.read_metadata(path).num_rows
    assert all(odd["reasons"] for odd in document["oddest"])
    assert len(pyarrow.parquet.read_schema(tmp_path / "scored.parquet").names) == len(columns) + 4

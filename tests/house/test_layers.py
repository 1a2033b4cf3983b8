"""Nothing heavy is loaded before it is needed: what `import tabad`, `--help` and a scoring bring into the process.

In processes of their own, in an environment that has pandas, torch and scikit-learn (else nothing is shown).
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "torch", "pyarrow", "polars", "pandas", "sklearn", "duckdb", "scipy")
HELP = """
import sys
from tabad.cli import main
sys.argv = ["tabad", "--help"]
try:
    main()
except SystemExit:
    pass
"""
SCORE = """
import tabad
tabad.Model.load({model!r}).score({table!r}, output={output!r})
"""


def loaded_by(code: str) -> set[str]:
    """Top-level packages in the process once the code has run."""
    last = "\nimport sys; print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code + last], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def heavy(loaded: set[str], *allowed: str) -> set[str]:
    assert "tabad" in loaded
    return loaded & set(HEAVY) - set(allowed)


@pytest.fixture(autouse=True)
def _full_environment() -> None:
    for name in ("pandas", "torch", "sklearn"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed here: that it is not loaded would say nothing")


def test_import_loads_nothing_heavy() -> None:
    loaded = loaded_by("import tabad")

    assert heavy(loaded) == set()
    assert "typer" not in loaded


def test_errors_load_nothing_heavy() -> None:
    assert heavy(loaded_by("from tabad import TabadError, InputError")) == set()


def test_help_loads_nothing_heavy() -> None:
    assert heavy(loaded_by(HELP)) == set()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_scoring_a_file_loads_pyarrow_and_no_engine(
    model_path: Path, tmp_path: Path, mixed: object, ending: str
) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    table, output = tmp_path / f"t.{ending}", tmp_path / f"out.{ending}"
    pyarrow.parquet.write_table(mixed, table) if ending == "parquet" else pyarrow.csv.write_csv(mixed, table)
    code = SCORE.format(model=str(model_path), table=str(table), output=str(output))

    assert heavy(loaded_by(code), "pyarrow", "numpy") == set()
    assert output.exists()


def test_a_fast_fit_loads_no_torch(tmp_path: Path, mixed: object) -> None:
    import pyarrow.parquet

    table = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(mixed, table)

    loaded = loaded_by(f"import tabad; tabad.fit({str(table)!r}, quality='fast', memory=64)")

    assert heavy(loaded, "pyarrow", "numpy") == set()

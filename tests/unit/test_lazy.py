"""Imports: nothing heavy too early, and a missing package is named with its extra."""

import subprocess
import sys

import pytest

import tabad
from tabad._lazy import expect, need

HEAVY = ("numpy", "torch", "pyarrow", "polars", "pandas", "duckdb", "sklearn", "typer")


def _loaded_after(code: str) -> list[str]:
    watch = f"import sys; {code}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", watch], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1].split()


def test_import_tabad_loads_nothing_heavy() -> None:
    assert _loaded_after("import tabad; tabad.__version__; tabad.TabadError; dir(tabad)") == []


def test_help_loads_only_typer() -> None:
    assert _loaded_after("from tabad.cli.run import run; run(['--help'])") == ["typer"]


def test_scoring_loads_neither_pandas_nor_torch(tmp_path: object) -> None:
    csv = tmp_path / "t.csv"  # type: ignore[operator]
    csv.write_text("a,b\n" + "".join(f"{i % 7},{'x' if i % 3 else ''}\n" for i in range(60)))
    code = f"from tabad.cli.run import run; run(['score', {str(csv)!r}, '-o', {str(csv) + '.parquet'!r}])"

    assert not {"torch", "pandas", "polars", "sklearn", "duckdb"} & set(_loaded_after(code))


def test_every_public_name_resolves() -> None:
    assert [name for name in tabad.__all__ if not hasattr(tabad, name)] == []


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scroe'"):
        tabad.scroe  # noqa: B018


def test_missing_package_names_the_extra() -> None:
    with pytest.raises(tabad.MissingDependency, match="`no_such_package` is not installed") as caught:
        need("no_such_package.inner", extra="train", purpose="train")

    assert caught.value.hint == 'pip install "tabad[train]"'


@pytest.mark.parametrize("blocked", [False, True], ids=["not there", "blocked"])
def test_missing_package_is_told_without_importing_it(blocked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if blocked:  # how a test, or whoever embeds Python, forbids a package
        monkeypatch.setitem(sys.modules, "no_such_package", None)

    with pytest.raises(tabad.MissingDependency, match="`no_such_package` is not installed, and is needed to train"):
        expect("no_such_package.inner", extra="train", purpose="train")


def test_wrong_column_is_told_before_torch_is_loaded(tmp_path: object) -> None:
    csv = tmp_path / "t.csv"  # type: ignore[operator]
    csv.write_text("a,b\n" + "".join(f"{i % 7},{i % 3}\n" for i in range(60)))
    code = f"from tabad.cli.run import run; run(['fit', {str(csv)!r}, '--label', 'c', '-o', {str(csv) + '.tabad'!r}])"

    assert "torch" not in _loaded_after(code)


def test_broken_package_is_not_called_missing(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import no_such_package\n")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ModuleNotFoundError) as caught:
        need("half_installed", extra="train")

    assert not isinstance(caught.value, tabad.MissingDependency)


def test_a_rule_that_is_given_does_not_load_pandas(tmp_path: object) -> None:
    csv = tmp_path / "t.csv"  # type: ignore[operator]
    csv.write_text("a,b\n" + "".join(f"{i},{i + i % 7 if i % 5 else ''}\n" for i in range(60)))
    code = f"from tabad.cli.run import run; run(['score', {str(csv)!r}, '--constraint', 'a <= b'])"

    assert "pandas" not in _loaded_after(code)

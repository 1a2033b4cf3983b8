"""Public names exist and are documented; catalogue names of errors are well formed and have one exit code each."""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path

import pytest

import tabad

ROOT = Path(__file__).parents[2]
# Every call that builds an error in Rust with a name of its own.
RUST_ERROR = re.compile(r"Error::(usage|input)\(\s*\"([^\"]*)\"")
RUST_STREAM = re.compile(r"name: \"([^\"]*)\"")
GROUPS = {"usage": "UsageError", "input": "InputError"}


def _with_all() -> list[str]:
    """Modules of the package that say what is public."""
    found = []
    for path in sorted((ROOT / "python" / "tabad").rglob("*.py")):
        if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE):
            parts = path.relative_to(ROOT / "python").with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def catalogue() -> dict[str, set[tuple[str, str]]]:
    """Catalogue name -> the class and the place of every error that is built with it."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in sorted((ROOT / "rust").rglob("src/**/*.rs")):
        text = path.read_text(encoding="utf-8")
        for group, name in RUST_ERROR.findall(text):
            found[name].add((GROUPS[group], path.name))
        if path.name == "error.rs":
            found.update({name: found[name] | {("InputError", path.name)} for name in RUST_STREAM.findall(text)})
    for path in sorted((ROOT / "python").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                kind = ast.unparse(node.func).rpartition(".")[2]
                for word in node.keywords:
                    if word.arg == "name" and isinstance(word.value, ast.Constant) and kind in tabad.__all__:
                        found[str(word.value.value)].add((kind, path.name))
    for kind in tabad.__all__:
        name = getattr(getattr(tabad, kind), "default_name", None)
        if name is not None:
            found[name].add((kind, "errors.py"))
    return found


@pytest.mark.parametrize("module", _with_all())
def test_public_names_exist_and_are_documented(module: str) -> None:
    home = importlib.import_module(module)

    assert list(home.__all__) == sorted(set(home.__all__), key=home.__all__.index)
    for name in home.__all__:
        value = getattr(home, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert (value.__doc__ or "").strip(), f"{module}.{name} has no docstring"


def test_dir_lists_the_public_names() -> None:
    assert dir(tabad) == sorted(tabad.__all__)


@pytest.mark.parametrize("kind", [tabad.Model])
def test_public_methods_are_documented(kind: type) -> None:
    public = [name for name in vars(kind) if not name.startswith("_")]

    assert [name for name in public if not (inspect.getdoc(getattr(kind, name)) or "")] == []


def test_the_catalogue_is_found() -> None:
    found = set(catalogue())

    assert {"column-missing", "kind-unknown", "option-range", "model-file-damaged", "table-not-found"} <= found


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_catalogue_name_is_lower_case_words_joined_by_dashes(name: str) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", name)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_catalogue_name_has_one_exit_code(name: str) -> None:
    assert len({getattr(tabad, kind).exit_code for kind, _ in catalogue()[name]}) == 1, catalogue()[name]

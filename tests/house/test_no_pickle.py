"""No pickle, no `eval`, no code in data: read from the syntax trees of the package, so that strings do not count."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile", "__import__"}


def offences(tree: ast.AST) -> list[str]:
    """What in a syntax tree runs code that comes from data."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            found.append(node.module or "")
        elif isinstance(node, ast.Call):
            found += _call(node)
    return found


def _call(node: ast.Call) -> list[str]:
    arguments = {word.arg: ast.unparse(word.value) for word in node.keywords}
    called = ast.unparse(node.func)
    if called in BUILTINS:
        return [called]
    if called == "torch.load" and arguments.get("weights_only") != "True":
        return ["torch.load without weights_only=True"]
    if arguments.get("allow_pickle", "False") != "False":
        return [f"{called} with allow_pickle"]
    return []


@pytest.mark.parametrize("source", SOURCES, ids=[str(source.relative_to(PACKAGE)) for source in SOURCES])
def test_a_module_runs_no_code_from_data(source: Path) -> None:
    assert offences(ast.parse(source.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "eval('1')",
        "exec(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_an_offence_is_seen(code: str) -> None:
    assert len(offences(ast.parse(code))) == 1


@pytest.mark.parametrize("code", ["net.eval()", "torch.load(p, weights_only=True)", "safetensors.torch.load(d)"])
def test_what_is_harmless_is_let_through(code: str) -> None:
    assert offences(ast.parse(code)) == []

"""No source file of more than 500 lines: a file that long has two subjects. The stub documents one module, and may."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = 500
EXEMPT = {"python/tabad/_core.pyi"}
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("python", "rust", "tests", "benchmarks")
    for ending in ("py", "pyi", "rs")
    for path in (ROOT / folder).rglob(f"*.{ending}")
    if "target" not in path.relative_to(ROOT).parts
)


def test_the_sources_are_found() -> None:
    assert "rust/core/src/lib.rs" in SOURCES
    assert "python/tabad/__init__.py" in SOURCES


@pytest.mark.parametrize("source", [source for source in SOURCES if source not in EXEMPT])
def test_a_source_file_is_small(source: str) -> None:
    lines = len((ROOT / source).read_text(encoding="utf-8").splitlines())

    assert lines <= MOST, f"{source} has {lines} lines: split it by subject"

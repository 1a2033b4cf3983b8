"""What a result was measured on and with: processor, memory, versions, commit. And the refusal of debug builds."""

import importlib.util
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.data import ROOT

_PACKAGES = (
    "tabad", "numpy", "scipy", "pandas", "pyarrow", "polars", "scikit-learn", "skrub", "pyod", "torch", "joblib",
    "typer",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Facts of the machine."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": [round(load, 1) for load in os.getloadavg()],
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit that was measured, with `+changes` where the working tree differs from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "none"
    return head + ("+changes" if _git("status", "--porcelain", "--", ".", ":!benchmarks/results") else "")


def refuse_debug_build() -> None:
    """Leave with a message where the compiled module is missing or not optimised."""
    try:
        from tabad import _core
    except ImportError as error:
        raise SystemExit(f"error: tabad is not built: {error}\n\nhint: maturin develop --release") from None
    if _core.DEBUG:
        raise SystemExit("error: a debug build of tabad._core is not measured\n\nhint: maturin develop --release")


def require(*modules: str) -> None:
    """Leave with a message where a peer is not installed: a comparison without it would mislead."""
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        place = Path(__file__).with_name("requirements.txt")
        hint = f"{sys.executable} -m pip install -r {place.relative_to(ROOT)}"
        raise SystemExit(f"error: not installed: {', '.join(missing)}\n\nhint: {hint}")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""

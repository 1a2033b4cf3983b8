"""What the suites share: the real data, a small table of every kind of column, its model, and the command line."""

import datetime
import decimal
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

import tabad

# A deadline in wall-clock time measures the machine and what else runs on it.
settings.register_profile("tabad", deadline=None)
settings.load_profile("tabad")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: threads of torch that spin while they wait for each other's cores slow a test tenfold.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

DATA = Path(os.environ.get("TABAD_DATA", Path(__file__).parents[2] / "shared" / "data"))

RunTabad = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """The path of a real table under TABAD_DATA; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"{path} is absent: set TABAD_DATA to the folder of the real tables")
        return path

    return find


@pytest.fixture(scope="session")
def mixed() -> pa.Table:
    """600 rows with a column of every kind, decimals, a time zone, nulls and a dictionary, and a few odd rows."""
    return mixed_table(600, seed=1)


def mixed_table(rows: int, seed: int) -> pa.Table:
    draw = random.Random(seed)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    amounts = [decimal.Decimal(f"{draw.lognormvariate(3, 0.6):.2f}") for _ in range(rows)]
    amounts[7] = decimal.Decimal("98765.43")
    columns = {
        "row_id": pa.array([f"R{number:06d}" for number in range(rows)]),
        "customer_id": pa.array([f"C{draw.randrange(40):03d}" for _ in range(rows)]),
        "amount": pa.array(amounts, pa.decimal128(12, 2)),
        "weight": pa.array([draw.gauss(70, 9) if draw.random() > 0.03 else None for _ in range(rows)]),
        "visits": pa.array([draw.randrange(200) if draw.random() > 0.02 else None for _ in range(rows)], pa.int32()),
        "channel": pa.array([draw.choice(("web", "store", "app", None)) for _ in range(rows)]).dictionary_encode(),
        "country": pa.array([draw.choices(("DE", "FR", "NA"), (6, 3, 1))[0] for _ in range(rows)]),
        "member": pa.array([draw.random() < 0.6 for _ in range(rows)]),
        "time": pa.array(
            [start + datetime.timedelta(seconds=draw.randrange(90 * 86_400)) for _ in range(rows)],
            pa.timestamp("us", "Europe/Berlin"),
        ),
        "born": pa.array(
            [datetime.date(1960, 1, 1) + datetime.timedelta(days=draw.randrange(15_000)) for _ in range(rows)]
        ),
        "note": pa.array([f"{draw.choice(('order', 'refund'))} {draw.randrange(10**6):06d}, ok" for _ in range(rows)]),
    }
    return pa.table(columns)


@pytest.fixture(scope="session")
def model(mixed: pa.Table) -> tabad.Model:
    """A fast model of `mixed`, with held-out calibration."""
    return tabad.fit(mixed, quality="fast", memory=256)


@pytest.fixture(scope="session")
def model_path(model: tabad.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "mixed.tabad"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def run_tabad() -> RunTabad:
    """Run the command line in a process of its own; stdout and stderr as text."""

    def run(
        *arguments: object, stdin: bytes | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tabad", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            timeout=600,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run

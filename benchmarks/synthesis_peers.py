"""Generators that tabad is compared with: CTGAN and TVAE in an environment of their own, TabDDPM from its paper, SMOTE.

Every one takes a training table and gives a table of the same columns and types. Numbers that are missing are filled by
the median for CTGAN and TVAE, which take none.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from benchmarks import cache, privacy_peers

CTGAN_VERSION = "0.12.1"
DDPM_SECONDS = 300.0
"""TabDDPM trains for 30,000 steps of 4,096 rows, or as many as this allows."""
_PEER = Path(__file__).with_name("gan_peers.py")


def environment() -> Path:
    """The Python of CTGAN and TVAE, built where there is none."""
    home = cache.folder() / f"ctgan-{CTGAN_VERSION}"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", "-p", "3.11", str(home)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), f"ctgan=={CTGAN_VERSION}"], check=True)
    return python


def gan(
    method: str, train: pa.Table, rows: int, seed: int, given: tuple[str, str] | None = None
) -> tuple[pa.Table, str]:
    """Rows of `ctgan` or `tvae`, and for how many epochs it was trained; `given` is a column and the value that CTGAN
    is asked for, of which fewer rows may come."""
    numbers = [field.name for field in train.schema if _is_number(field.type)]
    categories = [name for name in train.column_names if name not in numbers]
    whole = train.select(train.column_names)
    for place, name in enumerate(train.column_names):
        if name in numbers:
            values = train[name].cast(pa.float64())
            middle = pc.approximate_median(values).as_py() or 0.0
            whole = whole.set_column(place, name, pc.fill_null(values, middle))
        else:
            whole = whole.set_column(place, name, pc.fill_null(_text(train[name]), ""))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "train.csv", Path(folder) / "made.csv"
        pyarrow.csv.write_csv(whole, source)
        call = [str(environment()), str(_PEER), method, str(source), str(target), ",".join(categories), str(rows),
                str(seed), *(given or ())]  # fmt: skip
        said = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
        types = {name: pa.float64() if name in numbers else pa.string() for name in train.column_names}
        reading = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=[""], column_types=types)
        made = pyarrow.csv.read_csv(target, convert_options=reading)
    return _typed(made, train), f"{said.split()[-1]} epochs"


def tabddpm(train: pa.Table, rows: int, seed: int) -> tuple[pa.Table, str]:
    """Rows of a TabDDPM (Kotelnikov et al., ICML 2023) on tabad's encoding of the table."""
    return privacy_peers.ddpm(train, rows, seed, DDPM_SECONDS), f"at most {DDPM_SECONDS:.0f} s"


def smote(x_BF: Any, y_B: Any, categorical: Any, seed: int) -> tuple[Any, Any]:
    """As many rows as there are, each between a row and one of its five neighbours of the same class, as the authors of
    TabDDPM use SMOTE (section 4.2): numbers interpolated, categories by the neighbours' majority."""
    from sklearn.neighbors import NearestNeighbors

    draw = np.random.default_rng(seed)
    is_code = np.asarray(categorical)
    made = x_BF.copy()
    for value in np.unique(y_B):
        mine = np.flatnonzero(y_B == value)
        numbers = np.nan_to_num(x_BF[mine][:, ~is_code])
        codes = x_BF[mine][:, is_code]
        hot = [np.asarray(column[:, None] == np.unique(column)[None], np.float32) for column in codes.T]
        space = np.concatenate([numbers, *(part / np.sqrt(2.0) for part in hot)], axis=1)
        near = NearestNeighbors(n_neighbors=6).fit(space).kneighbors(space, return_distance=False)[:, 1:]
        towards = near[np.arange(len(mine)), draw.integers(0, near.shape[1], len(mine))]
        share = draw.random((len(mine), 1))
        x = x_BF[mine][:, ~is_code]
        made[np.ix_(mine, ~is_code)] = x + share * (x_BF[mine[towards]][:, ~is_code] - x)
        for place, column in enumerate(np.flatnonzero(is_code)):
            made[mine, column] = _majority(codes[near, place])
    return made, y_B


def _majority(codes_BK: Any) -> Any:
    """The commonest code of each row's neighbours; of several that of the nearest, better than the lowest."""
    counts_BK = (codes_BK[:, :, None] == codes_BK[:, None, :]).sum(axis=2)
    return codes_BK[np.arange(len(codes_BK)), counts_BK.argmax(axis=1)]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string())


def _typed(made: pa.Table, like: pa.Table) -> pa.Table:
    columns = []
    for field in like.schema:
        column = made[field.name]
        if pa.types.is_integer(field.type):
            column = pc.round(column)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type).dictionary_encode().cast(field.type)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=like.schema)

"""The development data sets: what the manifest says about each, and its rows as Arrow tables.

Found through `TABAD_DATA`, else `../shared/data` beside the repository. Nothing here encodes: peers get their
encodings in `encoders`, tabad gets the raw table.
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent

Labels = npt.NDArray[np.bool_]

QUICK_NUMERIC = (
    "adbench_14_glass",
    "adbench_18_Ionosphere",
    "adbench_29_Pima",
    "adbench_37_Stamps",
    "adbench_45_wine",
)
"""Five small sets that never change, so that quick runs stay comparable."""

QUICK_MIXED = (
    "adrep_solar_flare",
    "adrep_cmc",
    "insurance_claims",
    "vehicle_insurance_fraud_oracle",
    "amlsim/20K_117K_cycle200__account_features",
)


@dataclass(frozen=True)
class DataSet:
    """One labelled table of the manifest."""

    name: str
    kind: str
    family: str
    """Sets that come from the same source share it; an honest interval counts a family once."""
    path: Path
    label: str
    exclude: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """Integer columns that are categories: told to the peers' encoders, never to tabad, which infers kinds."""


def folder() -> Path:
    """The folder of the data sets, which need not exist."""
    return Path(os.environ.get("TABAD_DATA") or ROOT.parent / "shared" / "data")


@cache
def data_sets(label: str = "is_anomaly") -> tuple[DataSet, ...]:
    """All row-labelled sets whose label is called `label`; empty where there is no manifest."""
    manifest = folder() / "manifest.json"
    if not manifest.exists():
        return ()
    rows: list[dict[str, Any]] = json.loads(manifest.read_text())
    return tuple(_data_set(row) for row in rows if row["label"] == label)


def _data_set(row: dict[str, Any]) -> DataSet:
    stem = Path(row["file"]).stem
    name = row["name"] if stem == "data" else f"{row['name']}/{stem}"
    path = folder() / row["name"] / row["file"]
    exclude, categories = tuple(row["exclude_columns"]), tuple(row["categorical_int_columns"])
    return DataSet(name, row["kind"], row["family"] or row["name"], path, row["label"], exclude, categories)


def numeric_sets() -> tuple[DataSet, ...]:
    """The sets of detect-numeric."""
    return tuple(s for s in data_sets() if s.kind == "numeric")


def mixed_sets() -> tuple[DataSet, ...]:
    """The sets of detect-mixed: mixed, categorical and fraud tables with strings, missing values, dates, ids."""
    return tuple(s for s in data_sets() if s.kind in ("mixed", "categorical", "fraud"))


def choose(sets: tuple[DataSet, ...], names: str) -> tuple[DataSet, ...]:
    """The sets named, comma-separated: a full name, or a part of it that must match something."""
    chosen: dict[str, DataSet] = {}
    for name in filter(None, (n.strip() for n in names.split(","))):
        exact = [s for s in sets if s.name == name]
        found = exact or [s for s in sets if name.lower() in s.name.lower()]
        if not found:
            raise SystemExit(f"no data set is called like {name!r}; there are: {', '.join(s.name for s in sets)}")
        chosen.update({s.name: s for s in found})
    return tuple(chosen.values())


def load(data_set: DataSet) -> tuple[pa.Table, Labels]:
    """The modelled columns as they are, and which rows are anomalies."""
    table = pq.read_table(data_set.path)
    anomaly = table[data_set.label].to_numpy() > 0
    dropped = [c for c in (data_set.label, *data_set.exclude) if c in table.column_names]
    return table.drop_columns(dropped), anomaly

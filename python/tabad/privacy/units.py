"""An audit per unit (customer, patient): rows of one unit are no independent witnesses.

Who is a member is drawn unit by unit, so that the attacks look at one row of each: more rows of the same customer would
make chance look like a leak. A row without a unit is one by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from tabad.errors import InputError, UsageError
from tabad.privacy import checks
from tabad.privacy.records import value_codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["once_a_unit", "one_of_each", "unit_codes"]


def unit_codes(tables: Mapping[str, pa.Table], names: Mapping[str, str], unit: str) -> dict[str, Any]:
    """int64 [B] for the training and the held-out table: the same code for the rows of one unit.

    Raises `UsageError` where one of them lacks the column, and `InputError` where a unit is in both or the types of the
    column cannot be brought together.
    """
    lacking = [names[name] for name in ("train", "holdout") if unit not in tables[name].column_names]
    if lacking:
        raise UsageError(
            f"{' and '.join(lacking)} ha{'s' if len(lacking) == 1 else 've'} no column `{unit}` to tell units by",
            name="column-unknown",
            hint="--unit COL (unit=...) names a column of the training and the held-out table; "
            "the synthetic one need not have it",
        )
    alone = {name: tables[name].select([unit]) for name in ("train", "holdout")}
    alike = checks.alike(alone, dict(names), ())
    codes = {name: part[:, 0] for name, part in value_codes(alike, [unit]).items()}
    for name, table in alike.items():
        # A code of its own, that no other row has, in neither table.
        nameless = np.flatnonzero(pc.is_null(table[unit], nan_is_null=True).to_numpy())
        codes[name][nameless] = -1 - nameless * len(alike) - (name == "holdout")
    train, holdout = codes["train"], codes["holdout"]
    shared = np.intersect1d(train, holdout)
    if len(shared):
        raise InputError(
            f"{len(shared):,} of {len(np.unique(holdout)):,} values of `{unit}` in {names['holdout']} stand in "
            f"{names['train']} too",
            name="holdout-overlap",
            hint=f"a unit that was trained on is no control: hold out whole values of `{unit}`, drawn at random",
        )
    return codes


def one_of_each(order: Any, units: Any) -> Any:
    """The places in `order` that are the first of their unit. `units`: the code of every row of the table."""
    _, first = np.unique(units[order], return_index=True)
    return order[np.sort(first)]


def once_a_unit(rows: Any, units: Any) -> Any:
    """Row codes, each once for every unit that has it: what one unit has often is still that unit's alone."""
    return np.unique(np.stack([units, rows]), axis=1)[1]

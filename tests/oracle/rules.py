"""Twin of `rules/find.rs` in numpy, without a glance: orders of amounts; of times, sums and products with exceptions.

Chance is the share of all pairs of rows. Axes: B rows.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tabad.constraints import AT_MOST, PRODUCT, SUM, Constraint
from tabad.constraints.columns import is_amount, is_time, measures
from tabad.constraints.find import adds_up, chance_is_out, multiplies, usual_decimals

if TYPE_CHECKING:
    import pyarrow as pa

    from tabad.constraints.columns import Floats

LEAST_BROKEN, TIMES_FEWER, LEAST_ROWS, FEW = 0.02, 20, 20, 100


def rules(rows: pa.Table) -> list[Constraint]:
    """Sums, products, then orders, of the amounts and times of a table."""
    cells = {f.name: measures(rows[f.name]) for f in rows.schema if is_amount(f.type) or is_time(f.type)}
    amounts = [name for name in cells if is_amount(rows.schema.field(name).type)]
    times = [name for name in cells if name not in amounts]
    found = sums({name: cells[name] for name in amounts})
    equal = [set(one.columns) for one in found if len(one.columns) == 2]
    found += products({name: cells[name] for name in amounts})
    for kind in [None, *dict.fromkeys(rows.schema.field(name).type for name in times)]:
        group = amounts if kind is None else [name for name in times if rows.schema.field(name).type == kind]
        found += orders({name: cells[name] for name in group}, equal, 0 if kind is None else rows.num_rows // FEW)
    return found


def orders(cells: dict[str, Floats], equal: list[set[str]], most: int) -> list[Constraint]:
    names = list(cells)
    broken = {(a, b): int((cells[a] > cells[b]).sum()) for a in names for b in names if a != b}
    edges = [e for e in broken if set(e) not in equal and is_order(*(cells[name] for name in e), broken[e], most)]
    kept = [e for e in edges if not any((e[0], via) in edges and (via, e[1]) in edges for via in names)]
    return [Constraint(AT_MOST, e, broken=broken[e], rows=len(cells[e[0]])) for e in kept]


def is_order(low_B: Floats, high_B: Floats, broken: int, most: int) -> bool:
    both = ~np.isnan(low_B) & ~np.isnan(high_B)
    chance = float((low_B[both][:, None] > high_B[both]).mean()) if both.any() else 0.0
    few = broken <= most and broken * TIMES_FEWER <= chance * both.sum()
    return few and chance >= LEAST_BROKEN and chance_is_out(int(both.sum()) - broken, 1 - chance)


def sums(cells: dict[str, Floats]) -> list[Constraint]:
    names = [name for name, values in cells.items() if len(np.unique(values[~np.isnan(values)])) > 1]
    found: list[Constraint] = []
    done: set[str] = set()
    for exact in (True, False):
        for count in (1, 2, 3):
            for total in names:
                for parts in combinations(names, count):
                    if total in done or total in parts or done & set(parts) or count >= len(names):
                        continue
                    broken = int((~adds_up(cells[total], [cells[part] for part in parts])).sum())
                    if broken > (0 if exact else len(cells[total]) // FEW):
                        continue
                    if is_sum(cells[total], [cells[part] for part in parts]):
                        found.append(Constraint(SUM, (total, *parts), broken=broken, rows=len(cells[total])))
                        done.add(total)
    return found


def is_sum(total_B: Floats, parts: list[Floats]) -> bool:
    there = ~np.isnan(total_B) & ~np.isnan(np.sum(parts, axis=0))
    filled = np.stack([part != 0 for part in parts])
    tells = there & (filled.sum(axis=0) >= min(2, len(parts)))
    if (filled[:, tells].sum(axis=1) < LEAST_ROWS).any():
        return False
    total_B, parts = total_B[tells], [part[tells] for part in parts]
    broken = int((~adds_up(total_B, parts)).sum())
    sum_B = np.sum(parts, axis=0)
    slack_B = 1e-9 * np.maximum(np.abs(sum_B), 1e-3)
    chance = float((np.abs(total_B[:, None] - sum_B) <= slack_B).mean())
    return broken <= len(total_B) // FEW and chance_is_out(len(total_B) - broken, chance)


def products(cells: dict[str, Floats]) -> list[Constraint]:
    names = [name for name, values in cells.items() if len(np.unique(values[~np.isnan(values)])) > 1]
    found = []
    for total in names:
        pairs = [pair for pair in combinations(names, 2) if total not in pair]
        decimals = usual_decimals(cells[total])
        rows = len(cells[total])
        for most in (0, rows // FEW):
            fits = [pair for pair in pairs if is_product(cells[total], [cells[name] for name in pair], decimals, most)]
            if fits:
                broken = int((~multiplies(cells[total], [cells[name] for name in fits[0]], decimals)).sum())
                found.append(Constraint(PRODUCT, (total, *fits[0]), broken=broken, rows=rows, decimals=decimals))
                break
    return found


def is_product(total_B: Floats, factors: list[Floats], decimals: int | None, most: int) -> bool:
    if (~multiplies(total_B, factors, decimals)).sum() > most:
        return False
    product_B = factors[0] * factors[1]
    unit = 0.0 if decimals is None else 10.0**-decimals
    changes = np.logical_and.reduce([(factor != 0) & (np.abs(factor) != 1) for factor in factors])
    tells = changes & ~np.isnan(total_B) & (np.abs(product_B) >= 10 * unit)
    total_B, product_B = total_B[tells], product_B[tells]
    broken = int((~multiplies(total_B, [product_B], decimals)).sum())
    reach_B = 1e-9 * np.maximum(np.abs(product_B), 1e-3) + unit * (0.5 + 1e-6)
    chance = float((np.abs(total_B[:, None] - product_B) <= reach_B).mean()) if len(total_B) else 0.0
    few = broken <= len(total_B) // FEW and broken * TIMES_FEWER <= (1 - chance) * len(total_B)
    return few and chance_is_out(len(total_B) - broken, chance)

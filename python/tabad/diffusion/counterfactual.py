"""Anomalies made of normal rows: a few cells moved to values that are legal but odd beside the others.

A cell moves to a value that another row of the table has and the training rows know. Of the more usual half of several
such values it takes the one with the largest gap between how usual it is by itself and how usual it is in this row,
`ln p(v) - ln p(v | rest)` (pointwise mutual information, Church and Hanks 1990, turned round; both from the network).
So a rule on one column finds little and a dependence is broken; which cells and what they were is known. The measure is
the network's own: what is made here must never judge that network.
Axes: B rows, M candidates, N numbers, C category columns, P table columns, D donor rows, S codes.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tabad.errors import InputError, UsageError

from . import categorical
from .energies import VARIANCE_FLOOR
from .predict import predict
from .schedule import HIDDEN, SIGMA_MIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from .rows import Sampler

__all__ = ["Moves", "moved"]

CANDIDATES = 32
_MOVABLE = ("number", "category", "boolean", "datetime")
_KNOWN = 1e-5
"""How near to a known value's place on the scale a number must be to count as that value."""
_LEAST_GAIN, _MOST_GAIN, _NO_WEIGHT = 1e-3, 5.0, 1e-20
"""Odds by which columns are drawn, in nats: a column that is bound to another would else be moved in every row."""


@dataclass(frozen=True)
class Moves:
    """What was moved: per row and column the donor row whose value it takes, -1 where it stays."""

    columns: list[str]
    donor_BP: Tensor


def moved(
    sampler: Sampler,
    rows: pa.Table,
    donors: pa.Table,
    *,
    columns: Sequence[str],
    count: int,
    generator: torch.Generator,
) -> Moves:
    """Moves of `columns`, or without any of `count` columns a row, drawn by how odd they can be made.

    Raises `UsageError` for columns that cannot be moved, and `InputError` where no value of the table is legal.
    """
    movable = _movable(sampler, columns)
    state = _State(sampler, donors, generator)
    legal_DP = _legal(sampler, state.donor_x_DN, state.donor_c_DC)
    places = [sampler.owners.index(name) for name in movable]
    places = [place for place in places if state.varies(place, legal_DP[:, place])]
    wanted = len(columns) or count
    if len(places) < wanted:
        raise InputError(
            f"{wanted} columns were to be moved, and {len(places)} have several legal values",
            name="anomaly-columns",
            hint="ask for fewer columns, or give a table like the one that the model was fitted on",
        )
    x_BN, c_BC = sampler.encode(rows.select([n for n in sampler.schema.names if n in rows.schema.names]))
    donor_BP = torch.full((len(c_BC), len(sampler.owners)), -1, dtype=torch.int64, device=c_BC.device)
    with torch.no_grad():
        for turn in range(wanted):
            # One after the other: each move sees those before, so that two do not agree with each other by chance.
            turns = [places[turn]] if columns else places
            gains, chosen = zip(*(state.best(x_BN, c_BC, place, legal_DP[:, place]) for place in turns), strict=True)
            gain_BP, chosen_BP = torch.stack(gains, dim=1), torch.stack(chosen, dim=1)
            free_BP = (donor_BP[:, turns] < 0) & gain_BP.isfinite()
            weight_BP = torch.where(free_BP, gain_BP.clamp(_LEAST_GAIN, _MOST_GAIN), _NO_WEIGHT)
            which_B = torch.multinomial(weight_BP, 1, generator=generator)[:, 0]
            place_B = torch.tensor(turns, device=which_B.device)[which_B]
            moving = free_BP.gather(1, which_B[:, None])[:, 0].nonzero()[:, 0]
            donor_B = chosen_BP.gather(1, which_B[:, None])[:, 0]
            donor_BP[moving, place_B[moving]] = donor_B[moving]
            x_BN[moving], c_BC[moving] = state.take(x_BN[moving], c_BC[moving], place_B[moving], donor_B[moving])
    return Moves(list(sampler.owners), donor_BP)


def _movable(sampler: Sampler, columns: Sequence[str]) -> list[str]:
    kinds = {column["name"]: column["kind"] for column in sampler.manifest["columns"]}
    strange = [name for name in columns if kinds.get(name) not in _MOVABLE]
    if strange:
        facts = [f"`{name}` ({kinds.get(name, 'no column of the model')})" for name in strange[:10]]
        raise UsageError(
            f"cannot move {', '.join(facts)}: only numbers, categories, booleans and datetimes have known values",
            name="anomaly-column",
        )
    return list(columns) or [name for name in sampler.owners if kinds[name] in _MOVABLE]


def _legal(sampler: Sampler, x_DN: Tensor, c_DC: Tensor) -> Tensor:
    """`legal_DP`: the cell has a value, in the range of the training rows or among their values."""
    index, scale = sampler.index, sampler.net.scale
    never_S = sampler.forbidden_S | sampler.null_S
    bad_DC = never_S[c_DC + index.offset_C]
    in_range_DN = (x_DN >= scale.low_NK[:, 0]) & (x_DN <= scale.high_NK[:, -1])
    known_DN = torch.ones_like(in_range_DN)
    for number in range(x_DN.shape[1]):
        if bool(scale.knot_NK[number, -1] == scale.knot_NK[number, -2]):
            distance_DK = (x_DN[:, number, None] - scale.middle_NK[number]).abs()
            known_DN[:, number] = distance_DK.amin(dim=1) <= _KNOWN
    bad_DN = ~(in_range_DN & known_DN) & index.present(c_DC)
    bad_DF = torch.cat([bad_DN, bad_DC], dim=1).float()
    bad_DP = torch.zeros(len(c_DC), sampler.layout.table_columns, device=index.device)
    bad_DP.index_add_(1, index.column_F, bad_DF)
    return bad_DP == 0


class _State:
    """The donors, encoded, and how likely a value is by itself."""

    def __init__(self, sampler: Sampler, donors: pa.Table, generator: torch.Generator) -> None:
        self.sampler, self.index, self.generator = sampler, sampler.index, generator
        names = [name for name in sampler.schema.names if name in donors.schema.names]
        self.donor_x_DN, self.donor_c_DC = sampler.encode(donors.select(names))
        hidden_BP = torch.full((1, sampler.layout.table_columns), HIDDEN, device=self.index.device)
        with torch.no_grad():
            self.mean_N, self.logits_S = (
                out[0] for out in self._predict(self.donor_x_DN[:1], self.donor_c_DC[:1], hidden_BP)
            )

    def _predict(self, x_BN: Tensor, c_BC: Tensor, sigma_BP: Tensor) -> tuple[Tensor, Tensor]:
        net = self.sampler.net
        label_B = torch.full((len(c_BC),), net.config.scored_label, dtype=torch.int64, device=self.index.device)
        mean_BN, logits_BS = predict(net, x_BN, c_BC, sigma_BP, label_B, self.index)
        return mean_BN, categorical.log_probabilities(logits_BS, self.index)

    def varies(self, place: int, legal_D: Tensor) -> bool:
        """True where this column has two legal values that differ."""
        x_DN = self.donor_x_DN[legal_D][:, self.index.column_N == place]
        c_DC = self.donor_c_DC[legal_D][:, self.index.column_C == place]
        return len(x_DN) > 0 and not bool((x_DN == x_DN[:1]).all() and (c_DC == c_DC[:1]).all())

    def best(self, x_BN: Tensor, c_BC: Tensor, place: int, legal_D: Tensor) -> tuple[Tensor, Tensor]:
        """`(gain_B, donor_B)` of the oddest of some legal values of this column, none of them the row's own."""
        index, rows = self.index, len(c_BC)
        sigma_BP = torch.full((rows, self.sampler.layout.table_columns), SIGMA_MIN, device=index.device)
        sigma_BP[:, place] = HIDDEN
        mean_BN, logits_BS = self._predict(x_BN, c_BC, sigma_BP)
        pool = legal_D.nonzero()[:, 0]
        draw_BM = torch.randint(len(pool), (rows, CANDIDATES), generator=self.generator, device=index.device)
        donor_BM = pool[draw_BM]
        odd_BM = torch.zeros(rows, CANDIDATES, device=index.device)
        usual_BM = torch.zeros_like(odd_BM)
        same_BM = torch.ones(rows, CANDIDATES, dtype=torch.bool, device=index.device)
        for number in (index.column_N == place).nonzero()[:, 0].tolist():
            z_BM = self.donor_x_DN[donor_BM, number]
            variance = self.sampler.net.hidden_variance[number].clamp_min(VARIANCE_FLOOR)
            there_BM = index.present(self.donor_c_DC)[donor_BM, number]
            nats_BM = 0.5 * ((z_BM - mean_BN[:, number, None]).square() / variance + variance.log())
            odd_BM += torch.where(there_BM, nats_BM, 0.0)
            # By itself: the scale gives every number variance 1.
            usual_BM += torch.where(there_BM, 0.5 * (z_BM - self.mean_N[number]).square(), 0.0)
            same_BM &= z_BM == x_BN[:, number, None]
        for category in ((index.column_C == place) & ~index.is_atom_C).nonzero()[:, 0].tolist():
            code_BM = self.donor_c_DC[donor_BM, category]
            at_BM = code_BM + index.offset_C[category]
            odd_BM -= logits_BS.gather(1, at_BM)
            usual_BM -= self.logits_S[at_BM]
            same_BM &= code_BM == c_BC[:, category, None]
        # Of the values to choose from the more usual half: else rare ones win, which any marginal rule finds.
        rare_BM = usual_BM > usual_BM.masked_fill(same_BM, float("nan")).nanmedian(dim=1, keepdim=True).values
        gain_B, at_B = (odd_BM - usual_BM).masked_fill(same_BM | rare_BM, float("-inf")).max(dim=1)
        return gain_B, donor_BM.gather(1, at_B[:, None])[:, 0]

    def take(self, x_BN: Tensor, c_BC: Tensor, place_B: Tensor, donor_B: Tensor) -> tuple[Tensor, Tensor]:
        """The rows with that column of each taken from its donor."""
        moves_BN = self.index.column_N == place_B[:, None]
        moves_BC = self.index.column_C == place_B[:, None]
        return (
            torch.where(moves_BN, self.donor_x_DN[donor_B], x_BN),
            torch.where(moves_BC, self.donor_c_DC[donor_B], c_BC),
        )

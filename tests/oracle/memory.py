"""The memory denoiser, slowly: the formulas of the kernel vote written out with numpy in float64.

Read this first. `rust/core/src/memory` must agree with it. M kept rows, N numbers, C categories; features
are the numbers, then the categories.
"""

# ruff: noqa: N815  (tensors carry their axes in their names)
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.oracle.xxh3 import xxh3_64

PRESENT = 0
OTHER = 1
ABSENT_DISTANCE = 1.0
MARGINAL_SHARE = 0.03
BOUND = 4.5
NEGLIGIBLE = 1e-30


@dataclass
class Memory:
    """Kept rows and the shape of the kernel."""

    x_MN: np.ndarray
    c_MC: np.ndarray
    weight_F: np.ndarray
    status_N: list[int]
    column_F: list[int]
    is_status_C: list[bool]
    marginal_C: list[np.ndarray]
    spread_NS: np.ndarray
    """Quantiles of each number in the training rows, ascending."""
    own_vote: bool
    conditional: int = 2**63
    """The first so many kept rows vote on conditional energies."""
    known_M: np.ndarray | None = None
    """Which kept rows are known to be normal, if any."""

    def known(self) -> np.ndarray:
        """[M] bool."""
        return np.zeros(len(self.x_MN), dtype=bool) if self.known_M is None else self.known_M


def feature_distances(memory: Memory, x_N: np.ndarray, c_C: np.ndarray, bound: float = np.inf) -> np.ndarray:
    """[M, F]: what each feature adds to the distance of a row to each kept row, a number at most `bound`."""
    numbers = memory.x_MN.shape[1]
    out_MF = np.zeros((len(memory.x_MN), numbers + memory.c_MC.shape[1]))
    for n in range(numbers):
        kept_there = memory.c_MC[:, memory.status_N[n]] == PRESENT
        row_there = c_C[memory.status_N[n]] == PRESENT
        gap = np.minimum(0.5 * (memory.x_MN[:, n] - x_N[n]) ** 2, bound)
        if row_there:
            out_MF[:, n] = np.where(kept_there, gap, ABSENT_DISTANCE)
        else:
            out_MF[:, n] = np.where(kept_there, ABSENT_DISTANCE, 0.0)
    for c in range(memory.c_MC.shape[1]):
        mismatch = memory.c_MC[:, c] != c_C[c]
        if c_C[c] == OTHER and not memory.is_status_C[c]:
            mismatch = np.ones_like(mismatch)
        out_MF[:, numbers + c] = mismatch
    return out_MF * memory.weight_F


def voters(memory: Memory, x_N: np.ndarray, c_C: np.ndarray) -> np.ndarray:
    """[M] bool: a row that is screened against itself takes one exact copy out of the vote."""
    vote_M = np.ones(len(memory.x_MN), dtype=bool)
    if memory.own_vote:
        for m in range(len(vote_M)):
            if (memory.x_MN[m] == x_N).all() and (memory.c_MC[m] == c_C).all():
                vote_M[m] = False
                break
    return vote_M


def logsumexp(values: np.ndarray) -> float:
    """log sum exp, in nats."""
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def density(memory: Memory, x_N: np.ndarray, c_C: np.ndarray, tau: float) -> float:
    """`-log mean_i exp(-E_i / tau)`, in nats."""
    energy_M = feature_distances(memory, x_N, c_C).sum(1)[voters(memory, x_N, c_C)]
    return -logsumexp(-energy_M / tau) + np.log(len(memory.x_MN))


def joint(memory: Memory, x_N: np.ndarray, c_C: np.ndarray, tau: float) -> float:
    """`log(sum_j (mean_j - x_j)^2 / tau + 1e-6)`: tau times the squared gradient of the density, logged.

    A number whose kept values weigh less than NEGLIGIBLE beside the nearest row has no neighbours, and is left out.
    """
    vote_M = voters(memory, x_N, c_C)
    x_MN, c_MC = memory.x_MN[vote_M], memory.c_MC[vote_M]
    energy_M = feature_distances(memory, x_N, c_C).sum(1)[vote_M]
    w_M = np.exp(-(energy_M - energy_M.min()) / tau)
    total = 0.0
    for n in range(len(x_N)):
        if c_C[memory.status_N[n]] != PRESENT:
            continue
        there_M = w_M * (c_MC[:, memory.status_N[n]] == PRESENT)
        if there_M.sum() > NEGLIGIBLE:
            mean = (there_M * x_MN[:, n]).sum() / there_M.sum()
            total += memory.weight_F[n] * (mean - x_N[n]) ** 2
    return float(np.log(total / tau + 1e-6))


def marginal(memory: Memory, x_N: np.ndarray, c_C: np.ndarray) -> float:
    """How rare each value is by itself, in nats.

    A number: `ln(1 + 100 r)`, r the distance within which a twentieth of the kept values lies, in units of their
    central 96 % (Loftsgaarden and Quesenberry 1965). A category: minus the log of its smoothed share. Less
    `ln(1 + n)`, with n kept rows of that value (a number: within r) known to be normal, and never below 0.
    """
    left_out = not voters(memory, x_N, c_C).all()
    total = 0.0
    for n in range(len(x_N)):
        if c_C[memory.status_N[n]] != PRESENT:
            continue
        kept_M = np.sort(memory.x_MN[memory.c_MC[:, memory.status_N[n]] == PRESENT, n])
        if len(kept_M) < 10 + left_out:
            continue
        outer = (len(kept_M) - 1) // 50
        span = max(kept_M[-1 - outer] - kept_M[outer], 1e-3)
        near = np.sort(np.abs(kept_M - x_N[n]))[(len(kept_M) - left_out) // 20 + left_out]
        known = (memory.c_MC[:, memory.status_N[n]] == PRESENT) & memory.known()
        normal = known & (np.abs(memory.x_MN[:, n] - x_N[n]) <= near)
        total += memory.weight_F[n] * max(np.log(1.0 + 100.0 * near / span) - np.log(1.0 + normal.sum()), 0.0)
    return float(total) + _codes(memory, c_C)


def extremity(memory: Memory, x_N: np.ndarray, c_C: np.ndarray) -> float:
    """How far out each value is by itself, in nats.

    A number: minus the log of the share of its quantiles (and one more) that are as small, or as large, whichever is
    less (after ECOD, Li et al. 2022). A category: minus the log of its smoothed share. Less `ln(1 + n)`, with n kept
    rows that are as far out (a category: have its code) and known to be normal, and never below 0.
    """
    total = 0.0
    for n in range(len(x_N)):
        if c_C[memory.status_N[n]] != PRESENT:
            continue
        below, above = (memory.spread_NS[n] <= x_N[n]).sum(), (memory.spread_NS[n] >= x_N[n]).sum()
        far_M = memory.x_MN[:, n] <= x_N[n] if below <= above else memory.x_MN[:, n] >= x_N[n]
        normal = (far_M & memory.known() & (memory.c_MC[:, memory.status_N[n]] == PRESENT)).sum()
        share = (min(below, above) + 1) / (len(memory.spread_NS[n]) + 1)
        total += memory.weight_F[n] * max(-np.log(share) - np.log(1.0 + normal), 0.0)
    return total + _codes(memory, c_C)


def _codes(memory: Memory, c_C: np.ndarray) -> float:
    """Minus the logs of the smoothed shares of all codes, less `ln(1 + n)` each, n known rows that have it."""
    total = 0.0
    for c, code in enumerate(c_C):
        normal = memory.known() & (memory.c_MC[:, c] == code)
        rarity = -np.log(memory.marginal_C[c][code]) - np.log(1.0 + normal.sum())
        total += memory.weight_F[len(memory.status_N) + c] * max(rarity, 0.0)
    return float(total)


def isolation(memory: Memory, x_N: np.ndarray, c_C: np.ndarray, *, roots: bool = False) -> float:
    """LeSiNN (Pang, Ting and Albrecht 2015): mean over groups of eight kept rows of the log of the nearest distance.

    At most 256 groups, 128 of sums of roots, of rows in the order of a hash of what is in them; a row that has no vote
    is at 1e30. Rows known to be normal are in every group. `roots`: distances are sums of roots of absolute
    differences.
    """
    apart_MF = feature_distances(memory, x_N, c_C)
    if roots:
        for n in range(len(x_N)):
            both_M = (memory.c_MC[:, memory.status_N[n]] == PRESENT) & (c_C[memory.status_N[n]] == PRESENT)
            root_M = memory.weight_F[n] * np.sqrt(np.abs(memory.x_MN[:, n] - x_N[n]))
            apart_MF[:, n] = np.where(both_M, root_M, apart_MF[:, n])
    energy_M = apart_MF.sum(1)
    energy_M[~voters(memory, x_N, c_C)] = 1e30
    groups = min(max(len(energy_M) // 8, 1), 128 if roots else 256)
    held = zip(memory.x_MN.astype("<f4"), memory.c_MC.astype("<u2"), strict=True)
    hashes = [xxh3_64(x.tobytes() + c.tobytes()) for x, c in held]
    order = np.argsort(np.array(hashes, dtype=np.uint64), kind="stable")[: groups * 8]
    known = energy_M[memory.known()].min(initial=np.inf)
    nearest = [min(energy_M[order[group::groups]].min(), known) for group in range(groups)]
    return float(np.mean(np.log(np.array(nearest) + 1e-3)))


def conditional(memory: Memory, x_N: np.ndarray, c_C: np.ndarray, taus: list[float]) -> np.ndarray:
    """[F]: `-log p(feature | the other columns)` summed over widths, in nats; 0 where a number is absent.

    No number adds more than BOUND; how far the nearest kept value of the number itself is beyond that is added.
    """
    numbers = len(x_N)
    everyone_M = voters(memory, x_N, c_C)
    vote_M = everyone_M & (np.arange(len(everyone_M)) < memory.conditional)
    bounded_MF = feature_distances(memory, x_N, c_C, BOUND)[vote_M]
    out_F = np.zeros(bounded_MF.shape[1])
    for tau in taus:
        for f in range(len(out_F)):
            own = np.array([column == memory.column_F[f] for column in memory.column_F])
            rest_M = bounded_MF[:, ~own].sum(1)
            if f < numbers:
                if c_C[memory.status_N[f]] == PRESENT:
                    out_F[f] += logsumexp(-rest_M / tau) - logsumexp(-(rest_M + bounded_MF[:, f]) / tau)
                    kept_M = memory.x_MN[everyone_M & (memory.c_MC[:, memory.status_N[f]] == PRESENT), f]
                    nearest = 0.5 * ((kept_M - x_N[f]) ** 2).min(initial=np.inf) if len(kept_M) else 0.0
                    out_F[f] += memory.weight_F[f] * max(nearest - BOUND, 0.0) / tau
                continue
            c = f - numbers
            w_M = np.exp(-(rest_M - rest_M.min()) / tau)
            match_M = memory.c_MC[vote_M, c] == c_C[c]
            if c_C[c] == OTHER and not memory.is_status_C[c]:
                match_M[:] = False
            p = (w_M * match_M).sum() / w_M.sum()
            out_F[f] -= np.log((1 - MARGINAL_SHARE) * p + MARGINAL_SHARE * memory.marginal_C[c][c_C[c]])
    return out_F

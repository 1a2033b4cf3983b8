"""Slow numpy twin of how the extension draws rows: `rust/core/src/network/generate`.

One row after the other in float64, with the random numbers that row has of its own.
x: N numbers on the network's scale, c: G codes (those of atoms last), MASK where not seen yet.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .network import CLIP, Network, through_blocks

MASK = -1
SIGMA_MIN, SIGMA_MAX, LAST_LEVEL, RHO = 0.02, 20.0, 0.04, 10.0
WORD = 2**64 - 1


def splitmix64(seed: int) -> int:
    z = (seed + 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


class Stream:
    def __init__(self, seed: int, row: int) -> None:
        self.state = splitmix64(seed ^ splitmix64(row))

    def bits(self) -> int:
        found = splitmix64(self.state)
        self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
        return found

    def uniform(self) -> float:
        return (self.bits() >> 40) / 2**24

    def normals(self, count: int) -> np.ndarray:
        found: list[float] = []
        while len(found) < count:
            bits = self.bits()
            # A float32 holds half units up to 2^23.
            first = float(np.float32((bits >> 40) + np.float32(0.5)))
            radius = np.sqrt(max(-2.0 * np.log(first / 2**24), 0.0))
            angle = 2.0 * np.pi * ((bits >> 16) & 0xFFFFFF) / 2**24
            found += [radius * np.cos(angle), radius * np.sin(angle)]
        return np.array(found[:count])


def grid(steps: int) -> list[float]:
    top, bottom = SIGMA_MAX ** (1 / RHO), LAST_LEVEL ** (1 / RHO)
    return [*((top + k / (steps - 1) * (bottom - top)) ** RHO for k in range(steps)), 0.0]


class Sampler:
    def __init__(self, config: str, weights: bytes) -> None:
        self.net = Network(config, weights)
        own = self.net.config
        self.N, self.status = self.net.N, own["status"]
        self.sizes = [*own["sizes"], *own["atom_sizes"]]
        self.atoms = own["atoms"]
        self.starts = np.cumsum([0, *self.sizes])
        self.column_of_number = own["columns"][: self.N]
        self.column_of_code = [*own["columns"][self.N :], *(own["columns"][n] for n in self.atoms)]
        self.place = [
            [self.net.place(number, value) for value in values]
            for number, values in zip(self.atoms, self.net.w["atom"], strict=True)
        ]

    def order(self, levels: list[float], stream: Stream) -> list[int]:
        """The step at whose end each cell is revealed."""
        G, steps = len(self.sizes), len(levels) - 1
        is_status = [g in self.status for g in range(G)]

        def share(level: float, status: bool) -> float:
            scaled = level / 4.0 / 5.0 if status else level
            return scaled**2 / (1.0 + scaled**2)

        uniform = [stream.uniform() for _ in range(G)]
        own = [g for g in range(G) if not is_status[g]]
        keys = [stream.uniform() for _ in own]
        ranked = [own[k] for k in np.argsort(keys, kind="stable")]
        for rank, g in enumerate(ranked):
            uniform[g] = (uniform[g] + rank) / len(own)
        when = [
            sum(1.0 - uniform[g] < share(level, is_status[g]) / share(levels[0], is_status[g]) for level in levels[1:])
            for g in range(G)
        ]
        abreast = -(-len(own) // steps)
        earliest = 0
        for rank, g in enumerate(ranked):
            earliest = max(earliest, when[g] - rank // abreast)
            when[g] = min(earliest + rank // abreast, steps - 1 - (len(own) - 1 - rank) // abreast)
        return when

    def state(self, x: np.ndarray, c: list[int], levels: np.ndarray, label: int) -> np.ndarray:
        """What the last layer sees; `levels` are per table column."""
        w = self.net.w
        h = w["label"][label] + (np.log(levels)[:, None] / 4 * w["level"]).sum(axis=0)
        for number in range(self.N):
            if c[self.status[number]] != 0:
                continue
            sigma = levels[self.column_of_number[number]]
            seen = np.clip(x[number], -CLIP, CLIP)
            y = seen / np.sqrt(sigma**2 + 1)
            h += y * w["number"][number] + seen / (sigma**2 + 1) * w["skipped"][number]
            for k, (low, high) in enumerate(pairwise(w["edge"])):
                reached = (np.clip(y, low, high) - np.clip(0.0, low, high)) / (high - low)
                h += reached * w["piece"][number * self.net.config["pieces"] + k]
        for g, code in enumerate(c):
            if code != MASK:
                h += w["code"][self.starts[g] + code]
        return through_blocks(self.net, h)

    def row(
        self,
        seed: int,
        row: int,
        *,
        forbidden: np.ndarray,
        label: int | None = None,
        guidance: float = 1.0,
        given: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
        ties: tuple[list[int], list[int], np.ndarray, np.ndarray] | None = None,
        steps: int = 20,
        noise: float = 0.3,
    ) -> tuple[np.ndarray, list[int]]:
        """One row; `given` are its x, c and, per table column, whether it stands."""
        w, levels, stream = self.net.w, grid(steps), Stream(seed, row)
        N, G = self.N, len(self.sizes)
        x = stream.normals(N) * levels[0]
        c = [MASK] * G
        allowed = [~forbidden[a:b] for a, b in zip(self.starts, self.starts[1:], strict=False)]
        for g in range(G):
            if g in self.status and allowed[g][0] and allowed[g].sum() == 1:
                c[g] = 0
        when = self.order(levels, stream)
        stands = np.zeros(w["level"].shape[0], bool) if given is None else given[2].astype(bool)
        held = np.array([stands[p] for p in self.column_of_number], bool)

        def hold(x: np.ndarray, c: list[int]) -> None:
            if given is not None:
                x[held] = given[0][held]
                for g in range(G):
                    if stands[self.column_of_code[g]]:
                        c[g] = int(given[1][g])

        def named() -> dict[int, float]:
            codes = c[G - len(self.atoms) :]
            own = zip(self.atoms, codes, self.place, strict=True)
            return {number: places[code - 1] for number, code, places in own if code > 0}

        hold(x, c)
        before: tuple[float, np.ndarray, np.ndarray, set[int]] | None = None
        for step, (sigma, after) in enumerate(pairwise(levels)):
            at = np.where(stands, SIGMA_MIN, sigma)
            weight = 0.0 if label is None else guidance
            h = self.state(x, c, at, self.net.config["classes"])
            if label is not None:
                h = h + weight * (self.state(x, c, at, label) - h)
            raw = h @ w["head"][:, :N] + w["head_bias"][:N]
            seen = np.array([c[status] == 0 for status in self.status], bool)
            own = at[self.column_of_number]
            clean = np.clip(x, -CLIP, CLIP) / (own**2 + 1) + own / np.sqrt(own**2 + 1) * raw
            mean = np.where(seen, clean, raw)
            known = named()
            for number, value in known.items():
                mean[number] = value
            if after == 0.0:
                x = mean.copy()
            else:
                fresh = stream.normals(N)
                by = np.log(sigma / after)
                share = -np.expm1(-by - noise * by)
                moved = after / sigma * np.exp(-noise * by) * x + share * mean
                if before is not None:
                    last, was, was_seen, was_known = before
                    slope = 0.5 * share * by / np.log(last / sigma)
                    same = np.array([(n in known) == (n in was_known) for n in range(N)], bool)
                    moved += np.where(was_seen & same, slope * (mean - was), 0.0)
                moved += after * np.sqrt(-np.expm1(-2 * noise * by)) * fresh
                x = np.where(seen, moved, np.sqrt(1 + after**2) * fresh)
                before = (sigma, mean.copy(), seen, set(known))
            hold(x, c)
            due = [c[g] == MASK and when[g] <= step for g in range(G)]
            rules = self._tied(c, due, ties, stream, more=after > 0) if any(due) else {}
            for g in range(G):
                if due[g]:
                    a, b = self.starts[g], self.starts[g + 1]
                    logits = np.where(
                        allowed[g], h @ w["head"][:, N + a : N + b] + w["head_bias"][N + a : N + b], -np.inf
                    )
                    for code in rules.get(g, ()):
                        logits[code] = -np.inf
                    # Where nothing is left to draw it is code 0.
                    odds = np.exp(logits - logits.max()) if np.isfinite(logits).any() else np.zeros(b - a)
                    target = stream.uniform() * (1.0 - 2.0**-22) * odds.sum()
                    c[g] = int((np.cumsum(odds) <= target).sum()) % (b - a)
        for number, value in named().items():
            x[number] = value
        hold(x, c)
        return np.where([c[status] == 0 for status in self.status], x, 0.0), c

    def _tied(self, c: list[int], due: list[bool], ties: Any, stream: Stream, *, more: bool) -> dict[int, list[int]]:
        """The codes that tied categories must not take; of those that hang together one stays due."""
        if ties is None:
            return {}
        which, null, implies, bound = ties
        T = range(len(which))
        is_null = [c[which[t]] == null[t] for t in T]
        is_value = [c[which[t]] not in (MASK, null[t]) for t in T]
        must_null = [any(is_null[j] and implies[j, t] for j in T) for t in T]
        must_value = [any(is_value[j] and implies[t, j] for j in T) for t in T]
        open_ = [t for t in T if not must_null[t] and not must_value[t] and due[which[t]]]
        if more and len(open_) > 1:
            key = {t: stream.uniform() for t in open_}
            for t in open_:
                due[which[t]] = all(not bound[t, u] or key[u] >= key[t] for u in open_)
        never: dict[int, list[int]] = {}
        for t in T:
            if must_null[t] != must_value[t]:
                codes = range(self.sizes[which[t]])
                never[which[t]] = [code for code in codes if (code == null[t]) != must_null[t]]
        return never

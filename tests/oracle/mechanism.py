"""The mechanisms that have energies of their own, slowly: fixed noise, reconstruction, diffusion time, context.

In float64, beside `memory.py` and `network.py`. `rust/core/src/mechanism` must agree with it.
"""

from __future__ import annotations

import math

import numpy as np

from tests.oracle import memory as kernel
from tests.oracle import network as net

MASK = 2**64 - 1
PROBES, STEPS, LEAST = 4, 12, 1e-3


def splitmix64(seed: int) -> int:
    """Steele et al. 2014."""
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def normal_at(row: int, column: int) -> float:
    """The standard normal number at a place of a fixed table (Box and Muller 1958)."""
    seed = splitmix64(splitmix64(row) ^ column)
    radius, angle = (((bits >> 11) + 0.5) / 2**53 for bits in (seed, splitmix64(seed)))
    return math.sqrt(-2 * math.log(radius)) * math.cos(2 * math.pi * angle)


def coin(draw: int, place: int) -> bool:
    """A fixed coin."""
    return bool(splitmix64(splitmix64(draw + 1) ^ place) & 1)


def density_given(memory: kernel.Memory, given_F: np.ndarray, x_N: np.ndarray, c_C: np.ndarray, tau: float) -> float:
    """`-log p(row | context)`: the density of the row less that of its context columns."""
    vote_M = kernel.voters(memory, x_N, c_C)
    energy_MF = kernel.feature_distances(memory, x_N, c_C)[vote_M]
    return kernel.logsumexp(-energy_MF[:, given_F].sum(1) / tau) - kernel.logsumexp(-energy_MF.sum(1) / tau)


def reconstruction(memory: kernel.Memory, given_F: np.ndarray, x_N: np.ndarray, c_C: np.ndarray, tau: float) -> float:
    """Log of the mean error over the corruptions: squares in units of the noise, nats of hidden categories."""
    N = len(x_N)
    vote_M = kernel.voters(memory, x_N, c_C)
    errors = []
    for probe in range(PROBES):
        draw, turned = probe % (PROBES // 2), probe >= PROBES // 2
        noise_N = np.array([(-1 if turned else 1) * normal_at(draw, n) for n in range(N)])
        hidden_C = np.array([coin(draw, c) != turned for c in range(len(c_C))], dtype=bool) & ~given_F[N:]
        noised_N = x_N + np.where(given_F[:N], 0, np.sqrt(tau / memory.weight_F[:N]) * noise_N)
        energy_MF = kernel.feature_distances(memory, noised_N, c_C)[vote_M]
        energy_M = energy_MF[:, :N].sum(1) + energy_MF[:, N:][:, ~hidden_C].sum(1)
        w_M = np.exp(-(energy_M - energy_M.min()) / tau)
        error = 0.0
        for n in range(N):
            there_M = w_M * (memory.c_MC[vote_M, memory.status_N[n]] == kernel.PRESENT)
            if given_F[n] or c_C[memory.status_N[n]] != kernel.PRESENT or there_M.sum() <= kernel.NEGLIGIBLE:
                continue
            mean = (there_M * memory.x_MN[vote_M, n]).sum() / there_M.sum()
            error += memory.weight_F[n] * (mean - x_N[n]) ** 2 / tau
        for c in np.flatnonzero(hidden_C):
            match_M = memory.c_MC[vote_M, c] == c_C[c]
            if c_C[c] == kernel.OTHER and not memory.is_status_C[c]:
                match_M[:] = False
            p = (w_M * match_M).sum() / w_M.sum()
            share = (1 - kernel.MARGINAL_SHARE) * p + kernel.MARGINAL_SHARE * memory.marginal_C[c][c_C[c]]
            error -= memory.weight_F[N + c] * math.log(share)
        errors.append(error)
    return math.log(np.mean(errors) + 1e-6)


def time(memory: kernel.Memory, given_F: np.ndarray, x_N: np.ndarray, c_C: np.ndarray, widest: float) -> float:
    """ln of the likeliest tau, by expectation maximisation from the widest."""
    N = len(x_N)
    vote_M = kernel.voters(memory, x_N, c_C)
    energy_MF = kernel.feature_distances(memory, x_N, c_C)[vote_M]
    context_M, rest_M = energy_MF[:, given_F].sum(1), energy_MF[:, ~given_F].sum(1)
    varies_C = np.array([len(np.unique(memory.c_MC[:, c])) > 1 for c in range(len(c_C))], dtype=bool)
    counts_F = ~given_F
    counts_F[:N] &= np.array([c_C[status] == kernel.PRESENT for status in memory.status_N], dtype=bool)
    counts_F[N:] &= varies_C
    n = max(memory.weight_F[counts_F].sum(), 1.0)
    tau = widest
    for _ in range(STEPS):
        log_w_M = -(rest_M / tau + context_M / widest)
        w_M = np.exp(log_w_M - log_w_M.max())
        tau = max(2 * (w_M * rest_M).sum() / w_M.sum() / n, LEAST)
    return math.log(tau)


def noised_joint(network: net.Network, x: np.ndarray, c: np.ndarray, draw: int) -> np.ndarray:
    """[J, F]: the joint energies of one row with noised numbers and half of its category columns hidden."""
    F, J = len(network.column), network.config["joint"]
    numeric = set(network.column[: network.N])
    present = [c[status] == 0 for status in network.config["status"]]
    x = np.array([network.place(n, value) if present[n] else 0.0 for n, value in enumerate(x)])
    out = np.zeros((J, F))
    turned, sign = draw >= PROBES // 2, -1 if draw >= PROBES // 2 else 1
    for probe in range(J):
        place = draw % (PROBES // 2) * J + probe
        levels = network.w["probes"][probe].copy()
        sigma_N = np.array([levels[network.column[n]] for n in range(network.N)])
        noised = x + np.array([sigma_N[n] * sign * normal_at(place, n) for n in range(network.N)])
        for column in set(network.column) - numeric:
            if coin(place, column) != turned:
                levels[column] = -1.0
        # An absent number is 0, and noise alone to the network.
        raw, logits = net.forward(network, noised, c, levels, every_number=True)
        for n in range(network.N):
            denoised = noised[n] / (sigma_N[n] ** 2 + 1) + sigma_N[n] / np.sqrt(sigma_N[n] ** 2 + 1) * raw[n]
            out[probe, n] = ((denoised - x[n]) / sigma_N[n]) ** 2 if present[n] else 0.0
        for f in range(network.N, F):
            if levels[network.column[f]] < 0:
                out[probe, f] = net.nats(logits[f - network.N], c[f - network.N])
    return out

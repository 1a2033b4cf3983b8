"""Slow numpy twin of the network's energies: `rust/core/src/network`, `python/tabad/diffusion/energies.py`.

Read an exported network, push one row after another through it in float64, one probe at a time.
x: N numbers, c: C codes, features: numbers then categories. Levels are per table column; HIDDEN is -1.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
from safetensors.numpy import load

CLIP = 30.0
HIDDEN_NOISE = 1.0


class Network:
    def __init__(self, config: str, weights: bytes) -> None:
        self.config: dict[str, Any] = json.loads(config)
        self.w = {name: tensor.astype(np.float64) for name, tensor in load(weights).items()}
        self.N = len(self.config["status"])
        self.sizes = self.config["sizes"]
        self.column = self.config["columns"]
        self.starts = np.cumsum([0, *self.sizes])

    def place(self, number: int, x: float) -> float:
        """Where an encoded number is on the network's scale."""
        knot, low, high = (self.w[table][number] for table in ("knot", "low", "high"))
        x = float(np.clip(x, -CLIP, CLIP))
        if x < knot[0]:
            z = low[0] + x - knot[0]
        elif x > knot[-1]:
            z = high[-1] + x - knot[-1]
        elif x in knot:
            z = self.w["middle"][number][list(knot).index(x)]
        else:
            after = next(k for k in range(len(knot)) if knot[k] > x)
            z = np.interp(x, knot[after - 1 : after + 1], [high[after - 1], low[after]])
        return float(np.clip(z, -CLIP, CLIP))

    def value(self, number: int, z: float) -> float:
        """The encoded number at a place of the scale."""
        knot, low, high = (self.w[table][number] for table in ("knot", "low", "high"))
        if z < low[0]:
            return float(np.clip(knot[0] + z - low[0], -CLIP, CLIP))
        if z > high[-1]:
            return float(np.clip(knot[-1] + z - high[-1], -CLIP, CLIP))
        for k in range(len(knot)):
            if low[k] <= z <= high[k]:
                return float(knot[k])
        after = next(k for k in range(len(knot)) if low[k] > z)
        if knot[-1] == knot[-2]:
            return float(knot[after if z - high[after - 1] > low[after] - z else after - 1])
        return float(np.interp(z, [high[after - 1], low[after]], knot[after - 1 : after + 1]))


def through_blocks(net: Network, h: np.ndarray) -> np.ndarray:
    """What the last layer sees, from what the first gave."""
    w = net.w
    for block in range(net.config["blocks"]):
        normed = (h - h.mean()) / np.sqrt(h.var() + 1e-5)
        a = normed @ w[f"inner.{block}"] + w[f"inner_bias.{block}"]
        h = h + (a / (1 + np.exp(-a))) @ w[f"outer.{block}"] + w[f"outer_bias.{block}"]
    return h


def forward(
    net: Network, x: np.ndarray, c: np.ndarray, levels: np.ndarray, *, every_number: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Raw numbers and the logits of each category, for one row (numbers on the scale) under one probe.

    `every_number`: absent ones enter too.
    """
    w = net.w
    h = w["label"][net.config["scored_label"]].copy()
    for column, sigma in enumerate(levels):
        hidden = sigma < 0
        h += (HIDDEN_NOISE if hidden else np.log(sigma) / 4) * w["level"][column]
        h += float(hidden) * w["hidden"][column]
    for number in range(net.N):
        sigma = levels[net.column[number]]
        if sigma >= 0 and (every_number or c[net.config["status"][number]] == 0):
            y = x[number] / np.sqrt(sigma**2 + 1)
            h += y * w["number"][number] + x[number] / (sigma**2 + 1) * w["skipped"][number]
            for k, (low, high) in enumerate(pairwise(w["edge"])):
                reached = (np.clip(y, low, high) - np.clip(0.0, low, high)) / (high - low)
                h += reached * w["piece"][number * net.config["pieces"] + k]
    for category, code in enumerate(c):
        if levels[net.column[net.N + category]] >= 0:
            h += w["code"][net.starts[category] + code]
    h = through_blocks(net, h)
    out = h @ w["head"] + w["head_bias"]
    logits = [out[net.N + a : net.N + b] for a, b in zip(net.starts, net.starts[1:], strict=False)]
    return out[: net.N], logits


def nats(logits: np.ndarray, code: int) -> float:
    """-ln p(code)."""
    top = logits.max()
    return float(top + np.log(np.exp(logits - top).sum()) - logits[code])


def row_energies(net: Network, x: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(joint_JF, conditional_F)` of one row."""
    x = np.array([net.place(number, value) for number, value in enumerate(x)])
    F, J = len(net.column), net.config["joint"]
    present = [c[status] == 0 for status in net.config["status"]]
    joint, conditional, times = np.zeros((J, F)), np.zeros(F), np.zeros(F)
    for probe, levels in enumerate(net.w["probes"]):
        raw, logits = forward(net, x, c, levels)
        for f in range(F):
            sigma = levels[net.column[f]]
            if probe < J and f < net.N:
                denoised = x[f] / (sigma**2 + 1) + sigma / np.sqrt(sigma**2 + 1) * raw[f]
                joint[probe, f] = ((denoised - x[f]) / sigma) ** 2 if present[f] else 0.0
            elif probe < J:
                joint[probe, f] = nats(logits[f - net.N], c[f - net.N])
            elif sigma < 0:
                times[f] += 1
                if f >= net.N:
                    conditional[f] += nats(logits[f - net.N], c[f - net.N])
                elif present[f]:
                    variance = net.w["hidden_variance"][f]
                    conditional[f] += 0.5 * ((x[f] - raw[f]) ** 2 / variance + np.log(variance))
    return joint, conditional / times


def energies(config: str, weights: bytes, x: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(joint_BJF, conditional_BF)` of rows."""
    net = Network(config, weights)
    rows = [row_energies(net, *row) for row in zip(x, c, strict=True)]
    return np.stack([joint for joint, _ in rows]), np.stack([conditional for _, conditional in rows])


def expected(config: str, weights: bytes, x: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Value of each number's mean on the scale and distribution of each category, by the probes that hide them."""
    net = Network(config, weights)
    x = np.array([net.place(number, value) for number, value in enumerate(x)])
    hidden = list(net.w["probes"][net.config["joint"] :])
    answers = [forward(net, x, c, levels) for levels in hidden]

    def mean_over(feature: int, values: list[np.ndarray]) -> np.ndarray:
        return np.mean([v for v, levels in zip(values, hidden, strict=True) if levels[net.column[feature]] < 0], axis=0)

    means = np.array([net.value(n, float(mean_over(n, [raw[n] for raw, _ in answers]))) for n in range(net.N)])
    shares = []
    for category in range(len(net.sizes)):
        of_probe = [np.exp(logits[category] - nats(logits[category], 0) - logits[category][0]) for _, logits in answers]
        shares.append(mean_over(net.N + category, of_probe))
    return means, shares

"""A peer on a table, with dpmm installed: `python private_peers.py BOUNDS TRAIN OUT EPSILON DELTA METHOD MB SEED`.

Pipelines as dpmm offers them: PrivTree bins for 0.1 of epsilon, the rest for the model. AIM fits thousands of small
arrays; `faster` does that without names, and floats are added in another order at most.
"""

import json
import sys
import warnings
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
import pandas as pd

SHORT = 64
"""Cells along an axis that are taken one after another."""


def main() -> None:
    """Fit and write as many rows as the table has."""
    warnings.simplefilter("ignore")
    from dpmm.pipelines import AIMPipeline, MSTPipeline

    faster()
    bounds, train, out, epsilon, delta, method, most, seed = sys.argv[1:]
    with open(bounds) as file:
        schema = json.load(file)["columns"]
    rows = pd.read_csv(train, keep_default_na=False, na_values=[""])
    domain = {}
    for name, facts in schema.items():
        if facts["kind"] == "number":
            domain[name] = {"lower": facts["lower"], "upper": facts["upper"]}
        else:
            rows[name] = rows[name].astype(object).where(rows[name].notna(), None).astype("category")
            domain[name] = {"categories": facts["values"]}
    kind = {"mst": MSTPipeline, "aim": AIMPipeline}[method]
    size = int(most) if most else None
    pipeline = kind(epsilon=float(epsilon) - 0.1, proc_epsilon=0.1, delta=float(delta), n_jobs=1, max_model_size=size)
    pipeline.fit(rows, domain=domain, random_state=int(seed))
    pipeline.generate(n_records=len(rows), random_state=int(seed)).to_csv(out, index=False)


def faster() -> None:
    """Let AIM descend on plain arrays: dpmm spends nearly all its time on the names of axes."""
    from dpmm.models.base.mbi import factor, inference

    factor.logsumexp = _logsumexp_of_axes
    inference.FactoredInference.mirror_descent = _mirror_descent


def _mirror_descent(self: Any, measurements: Any, total: Any = None, **_options: Any) -> float:
    """`FactoredInference.mirror_descent` with its line search, step for step; every number is finite."""
    from dpmm.models.base.mbi import CliqueVector

    self._setup(measurements, total)
    model = self.model
    tree = _Tree(model, self.groups)
    theta = [model.potentials[clique].values for clique in model.cliques]
    mu = tree.marginals(theta)
    loss, gradient = tree.loss(mu)
    alpha = 1.0 / model.total**2
    for _ in range(self.iters if loss else 0):
        omega, nu, last, slope = theta, mu, loss, gradient
        alpha *= 2.0
        for _ in range(25):
            theta = [one - alpha * other for one, other in zip(omega, slope, strict=True)]
            mu = tree.marginals(theta)
            loss, gradient = tree.loss(mu)
            parts = zip(slope, nu, mu, strict=True)
            if last - loss >= 0.5 * alpha * sum((one * (old - new)).sum() for one, old, new in parts):
                break
            alpha *= 0.5
    factors = [model.potentials[clique] for clique in model.cliques]
    model.potentials, model.marginals = (
        CliqueVector({
            clique: type(was)(was.domain, values)
            for clique, was, values in zip(model.cliques, factors, found, strict=True)
        })
        for found in (theta, mu)
    )  # fmt: skip
    return loss


class _Tree:
    """The cliques of a graphical model and what was measured of them, with axes in place of names."""

    def __init__(self, model: Any, groups: Any) -> None:
        self.log_total = np.log(model.total)
        place = {clique: at for at, clique in enumerate(model.cliques)}
        size = model.domain.config
        self.messages = []
        for i, j in model.message_order:
            shared = [name for name in i if name in j]
            self.messages.append((place[i], place[j], _Reduction(i, shared, size), *_stretch(shared, j, size)))
        self.measured = []
        for clique in model.cliques:
            found = []
            for matrix, answer, noise, names in groups[clique]:
                kept = [name for name in clique if name in names]
                order = tuple(map(kept.index, names))
                plain = type(matrix).__name__ == "Identity"
                pair = None if plain else (matrix, matrix.T)
                shape = tuple(size[name] for name in names)
                found.append(
                    (
                        _Reduction(clique, names, size),
                        order,
                        pair,
                        answer,
                        1.0 / noise,
                        shape,
                        _stretch(names, clique, size),
                    )
                )
            self.measured.append(found)

    def marginals(self, potentials: list[Any]) -> list[Any]:
        """Belief propagation."""
        beliefs = [values.copy() for values in potentials]
        sent: dict[tuple[int, int], Any] = {}
        for i, j, over, order, shape in self.messages:
            back = sent.get((j, i))
            message = _logsumexp(beliefs[i] if back is None else beliefs[i] - back, over)
            sent[i, j] = message.transpose(order).reshape(shape)
            beliefs[j] += sent[i, j]
        scale = self.log_total - _logsumexp_of_axes(beliefs[0])
        for belief in beliefs:
            belief += scale
            np.exp(belief, out=belief)
        return beliefs

    def loss(self, marginals: list[Any]) -> tuple[float, list[Any]]:
        """Half the squared error of what was measured, and its gradient by the marginals."""
        loss, gradients = 0.0, []
        for values, measured in zip(marginals, self.measured, strict=True):
            gradient = np.zeros(values.shape)
            for over, order, pair, answer, c, shape, (back, stretched) in measured:
                x = over(np.add, values).transpose(order).flatten()
                difference = c * ((x if pair is None else pair[0] @ x) - answer)
                loss += 0.5 * (difference @ difference)
                slope = c * (difference if pair is None else pair[1] @ difference)
                gradient += slope.reshape(shape).transpose(back).reshape(stretched)
            gradients.append(gradient)
        return float(loss), gradients


class _Reduction:
    """A reduction over the axes of a clique that go when some names are kept, one run of axes after another.

    numpy takes ten times as long over a short last axis, or over several that do not touch.
    """

    def __init__(self, clique: Any, kept: Any, size: Any) -> None:
        runs = [
            (goes, [size[name] for name in names]) for goes, names in groupby(clique, lambda name: name not in kept)
        ]
        self.shape = tuple(prod(sizes) for _, sizes in runs)
        self.axes = [at - done for done, at in enumerate(at for at, (goes, _) in enumerate(runs) if goes)]
        self.left = tuple(one for goes, sizes in runs if not goes for one in sizes)
        self.within = tuple(one if not goes else 1 for goes, sizes in runs for one in sizes)

    def __call__(self, operation: np.ufunc, values: np.ndarray) -> np.ndarray:
        values = values.reshape(self.shape)
        for axis in self.axes:
            if axis == values.ndim - 1 and values.shape[axis] <= SHORT:
                found = values[..., 0].copy()
                for place in range(1, values.shape[axis]):
                    operation(found, values[..., place], out=found)
                values = found
            else:
                values = operation.reduce(values, axis=axis)
        return values.reshape(self.left)


def _stretch(names: Any, clique: Any, size: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How an array over some names is turned and shaped to be added to one over a clique."""
    order = tuple(names.index(name) for name in clique if name in names)
    return order, tuple(size[name] if name in names else 1 for name in clique)


def _logsumexp_of_axes(values: np.ndarray, axis: Any = None) -> Any:
    """scipy 1.17 asks long what it was given."""
    top = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - top).sum(axis=axis)) + np.squeeze(top, axis=axis)


def _logsumexp(values: np.ndarray, over: _Reduction) -> np.ndarray:
    top = over(np.maximum, values)
    return np.log(over(np.add, np.exp(values - top.reshape(over.within)))) + top


if __name__ == "__main__":
    main()

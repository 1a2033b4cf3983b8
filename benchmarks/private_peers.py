"""A peer on a table, with dpmm installed: `python private_peers.py BOUNDS TRAIN OUT EPSILON DELTA METHOD SEED`.

Pipelines as dpmm offers them: PrivTree bins for 0.1 of epsilon, the rest for the model. AIM fits thousands of small
arrays; `faster` leaves out what is done again for each of them, and the rows stay the same.
"""

import json
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd


def main() -> None:
    """Fit and write as many rows as the table has."""
    warnings.simplefilter("ignore")
    from dpmm.pipelines import AIMPipeline, MSTPipeline

    faster()
    bounds, train, out, epsilon, delta, method, seed = sys.argv[1:]
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
    pipeline = kind(epsilon=float(epsilon) - 0.1, proc_epsilon=0.1, delta=float(delta), n_jobs=1)
    pipeline.fit(rows, domain=domain, random_state=int(seed))
    pipeline.generate(n_records=len(rows), random_state=int(seed)).to_csv(out, index=False)


def faster() -> None:
    """Sums of exponentials by numpy (scipy 1.17 asks long what it was given), factors that have their domain already
    are not expanded, and matrices are transposed once."""
    from dpmm.models.base.mbi import factor, inference

    expand, setup = factor.Factor.expand, inference.FactoredInference._setup

    def expanded(self: Any, domain: Any) -> Any:
        return self if self.domain.attrs == domain.attrs else expand(self, domain)

    def set_up(self: Any, *given: Any) -> None:
        setup(self, *given)
        for clique, measured in self.groups.items():
            self.groups[clique] = [(_Transposed(matrix), *rest) for matrix, *rest in measured]

    factor.logsumexp = _logsumexp
    factor.Factor.expand = expanded
    inference.FactoredInference._setup = set_up


class _Transposed:
    """A matrix with its transpose."""

    def __init__(self, matrix: Any) -> None:
        self.matrix, self.T = matrix, matrix.T

    def __matmul__(self, other: Any) -> Any:
        return self.matrix @ other


def _logsumexp(values: Any, axis: Any = None) -> Any:
    top = np.max(values, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(values - top), axis=axis)) + np.squeeze(top, axis=axis)


if __name__ == "__main__":
    main()

"""A peer on a table, with dpmm installed: `python private_peers.py BOUNDS TRAIN OUT EPSILON DELTA METHOD SEED`.

Pipelines as dpmm offers them: PrivTree bins for 0.1 of epsilon, the rest for the model. AIM calls `logsumexp` on small
arrays for a third of its time, most of which scipy 1.17 spends on asking what it was given: here it is numpy's.
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
    from dpmm.models.base.mbi import factor
    from dpmm.pipelines import AIMPipeline, MSTPipeline

    factor.logsumexp = _logsumexp
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


def _logsumexp(values: Any, axis: Any = None) -> Any:
    top = np.max(values, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(values - top), axis=axis)) + np.squeeze(top, axis=axis)


if __name__ == "__main__":
    main()

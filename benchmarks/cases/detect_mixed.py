"""detect-mixed: raw tables with label `is_anomaly`; anomaly rates above 25 % are thinned to 5 %."""

import argparse

from benchmarks import data
from benchmarks.detection import Plan, add_arguments, run_plan
from benchmarks.detectors import DEEP, MIXED_DEEP, MIXED_ONLY, OURS, SHALLOW

__all__ = ["add_arguments", "main"]

PLAN = Plan(
    case="detect-mixed",
    sets=data.mixed_sets,
    quick_sets=data.QUICK_MIXED,
    methods=(*OURS, *SHALLOW, *MIXED_ONLY, *DEEP, *MIXED_DEEP),
    quick_methods=("tabad-fast", "tabad", "kNN", "kNN-Gower", "IsolationForest", "ECOD", "HBOS", "PCA", "DTE-NP"),
    thinned=True,
)


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    return run_plan(PLAN, options)

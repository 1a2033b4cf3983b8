"""detect-numeric: the numeric sets, clean and contaminated, seeds 0-4, all peers in the same run."""

import argparse

from benchmarks import data
from benchmarks.detection import Plan, add_arguments, run_plan
from benchmarks.detectors import DEEP, OURS, SHALLOW

__all__ = ["add_arguments", "main"]

PLAN = Plan(
    case="detect-numeric",
    sets=data.numeric_sets,
    quick_sets=data.QUICK_NUMERIC,
    methods=(*OURS, *SHALLOW, *DEEP),
    quick_methods=("tabad-fast", "tabad", *SHALLOW),
    thinned=False,
)


def main(options: argparse.Namespace) -> int:
    """Run the case."""
    return run_plan(PLAN, options)

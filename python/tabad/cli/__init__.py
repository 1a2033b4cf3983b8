"""The command line: options -> one call of the api -> what a person or a program reads -> exit code.

Data goes to stdout, words to stderr. Exit codes: 0 fine, 1 the no that was asked for, 2 usage, 3 input,
4 model file, 5 bug, 6 cannot write, 130 interrupted. Nothing else in tabad imports this package.
"""

import gc
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    # pyarrow imports numpy where it is installed, whose OpenBLAS starts threads that spin and have nothing to do here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A stream of batches frees what it allocated. malloc hands it out again, where Arrow's mimalloc keeps 70 MB more.
    if sys.platform == "linux":
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Imports make many objects and no garbage: collections among them, and the last one, were a seventh of a short run.
    gc.set_threshold(1_000_000)
    from tabad.cli.run import run

    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)

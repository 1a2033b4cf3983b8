"""`python -m benchmarks CASE [--quick]` and `python -m benchmarks study`: the command line of the benchmarks."""

import argparse
import sys

from benchmarks import study


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="case", required=True, metavar="CASE")
    study.add_arguments(commands.add_parser("study", help="tabad beside two peers on chosen sets, fast"))
    options = parser.parse_args(arguments)
    return study.main(options)


if __name__ == "__main__":
    sys.exit(main())

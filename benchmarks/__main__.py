"""`python -m benchmarks CASE [--quick]`: compare tabad with its peers. `study`: tabad and two peers on chosen sets."""

import argparse
import importlib
import sys

from benchmarks.cases import BUILT


def main(arguments: list[str] | None = None) -> int:
    """Run a case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="case", required=True, metavar="CASE")
    modules = {"study": importlib.import_module("benchmarks.study")}
    for name in BUILT:
        modules[name] = importlib.import_module(f"benchmarks.cases.{name.replace('-', '_')}")
    help_of = {"study": "tabad beside two peers on chosen sets, in a minute; writes no result", **BUILT}
    for name, module in modules.items():
        aliases = [name.replace("-", "_")] if "-" in name else []
        module.add_arguments(commands.add_parser(name, aliases=aliases, help=help_of[name], description=module.__doc__))
    options = parser.parse_args(arguments)
    case = options.case.replace("_", "-")
    code: int = modules[case].main(options)
    return code


if __name__ == "__main__":
    sys.exit(main())

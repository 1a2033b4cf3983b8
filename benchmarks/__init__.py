"""How tabad is measured: `python -m benchmarks CASE [--quick]`. Not part of the package that users install."""

"""The cases of the benchmark, one file each: `add_arguments(parser)` and `main(options) -> exit code`."""

BUILT = {
    "detect-numeric": "tables of numbers, clean and contaminated, against all peers",
    "detect-mixed": "raw tables with strings, missing values, dates, ids, against all peers",
    "fraud-time": "card transactions by day, without labels and with 50, against a forest and boosting",
    "feedback": "10 to 100 known anomalies: what they gain, table by table",
    "reasons": "single-cell faults: is the faulty column the first reason",
    "cells": "dirty tables with known wrong cells, screened, against rules for single columns",
    "encode": "rows/s of the encoding alone, Arrow table in, block out",
    "score": "rows/s and peak memory from parquet to scored parquet, whole processes",
    "fit": "seconds to a fitted model, and to the AUROC of a DDPM-style loop",
    "startup": "wall time of --help, of import, of scoring 1,000 rows",
    "synthesis": "rare classes with few positives, train on synthetic, fidelity, rows/s",
    "memory": "peak memory of scoring 1 M to 50 M rows",
    "private": "private generators: train on synthetic, test on real, beside MST and AIM",
    "privacy": "audit of synthetic tables: fresh, copied, learned by heart, generated; search of nearest records",
}

"""Catalogue names that the golden messages cannot show, and where they are shown."""

ELSEWHERE = {
    "error": "the base class alone",
    "usage": "the base class alone",
    "input": "the base class alone",
    "refused": "the base class alone",
    "max-flagged": "tests/e2e/test_cli.py",
    "interrupted": "Ctrl-C: tests/e2e/test_cli.py",
    "class-without-label": "needs a network: tests/unit/test_generate.py",
    "class-unknown": "needs a network: tests/unit/test_generate.py",
    "where-order": "needs a network: tests/unit/test_generate.py",
    "where-rare": "needs a network: tests/unit/test_generate.py",
    "impute-column": "needs a network: tests/unit/test_impute.py",
    "anomaly-column": "needs a network: tests/unit/test_anomalies.py",
    "anomaly-columns": "needs a network: tests/unit/test_anomalies.py",
    "anomalies-without-rows": "needs a network: tests/unit/test_anomalies.py",
    "where-column": "needs a network: tests/unit/test_generate.py",
    "where-value": "needs a network: tests/unit/test_generate.py",
    "stream-failed": "another library's own message",
    "table-unreadable": "pyarrow's own message: tests/unit/test_tables.py",
    "cannot-write": "the system's own message: tests/unit/test_tables.py",
}

"""The SQL door: after `register(con, model)`, `SELECT *, tabad_score(t) FROM payments t` on any table, view or CTE.

How it is built, and why so:

- One Python function takes one STRUCT and returns STRUCT(score, p_value, flag, reasons). It is created with
  `parameters=None`, which DuckDB 2.0 binds as ANY: decimals, zoned timestamps and enums arrive as the Arrow type
  of what they are, uncast. A declared STRUCT type would cast them.
- Macros pick the model's columns by name from `t` and take one field each: any column order, any further columns.
  Several of them in one SELECT are computed once, because the inner call is the same expression.
- `null_handling="special"` is mandatory: the default never calls the function for a row holding a NULL.
- The function sees at most 2,048 rows a call; a score depends on the row only, so that changes nothing.

Traps that remain DuckDB's: a column named like the alias of the table wins over the table; a column that the
model needs and the table lacks fails in the binder ("Could not find key"). Rows are flagged by a level (or by the
model's own rule), never by a share of the table: a row function does not see the whole table.
"""

import contextlib
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tabad._lazy import need
from tabad.api import as_model
from tabad.config import Decision, Explain, ScoreOptions, Scorer
from tabad.errors import UsageError
from tabad.key_file import KeySource

if TYPE_CHECKING:
    from tabad.model import Model

__all__ = ["FIELDS", "register"]

FIELDS = ("score", "p_value", "flag", "reasons")
"""What can be asked of a row; each is a macro NAME_FIELD(t)."""

_REASON = 'STRUCT("column" VARCHAR, seen VARCHAR, expected VARCHAR, share FLOAT)'
_RETURNS = f"STRUCT(score DOUBLE, p_value DOUBLE, flag BOOLEAN, reasons {_REASON}[])"


def register(
    con: Any,
    model: Any,
    name: str = "tabad",
    *,
    level: float | None = None,
    explain: Explain = "flagged",
    scorer: Scorer | None = None,
    key: KeySource | None = None,
    threads: int = 0,
) -> None:
    """Give a connection the macros `NAME_score(t)`, `NAME_p_value(t)`, `NAME_flag(t)` and `NAME_reasons(t)`.

    `model`: a Model or the path of one. `level`: flag p-values up to it, instead of by the model's own rule. `scorer`,
    `key`: as in `tabad.score`; a redacted model needs the key file that it was redacted with.
    A second call with the same name replaces the first. A cursor and another connection to the same database are given
    their own. Raises `UsageError` for a name that SQL cannot use.

    >>> tabad.duckdb.register(con, "payments.tabad")  # doctest: +SKIP
    >>> con.sql("SELECT *, tabad_score(t) FROM payments t ORDER BY tabad_score(t) DESC")  # doctest: +SKIP
    """
    engine = need("duckdb", extra="duckdb", purpose="register a model with it")
    need("numpy", extra="duckdb", purpose="run DuckDB functions written in Python")
    if not (name.isascii() and name.isidentifier()):
        raise UsageError(
            f"{name!r} cannot be the name of SQL functions", name="sql-name", hint="use letters, digits and underscores"
        )
    fitted = as_model(model, scorer, key)
    options = ScoreOptions(Decision(level), explain=explain, threads=threads)
    function = _create(con, f"{name}_row", _row_function(fitted, options), engine)
    columns = [
        column["name"] for column in fitted.manifest["columns"] if column["kind"] not in ("id", "ignored", "label")
    ]
    packed = ", ".join(f"{_quoted(column)} := t.{_quoted(column)}" for column in columns)
    for field in FIELDS:
        con.execute(f"CREATE OR REPLACE TEMP MACRO {name}_{field}(t) AS {function}(struct_pack({packed})).{field}")


def _create(con: Any, name: str, function: Any, engine: Any) -> str:
    """The name under which the function is there now: of a cursor or a second connection it may not be the first.

    A function belongs to the database, the macros that call it to the connection; and only the connection that made a
    function can remove it.
    """
    for attempt in count():
        numbered = f"{name}_{attempt}" if attempt else name
        with contextlib.suppress(engine.InvalidInputException, engine.CatalogException):  # not registered so far
            con.remove_function(numbered)
        try:
            con.create_function(numbered, function, None, _RETURNS, type="arrow", null_handling="special")
        except engine.CatalogException:
            continue
        return numbered
    raise AssertionError("numbers do not end")


def _row_function(model: "Model", options: ScoreOptions) -> Any:
    level = options.decision.level
    rule = {} if level is None else {"level": level}

    # No annotations: DuckDB would read them as the types of the function.
    def score_rows(rows):  # type: ignore[no-untyped-def]
        struct = rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
        if isinstance(struct, pa.ChunkedArray):
            struct = pa.concat_arrays(struct.chunks)
        scored = model.run_rows(pa.RecordBatch.from_struct_array(struct), options, rule)
        return pa.StructArray.from_arrays([column.combine_chunks() for column in scored.columns], names=list(FIELDS))

    return score_rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

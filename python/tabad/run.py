"""One scoring of one table: the decision, the two passes it may need, the stream and its summary."""

# ruff: noqa: A002  (`format` is what everyone calls it)
import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tabad import _core, tables
from tabad.config import Decision, ScoreOptions
from tabad.drift import drift_facts, drift_notes, unreached
from tabad.errors import InputError, UsageError
from tabad.tables import Table

if TYPE_CHECKING:
    from tabad.model import Model

__all__ = ["Run", "benjamini_hochberg", "check_decision"]


class Run:
    """One scoring of one table: what a table answers with, and its summary once the stream has been read."""

    def __init__(self, model: "Model", table: Table, options: ScoreOptions) -> None:
        self.model = model
        self.table = table
        self.options = options
        self.notes: list[str] = []
        self._rule: dict[str, Any] | None = None
        self._drift: dict[str, Any] | None = None
        self._scored: _core.ScoreStream | None = None
        facts = model.manifest
        self._calibration: str = facts["calibration"]
        self._calibration_rows: int = facts["calibration_rows"]
        self._own_level: float = facts["level_ppm"] / 1e6
        self._needed = [c["name"] for c in facts["columns"] if c["kind"] not in ("id", "ignored", "label")]
        check_decision(options.decision, self._calibration)
        if options.drift:
            model._core.check_drift()
        else:
            self._note_level(options.decision.level)

    def stream(self, *, append: bool) -> pa.RecordBatchReader:
        """The table's rows with the four columns, or these alone, as they are scored."""
        rule = self.rule()
        reader = self.table.open(types=self.model.schema, marking=True)
        if not append:
            tables.check_taken(reader.schema, self.options.columns)
        return self._score(reader, append, rule)

    def batch(self, rows: Any) -> pa.Table:
        """The four columns for any rows."""
        tables.check_taken(pa.RecordBatchReader.from_stream(rows).schema, self.options.columns)
        return self.model.run_rows(self.table.with_marks(rows), self.options, self.rule())

    def read(self) -> None:
        """Score every row for the summary alone, reading no column that the model does not use."""

        def action() -> None:
            for _ in self._added():
                pass

        self.table.reread(action)

    def write(self, destination: str, format: str | None = None) -> int:
        """Write the scored table, whole or not at all; returns the number of rows."""
        tables.check_destination(destination, format)

        def action() -> int:
            # A parquet table's own columns need not be read, where the model does not use them, nor encoded again.
            _, p_value, _, _ = self.options.columns
            rows = tables.write_joined(self.table, self._beside, destination, format, repeated=[p_value])
            if rows is not None:
                return rows
            return tables.write(self.stream(append=True), destination, format, whole=self.table.may_retype)

        rows: int = self.table.reread(action)
        return rows

    def _beside(self, schema: pa.Schema) -> pa.RecordBatchReader:
        tables.check_taken(schema, self.options.columns)
        return self._added()

    def _added(self) -> pa.RecordBatchReader:
        """The four columns alone, reading no column that the model does not use."""
        rule = self.rule()
        return self._score(self._opened(), False, rule)

    def _opened(self) -> pa.RecordBatchReader:
        return self.table.open(columns=self._needed, types=self.model.schema, marking=True)

    def summary(self) -> dict[str, Any]:
        """What was scored: rows, flagged, the rule, and the oddest rows with their reasons."""
        assert self._scored is not None, "a summary is of a stream that was read"  # noqa: S101
        facts: dict[str, Any] = json.loads(self._scored.summary())
        decision = self.options.decision
        asked = {"fdr": decision.fdr, "top": decision.top}
        return {**facts, **asked, "calibration": self._calibration, "drift": self._drift}

    def rule(self) -> dict[str, Any]:
        """The arguments by which the core flags rows; reads the whole table once where the decision needs it."""
        if self._rule is None:
            self._rule = self._find_rule()
        return self._rule

    def _score(self, reader: pa.RecordBatchReader, append: bool, rule: dict[str, Any]) -> pa.RecordBatchReader:
        o = self.options
        self._scored = self.model._core.score(
            reader,
            append=append,
            explain=o.explain,
            reasons=o.reasons,
            prefix=o.prefix,
            oddest=o.oddest,
            threads=o.threads,
            level=rule.get("level"),
            threshold=rule.get("threshold"),
            strata=rule.get("strata"),
            levels=rule.get("levels"),
        )
        scored = pa.RecordBatchReader.from_stream(self._scored)

        def batches() -> Any:
            try:
                yield from scored
            except (pa.ArrowException, OSError) as error:
                # Across the C interface an exception becomes a text; the table kept the exception.
                failure = self.table.failure or (self._scored.failure() if self._scored is not None else None)
                raise failure or InputError(str(error), name="stream-failed") from error

        return pa.RecordBatchReader.from_batches(scored.schema, batches())

    def _find_rule(self) -> dict[str, Any]:
        decision = self.options.decision
        if self.options.drift:
            return self._weighed(self.table.reread(self._survey))
        if decision.level is not None:
            return {"level": decision.level}
        if not decision.whole_table:
            return {}
        found = self.table.reread(self._survey)
        if decision.top is not None:
            threshold = found["threshold"]
            return {"level": 0.0} if threshold is None else {"threshold": threshold}
        fdr = decision.fdr or 0.0
        level = benjamini_hochberg(found["p_values"], fdr)
        if level == 0.0 and found["rows"]:
            self.notes.append(self._unreachable(found["p_values"], found["rows"], fdr))
        return {"level": level}

    def _weighed(self, found: dict[str, Any]) -> dict[str, Any]:
        decision, drift, n = self.options.decision, found["drift"], self._calibration_rows
        self._drift = drift_facts(drift, n)
        rule = {"strata": drift["rows"]}
        if decision.top is not None:
            threshold = found["threshold"]
            return {**rule, "level": 0.0} if threshold is None else {**rule, "threshold": threshold}
        if decision.fdr is not None:
            levels = drift["selection"]["levels"]
            if not any(levels) and found["rows"]:
                self.notes.append(unreached(drift, decision.fdr, found["rows"], n))
            return {**rule, "level": max(levels), "levels": levels}
        self.notes += drift_notes(drift, decision.level, self._own_level, n)
        return {**rule, "level": drift["level"] if decision.level is None else decision.level}

    def _survey(self) -> dict[str, Any]:
        reader = self._opened()
        o = self.options
        top = o.decision.top or 0
        text = self.model._core.survey(reader, top=top, drift=o.drift, fdr=o.decision.fdr, threads=o.threads)
        found: dict[str, Any] = json.loads(text)
        return found

    def _unreachable(self, p_values: list[tuple[float, int]], rows: int, fdr: float) -> str:
        n = self._calibration_rows
        # With groups no p-value is as small as that of all calibration rows together.
        reached = sum(count for p, count in p_values if p <= 1 / (1 + n))
        needed = math.ceil(rows / ((n + 1) * fdr) - 1e-9)  # rows at p = 1/(1+n) that bring the rate down to fdr
        start = f"nothing is flagged: a false discovery rate of {fdr:g} among {rows:,} rows"
        if needed > rows:
            return f"{start} cannot be reached with {n:,} calibration rows"
        return (
            f"{start} with {n:,} calibration rows needs {needed:,} rows odder than every calibration row, "
            f"and there are {reached:,}"
        )

    def _note_level(self, level: float | None) -> None:
        n = self._calibration_rows
        if level is not None and level < 1 / (1 + n):
            self.notes.append(
                f"nothing can be flagged at level {level:g}: with {n:,} calibration rows "
                f"the smallest p-value is {1 / (1 + n):.2g}"
            )


def check_decision(decision: Decision, calibration: str) -> None:
    """Raise `UsageError` for a false discovery rate where the p-values are rank shares of the table itself."""
    if decision.fdr is not None and calibration == "self":
        raise UsageError(
            "a false discovery rate needs p-values from rows that took no part in the fit, and here none were held out "
            "(the table is screened against itself, or the model was fitted to all rows)",
            name="fdr-without-calibration",
            hint="fit a model on other rows first (tabad fit OTHER -o m.tabad), or use --top or --level",
        )


def benjamini_hochberg(p_values: list[tuple[float, int]], fdr: float) -> float:
    """The largest p-value of a row, `p`, with `p * rows / #{p_i <= p} <= fdr`, or 0.0 where there is none.

    `p_values`: the p-values that rows have, ascending, each with its number of rows (Benjamini and Hochberg 1995,
    procedure (1)).
    """
    rows, below, level = sum(count for _, count in p_values), 0, 0.0
    for p, count in p_values:
        below += count
        if p * rows <= fdr * below:
            level = p
    return level

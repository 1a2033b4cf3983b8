"""What an audit answers: a verdict per attack, the figures behind it, and whether all of them pass."""

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["ALARM", "INFORMATIVE", "PASS", "TOO_FEW", "Audit", "Figure", "Finding", "Verdict"]

Verdict = Literal["pass", "alarm", "too few rows to tell", "informative"]
PASS: Verdict = "pass"  # noqa: S105
ALARM: Verdict = "alarm"
TOO_FEW: Verdict = "too few rows to tell"
INFORMATIVE: Verdict = "informative"


@dataclass(frozen=True)
class Figure:
    """One number with its 95 % interval; `low` and `high` are None where there is no interval to give."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Finding:
    """One attack on one group of rows: the whole table, or one class of it.

    `p_value`: how often training rows would look this exposed if the synthetic table knew no more of them than of the
    held-out rows, corrected for the looks within the attack; an alarm is `p_value <= level`. None where an attack
    gives no verdict or was not run.
    """

    attack: str
    group: str
    verdict: Verdict
    p_value: float | None
    level: float | None
    figures: tuple[Figure, ...] = ()

    def figure(self, name: str) -> Figure:
        """The figure of that name. Raises `KeyError`."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)


@dataclass(frozen=True)
class Audit:
    """The outcome of `tabad.audit`. `passed`: attacks could tell, and none raised an alarm."""

    findings: tuple[Finding, ...]
    rows: dict[str, int]
    """Rows of the three tables."""
    used: dict[str, int]
    """Rows of each that the attacks looked at; copies are looked for in all."""
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    """Columns that name rows, and those that were to be ignored."""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True when no attack raised an alarm, and some had rows enough to tell."""
        return not self.alarms and any(finding.verdict == PASS for finding in self.findings)

    @property
    def untold(self) -> tuple[Finding, ...]:
        """The findings that had too few rows."""
        return tuple(finding for finding in self.findings if finding.verdict == TOO_FEW)

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The findings that are alarms."""
        return tuple(finding for finding in self.findings if finding.verdict == ALARM)

    def finding(self, attack: str, group: str = "all rows") -> Finding:
        """What one attack found. Raises `KeyError`."""
        for finding in self.findings:
            if (finding.attack, finding.group) == (attack, group):
                return finding
        raise KeyError((attack, group))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "passed": self.passed,
            "rows": self.rows,
            "used": self.used,
            "columns": list(self.columns),
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "findings": [
                {
                    "attack": finding.attack,
                    "group": finding.group,
                    "verdict": finding.verdict,
                    "p_value": finding.p_value,
                    "level": finding.level,
                    "figures": {
                        figure.name: {"value": figure.value, "low": figure.low, "high": figure.high}
                        for figure in finding.figures
                    },
                }
                for finding in self.findings
            ],
        }

"""How far a table's mix of rows has drifted since the fit: facts for the summary, and what the caller should hear."""

from typing import Any

from tabad.errors import UsageError

__all__ = ["check_drift", "drift_facts", "drift_notes", "unreached"]


def drift_facts(drift: dict[str, Any], calibration_rows: int) -> dict[str, Any]:
    """`{"strata", "distance", "effective_rows", "calibration_rows"}` of what a survey found.

    `distance`: total variation distance, 0 to 1, between the shares of the strata in the table and among calibration
    rows. `effective_rows`: so many equally weighed calibration rows would say as much.
    """
    return {
        "strata": len(drift["rows"]),
        "distance": drift["distance"],
        "effective_rows": drift["effective_rows"],
        "calibration_rows": calibration_rows,
    }


def drift_notes(drift: dict[str, Any], level: float | None, own: float, calibration_rows: int) -> list[str]:
    """What cannot be flagged at `level`, or how far the level that was not given is above the model's `own`."""
    count = _count(drift, calibration_rows)
    if level is None:
        # Shares of strata differ by chance, too: one of 50 calibration rows by less than half.
        if drift["level"] <= 2 * own:
            return []
        return [
            f"the table has drifted so far that {count}: rows are flagged at p-values up to {drift['level']:.2g}, "
            f"where the model's own level is {own:.2g}"
        ]
    reached = [(smallest, rows) for smallest, rows in zip(drift["smallest"], drift["rows"], strict=True) if rows]
    blind = [(smallest, rows) for smallest, rows in reached if smallest > level]
    if not blind:
        return []
    smallest = f"{min(blind)[0]:.2g}"
    if len(blind) == len(reached):
        return [
            f"nothing can be flagged at level {level:g}: the table has drifted so far that {count}, "
            f"and the smallest p-value is {smallest}"
        ]
    share = sum(rows for _, rows in blind) / sum(drift["rows"])
    return [
        f"{share:.0%} of the rows cannot be flagged at level {level:g}: too few calibration rows are like them, "
        f"and their smallest p-value is {smallest}"
    ]


def unreached(drift: dict[str, Any], fdr: float, rows: int, calibration_rows: int) -> str:
    """Why no row was selected at a false discovery rate."""
    passed = drift["selection"]["passed"]
    if passed:
        return (
            f"nothing is flagged: {passed:,} of {rows:,} rows would pass at a false discovery rate of {fdr:g}, but "
            f"strata differ in how many they need, and the pruning that keeps the rate left none: a higher rate may"
        )
    return (
        f"nothing is flagged: too few of {rows:,} rows are odd enough for a false discovery rate of {fdr:g}, "
        f"where {_count(drift, calibration_rows)}"
    )


def _count(drift: dict[str, Any], calibration_rows: int) -> str:
    return f"{calibration_rows:,} calibration rows count as {drift['effective_rows']:,.0f}"


def check_drift(drift: bool, calibration: str) -> None:
    """Raise `UsageError` for a drift of a table that is screened against itself: of what would it have drifted away?"""
    if drift and calibration == "self":
        raise UsageError(
            "drift is told against the rows of a fit, and here the table is screened against itself",
            name="drift-unfit",
            hint="fit a model on other rows first (tabad fit OTHER -o m.tabad), or leave out --drift",
        )

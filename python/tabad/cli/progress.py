"""Progress bars on stderr, only where a person watches."""

import sys
import time

_NAMES = {"read": "fit", "train": "train", "distil": "distil", "score": "score", "fill": "fill"}
_WIDTH = 20
_EVERY = 0.1


class Bars:
    """One line per stage, redrawn at most ten times a second."""

    def __init__(self) -> None:
        self._stage: str | None = None
        self._drawn = 0.0
        self._last: tuple[str, int, int | None, str] | None = None

    def __call__(self, stage: str, done: int, total: int | None, remark: str) -> None:
        if stage != self._stage:
            self.close()
            self._stage = stage
        self._last = (stage, done, total, remark)
        now = time.monotonic()
        if now - self._drawn >= _EVERY:
            self._drawn = now
            self._draw()

    def _draw(self) -> None:
        if self._last is None:
            return
        stage, done, total, remark = self._last
        unit = {"train": "steps", "distil": "steps", "folds": "folds"}.get(stage, "rows")
        bar = ""
        if total:
            full = min(_WIDTH, _WIDTH * done // total)
            bar = "█" * full + "░" * (_WIDTH - full) + " "
        text = f"  {_NAMES.get(stage, stage):<8} {bar}{done:,} {unit}{'  ' + remark if remark else ''}"
        print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the line of the stage that ends: the summary says it again, for good."""
        if self._last is not None:
            print(f"\r{'':<78}\r", end="", file=sys.stderr, flush=True)
        self._last = None


def for_terminal(as_json: bool) -> Bars | None:
    """Bars where stderr is a terminal and nobody asked for JSON."""
    return Bars() if sys.stderr.isatty() and not as_json else None

"""The progress of a pass: rows per second and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Meter:
    """Calls progress(done, total, what) for rows that are added; total is what is done while their number is not known."""

    progress: Callable[[int, int, str], None]
    what: str
    total: int | None
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, n: int) -> None:
        """Add rows that have been read."""
        self.done += n
        rate = self.done / max(time.monotonic() - self.started, 1e-3)
        left = f", {(self.total - self.done) / rate:.0f} s left" if self.total else ""
        self.progress(
            self.done, self.total or self.done, f"{self.what}: {self.done:,} rows, {rate:,.0f} per second{left}"
        )

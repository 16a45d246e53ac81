"""Time: a budget that is kept, and work that stops when its time is up."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

_CLOSING = 2.0  # seconds: the exhibits, the report and the other files of a run


class TimeUp(BaseException):
    """The time of a piece of work is up. No library that catches Exception catches it."""


@dataclass(frozen=True)
class Clock:
    """Seconds since the start, against a budget; None is all the time in the world."""

    budget: float | None = None
    start: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, budget: float | None, start: float) -> Clock:
        """A clock that leaves of the budget what writing the report takes."""
        return cls(None if budget is None else max(0.7 * budget, budget - _CLOSING), start)

    @property
    def left(self) -> float:
        """Seconds left."""
        return float("inf") if self.budget is None else self.budget - (time.monotonic() - self.start)

    def left_until(self, share: float) -> float:
        """Seconds until a share of the budget is spent."""
        return float("inf") if self.budget is None else self.left - (1 - share) * self.budget

    def deadline(self, share: float) -> float | None:
        """The moment (of the machine's steady clock) at which a share of the budget is spent; None without one."""
        return None if self.budget is None else self.start + share * self.budget


@contextmanager
def time_limit(deadline: float | None):
    """Raise TimeUp in the block when `deadline` (of time.monotonic) has come.

    Signals reach the main thread only: in another one the block is entered while there is time, and runs to its end.
    """
    if deadline is None:
        yield
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeUp
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_):
        raise TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

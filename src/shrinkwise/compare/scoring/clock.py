"""The time budget, and work that stops at a deadline."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

_CLOSING = 2.0  # seconds: the exhibits, the report and the other files of a run


class TimeUp(BaseException):
    """A piece of work reached its deadline. It is not an Exception, so that libraries do not catch it."""


@dataclass(frozen=True)
class Clock:
    """Seconds since the start, compared with a budget; None means no limit."""

    budget: float | None = None
    start: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, budget: float | None, start: float) -> Clock:
        """A clock for the budget minus the time needed to write the report."""
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


_LONGEST = 1e8  # seconds, which is three years: a timer has a largest time
_IMPORTING = 0.05  # seconds after which an import is looked at again


@contextmanager
def time_limit(deadline: float | None):
    """Raise TimeUp in the block when `deadline` (of time.monotonic) is reached.

    An import is finished first, because a half-loaded library (torch) cannot be loaded again. Signals reach only the main
    thread: in another thread the block is entered if there is time left, and runs to its end.
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

    imports = _imports(sys._getframe())

    def stop(_, frame):
        if _imports(frame) <= imports:
            raise TimeUp
        signal.setitimer(signal.ITIMER_REAL, _IMPORTING)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, min(left, _LONGEST))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _imports(frame: FrameType | None) -> int:
    """The number of frames of the import system in a stack."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return count

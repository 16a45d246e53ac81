"""Schedules of λ: a factor for every step. Any callable of the step number (from 0) can be used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ramp:
    """A factor that changes linearly from `low` at step `start` to `high` at step `stop`, constant before and after."""

    start: int
    stop: int
    low: float = 0.0
    high: float = 1.0

    def __call__(self, step: int) -> float:
        """The factor of λ at a step."""
        share = (step - self.start) / max(self.stop - self.start, 1)
        return self.low + (self.high - self.low) * min(max(share, 0.0), 1.0)


def ramp(start: int, stop: int, *, low: float = 0.0, high: float = 1.0) -> Ramp:
    """λ times `low` up to step `start`, times `high` from step `stop` on, and linear in between.

    Parameters
    ----------
    start, stop : int, 0 ≤ start ≤ stop
        Steps of the optimizer.
    low, high : float ≥ 0
        Factors of λ.

    >>> [ramp(2, 4)(step) for step in range(6)]
    [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]
    """
    for name, value in {"start": start, "stop": stop}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"Expected {name} to be a number of steps ≥ 0, got {value!r}")
    if stop < start:
        raise ValueError(f"Expected start ≤ stop, got {start} and {stop}")
    for name, factor in {"low": low, "high": high}.items():
        if not isinstance(factor, (int, float)) or not 0 <= factor < float("inf"):
            raise ValueError(f"Expected {name} to be a factor of λ ≥ 0, got {factor!r}")
    return Ramp(start, stop, float(low), float(high))


def warmup(steps: int) -> Ramp:
    """λ increases linearly from 0 to its full value over the first `steps` steps: ``ramp(0, steps)``.

    >>> [warmup(2)(step) for step in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    return ramp(0, steps)

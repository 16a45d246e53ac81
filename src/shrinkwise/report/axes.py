"""Axes: the position of a value on a chart, and the round numbers of its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .numbers import fixed, number

_STEPS = (1, 2, 2.5, 5, 10)
_LIMITS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Axis:
    """A linear vertical axis from `low` (bottom) to `high` (top)."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Distance of `value` from the top, in percent of the height."""
        return 100 * (self.high - value) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """(percent from the top, label) of at most `most` round values inside the axis."""
        step = _round_up((self.high - self.low) / most, _STEPS)
        decimals = max(0, -math.floor(math.log10(step)) + (1 if _leading(step) == 2.5 else 0))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [k * step for k in range(first, last + 1)]
        plain = decimals <= 5 and max(map(abs, values), default=0) < 1e6
        return [(self.percent(v), fixed(v, decimals) if plain else number(v, 2)) for v in values]


def axis_over(low: float, high: float) -> Axis:
    """An axis that contains [low, high] with a margin; a single value gets room on both sides."""
    air = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    return Axis(low - air, high + air)


def nice_limit(value: float) -> float:
    """The next round number above `value` > 0."""
    return _round_up(value, _LIMITS)


def strength_positions(lambdas: Sequence[float]) -> list[float]:
    """Percent from the left of each λ of a decreasing grid: logarithmic if all are positive, else evenly spaced."""
    last = len(lambdas) - 1
    if last < 1:
        return [50.0] * len(lambdas)
    if min(lambdas) <= 0 or lambdas[0] <= lambdas[-1]:
        return [100 * i / last for i in range(last + 1)]
    span = math.log(lambdas[0] / lambdas[-1])
    return [100 * math.log(lambdas[0] / lam) / span for lam in lambdas]


def strength_ticks(lambdas: Sequence[float]) -> list[tuple[float, str]]:
    """(percent from the left, label) of the round λ inside the grid; a grid that is not logarithmic labels five of its
    own values."""
    positions = strength_positions(lambdas)
    if min(lambdas) <= 0 or lambdas[0] <= lambdas[-1]:
        return [(positions[i], number(lambdas[i], 2)) for i in range(0, len(lambdas), max(1, len(lambdas) // 5))]
    high, low = math.log10(lambdas[0]), math.log10(lambdas[-1])
    mantissas = (1,) if high - low > 3.5 else (1, 3) if high - low > 1 else (1, 2, 3, 5, 7)
    stride = max(1, math.ceil((high - low) / 6))
    exponents = range(math.floor(low), math.ceil(high) + 1, stride)
    values = [(math.log10(m) + e, m * 10.0**e) for e in exponents for m in mantissas]
    return [(100 * (high - at) / (high - low), number(v, 1)) for at, v in values if low <= at <= high]


def spread_apart(wanted: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Positions near `wanted` with at least `gap` between neighbours, within [top, bottom] if there is room."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [min(max(wanted[i], top), bottom) for i in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    limit = bottom
    for k in reversed(range(len(placed))):
        placed[k] = min(placed[k], limit)
        limit = placed[k] - gap
    result = [0.0] * len(wanted)
    for k, i in enumerate(order):
        result[i] = placed[k]
    return result


def label_room(labels: Iterable[str]) -> str:
    """The style that reserves room for the labels at the left of a plot: 0.5 rem is a little more than the width of a
    digit."""
    longest = max(map(len, labels), default=0)
    return f"--left:{max(2.4, 0.8 + 0.5 * longest):.1f}rem"


def _round_up(value: float, choices: tuple[float, ...]) -> float:
    scale = 10.0 ** math.floor(math.log10(value))
    return next(c * scale for c in (*choices, 20) if c * scale >= value * (1 - 1e-9))


def _leading(step: float) -> float:
    return round(step / 10.0 ** math.floor(math.log10(step)), 6)

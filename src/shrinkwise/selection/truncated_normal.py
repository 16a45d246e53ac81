"""Intervals and p-values of the mean of a normal number that was seen only because it lies between two limits."""

from __future__ import annotations

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_FARTHEST = 1e12  # standard deviations between the number and an end of its interval, beyond which that end is infinite


def truncated_odds(x: float, mean: float, sd: float, low: float, high: float) -> float:
    """log F/(1 − F), F = P(Z ≤ x | low ≤ Z ≤ high) with Z normal; falls as `mean` grows, and is precise in any tail."""
    return _odds((x - mean) / sd, (x - low) / sd, (high - x) / sd)


def truncated_interval(x: float, sd: float, low: float, high: float, level: float) -> tuple[float, float]:
    """The means at which F = P(Z ≤ x | low ≤ Z ≤ high) is (1 + level)/2 and (1 − level)/2."""
    from scipy.optimize import brentq  # slow to load

    below, above = (x - low) / sd, (high - x) / sd
    wanted = float(np.log((1.0 + level) / (1.0 - level)))

    def end(side: float) -> float:
        def excess(d):
            return _odds(d, below, above) - side * wanted

        # F grows with d = (x − mean)/sd, whichever side the root is on.
        start, step = (1.0, 1.0) if excess(0.0) < 0 else (-1.0, -1.0)
        last = 0.0
        while abs(start) < _FARTHEST and excess(start) * step < 0:
            last, start = start, 2.0 * start
        if abs(start) >= _FARTHEST:
            return -step * np.inf
        return x - sd * float(brentq(excess, last, start, xtol=1e-12, rtol=1e-12))

    return end(1.0), end(-1.0)


def truncated_p_value(x: float, sd: float, low: float, high: float) -> float:
    """The two-sided p-value of mean 0, 2 min(F, 1 − F)."""
    less = np.exp(-abs(truncated_odds(x, 0.0, sd, low, high)))
    return float(2.0 * less / (1.0 + less))


def _odds(d: float, below: float, above: float) -> float:
    """log F/(1 − F) from d = x − mean and the distances of x to the limits, all in standard deviations."""
    return _log_integral(d, below) - _log_integral(-d, above)


def _log_integral(d: float, length: float) -> float:
    """log ∫ e^{dr − r²/2} dr over r from 0 to `length` (may be ∞): the density beside x, in units of that at x."""
    from scipy.special import erfcx, log_ndtr  # slow to load

    if length <= 0:
        return -np.inf
    if length * (abs(d) + length) < 1.0:
        r = 0.5 * length * (_NODES + 1.0)
        return float(np.log(0.5 * length * (_WEIGHTS @ np.exp(d * r - 0.5 * r * r))))
    if d > length:  # measured from the other end, where the density is largest
        return d * length - 0.5 * length * length + _log_integral(length - d, length)
    if d > 0:
        tails = np.exp(log_ndtr(-d)) + (np.exp(log_ndtr(d - length)) if np.isfinite(length) else 0.0)
        return float(0.5 * d * d + 0.5 * np.log(2.0 * np.pi) + np.log1p(-tails))
    far = (
        np.exp(d * length - 0.5 * length * length) * erfcx((length - d) / np.sqrt(2.0)) if np.isfinite(length) else 0.0
    )
    return float(np.log(np.sqrt(0.5 * np.pi) * (erfcx(-d / np.sqrt(2.0)) - far)))

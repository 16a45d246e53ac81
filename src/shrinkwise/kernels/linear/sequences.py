"""Proximal maps that join neighbours, in a given or in a sorted order: total variation, and the sorted L1 norm."""

from __future__ import annotations

import ctypes
import math
from collections import deque

import numpy as np

from shrinkwise.kernels.library import F64, declare, loaded_library, register, run

declare("sw_total_variation", ctypes.c_int64, *(ctypes.c_int64, F64, ctypes.c_void_p, ctypes.c_double, F64))
declare("sw_sorted_prox", ctypes.c_int64, *(ctypes.c_int64, F64, F64, ctypes.c_int64, F64))


def total_variation(y, steps, c: float):
    """argmin_x Σ (x_i − y_i)² / (2 steps_i) + c Σ |x_{i+1} − x_i|, (n,), for finite y (n,), c > 0, in O(n).

    steps : (n,) ≥ 0, an entry with step 0 is fixed; None is ones.
    """
    y = np.ascontiguousarray(y, dtype=np.float64)
    steps = None if steps is None else np.ascontiguousarray(steps, dtype=np.float64)
    return run("total_variation", y, steps, c) if len(y) else y.copy()


def sorted_prox(x, c, sizes: bool):
    """argmin_u ½‖u − x‖² + Σ c_i u_(i), or with `sizes` Σ c_i |u|_(i), (n,), u_(1) ≥ u_(2) ≥ …

    x (n,) is finite and c (n,) descending.
    """
    x, c = (np.ascontiguousarray(values, dtype=np.float64) for values in (x, c))
    return run("sorted_prox", x, c, sizes) if len(x) else x.copy()


def total_variation_reference(y, steps, c: float):
    """The formula in Python.

    The best cost of x_1 … x_k as a function of x_k has an increasing piecewise linear derivative. `knots` are its
    corners (position, change of slope, change of intercept). The points where it equals −c and c bound the interval in
    which x_k = x_{k+1}.
    """
    weights = (
        np.ones(len(y)) if steps is None else np.divide(1.0, steps, out=np.full(len(y), math.inf), where=steps > 0)
    )
    bounds: list[tuple[float, float]] = []
    knots: deque[tuple[float, float, float]] = deque()
    end = 0.0
    for value, weight in zip(y.tolist(), weights.tolist(), strict=True):
        if weight == math.inf:
            low = high = value
            knots = deque([(value, 0.0, 2.0 * c)])
        else:
            last = len(bounds) == len(y) - 1
            # The last entry follows nobody: it goes where the derivative is 0, found from both sides for symmetry's sake.
            level, other = (0.0, deque(knots)) if last else (c, knots)
            low, slope, intercept = _first_reach(knots, weight, -weight * value - end, -level)
            high, slope_up, intercept_up = _last_reach(other, weight, -weight * value + end, level)
            if not last:
                knots.appendleft((low, slope, intercept + c))
                knots.append((high, -slope_up, c - intercept_up))
        bounds.append((low, high))
        end = c
    x = 0.5 * sum(bounds.pop())
    out = [x]
    for low, high in reversed(bounds):
        x = min(max(x, low), high)
        out.append(x)
    return np.array(out[::-1])


def _first_reach(knots, slope, intercept, level):
    """From the left: the point where the derivative reaches `level`, and its line there. Passed knots are removed."""
    x = -math.inf
    while knots and slope * knots[0][0] + intercept <= level:
        x, more_slope, more = knots.popleft()
        slope, intercept = slope + more_slope, intercept + more
    return max(x, (level - intercept) / slope), slope, intercept


def _last_reach(knots, slope, intercept, level):
    """From the right: the mirror image."""
    x = math.inf
    while knots and slope * knots[-1][0] + intercept >= level:
        x, more_slope, more = knots.pop()
        slope, intercept = slope - more_slope, intercept - more
    return min(x, (level - intercept) / slope), slope, intercept


def sorted_prox_reference(x, c, sizes: bool):
    """Isotonic regression of the sorted entries less c; of their sizes it is clipped at 0."""
    from scipy.optimize import isotonic_regression

    values = np.abs(x) if sizes else x
    order = np.argsort(-values, kind="stable")
    out = np.empty_like(values)
    out[order] = isotonic_regression(values[order] - c, increasing=False).x
    return np.copysign(np.maximum(out, 0.0), x) if sizes else out


def _compiled_variation(y, steps, c):
    out = np.empty_like(y)
    _has_memory(loaded_library().sw_total_variation(len(y), y, None if steps is None else steps.ctypes.data, c, out))
    return out


def _compiled_sorted(x, c, sizes):
    if len(x) >= 2**32:  # more places than the kernel can tell apart
        return sorted_prox_reference(x, c, sizes)
    out = np.empty_like(x)
    _has_memory(loaded_library().sw_sorted_prox(len(x), x, c, int(sizes), out))
    return out


def _has_memory(code: int) -> None:
    if code:
        raise MemoryError("There is not enough memory for the proximal map; use fewer entries")


register("total_variation", total_variation_reference, _compiled_variation)
register("sorted_prox", sorted_prox_reference, _compiled_sorted)

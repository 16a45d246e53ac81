"""Helpers for penalties that couple all entries: sorting, a single step, sequential algorithms for both libraries."""

from __future__ import annotations

import numpy as np

from .array import as_numpy, cast, namespace, step_like


def one_step(step, w, penalty):
    """The prox step as a number ≥ 0; TypeError for an array, which would need a prox in a diagonal metric."""
    step = step_like(step, w)
    if not getattr(step, "ndim", 0):
        return step if namespace(step) is not np else float(step)
    first = step.reshape(-1)[:1]
    if bool((step == first).all()):
        return first.sum()
    raise TypeError(
        f"There is no closed-form prox of {type(penalty).__name__} with a step for each entry; use one step for "
        "all entries"
    )


def sort_descending(x):
    """x along its last axis, largest first; NaN last."""
    xp = namespace(x)
    return -np.sort(-x, axis=-1) if xp is np else xp.sort(x, dim=-1, descending=True).values


def order_descending(x):
    """The indices that sort a vector, largest first; ties keep their order."""
    xp = namespace(x)
    return np.argsort(-x, kind="stable") if xp is np else xp.argsort(x, descending=True, stable=True)


def equal_runs(values, eps: float) -> list[np.ndarray]:
    """The segments of a vector on which neighbours are equal, up to 4 eps of its largest number."""
    if not len(values):
        return []
    apart = abs(np.diff(values)) > 4.0 * eps * abs(values).max()
    return np.split(np.arange(len(values)), np.flatnonzero(apart) + 1)


def through_numpy(function, w, *others):
    """function(float64 NumPy copies of the arguments), in the library, dtype and device of w; carries no gradient."""
    arrays = [as_numpy(x) for x in (w, *others)]
    result = function(*arrays)
    return cast(result, w) if namespace(w) is np else namespace(w).as_tensor(result, dtype=w.dtype, device=w.device)

"""Of every solution of a path, whether the objective has a finite minimum there at all."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.separation import separation_of
from shrinkwise.penalties import Penalty

from .coefficients import Coefficients


def reasons_against(problem: Problem, penalty: Penalty, lambdas, coefficients: Coefficients, intercepts) -> np.ndarray:
    """For every λ the reason why no finite minimum exists, or why it is unknown if one does, or "" if one exists, (L,).

    Only the weights that the penalty lets grow without bound matter. On the flat part of a nonconvex penalty a weight may grow
    further: then the solution is no local minimum, because the objective decreases from it without end.
    """
    found, known = [], {}
    joined = problem.loss.is_partial
    if problem.loss.recession(problem.y) is None and not joined:
        return np.full(len(lambdas), "", dtype=object)
    for i, lam in enumerate(lambdas):
        w = coefficients[i]
        falls, rises = _unbounded(penalty.with_lam(float(lam)), w)
        key = (np.packbits(falls).tobytes(), np.packbits(rises).tobytes())
        if key not in known:
            known[key] = ""
            if joined:
                known[key] = _monotone(problem, falls, rises, "unpenalized" if penalty.convex else "unshrunk")
            elif falls.any() or rises.any():
                separation = separation_of(problem, falls, rises, problem.eta(w, intercepts[i]))
                if separation or separation.undecided:
                    known[key] = separation.sentence("unpenalized" if penalty.convex else "unshrunk")
        found.append(known[key])
    return np.array(found, dtype=object)


def _monotone(problem: Problem, falls, rises, adjective: str) -> str:
    """The sentence about a free column along which a partial likelihood is monotone, or ""; only single columns are tried."""
    for j in np.flatnonzero(falls | rises):
        column = problem.design.centred_columns(np.array([j]))[:, 0] / np.sqrt(problem.s)
        for sign, free in ((1.0, rises[j]), (-1.0, falls[j])):
            if free and problem.loss.falls_along(sign * column):
                size = "largest" if sign > 0 else "smallest"
                return (
                    f"no finite optimum: at every event the {adjective} column {j} is the {size} among the rows at risk, so "
                    "its weight grows without bound: penalize it"
                )
    return ""


def _unbounded(penalty: Penalty, w):
    """Masks (falls, rises) of the weights that may grow without bound at no cost."""
    falls, rises = penalty.unbounded(w.shape)
    if penalty.convex:
        return falls, rises
    flat = np.zeros(w.size, dtype=bool)
    flat[_flat(penalty, w, np.flatnonzero(w))] = True
    flat = flat.reshape(w.shape)
    return falls | (flat & (w < 0)), rises | (flat & (w > 0))


def _flat(penalty: Penalty, w, entries) -> np.ndarray:
    """Those of the entries that may double at no cost."""
    moved = w.copy()
    moved.flat[entries] *= 2.0
    if not len(entries) or float(penalty.value(moved)) <= float(penalty.value(w)):
        return entries
    if len(entries) == 1:
        return entries[:0]
    half = len(entries) // 2
    return np.concatenate([_flat(penalty, w, part) for part in (entries[:half], entries[half:])])

"""Of every solution of a path, whether the objective has a finite minimum there at all."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.separation import separation_of
from shrinkwise.penalties import Penalty

from .coefficients import Coefficients

_FAR = 1e-4  # a row that a runaway solution has left behind has less than this of the gradient in η


def reasons_against(problem: Problem, penalty: Penalty, lambdas, coefficients: Coefficients, intercepts) -> np.ndarray:
    """Of every λ the sentence why no finite minimum exists, or "" where one does, (L,).

    Asked of the columns on which the penalty does not act; of a penalty that is flat for large weights, of those too.
    """
    found, known = [], {}
    signs = problem.loss.recession(problem.y)
    if signs is None:
        return np.full(len(lambdas), "", dtype=object)
    for i, lam in enumerate(lambdas):
        columns = _unbounded(problem, penalty.with_lam(float(lam)), coefficients[i], intercepts[i], signs)
        key = columns.tobytes()
        if key not in known:
            separation = separation_of(problem, columns) if len(columns) else None
            known[key] = separation.sentence("unpenalized" if penalty.convex else "unshrunk") if separation else ""
        found.append(known[key])
    return np.array(found, dtype=object)


def _unbounded(problem: Problem, penalty: Penalty, w, b, signs) -> np.ndarray:
    """Columns whose weights the penalty does not keep from growing, in all outputs."""
    free = penalty.unpenalised(w.shape)
    if not penalty.convex and not free.all() and _runs_away(problem, w, b, signs):
        free = free | _flat(penalty, w)
    return np.flatnonzero(free if w.ndim == 1 else free.all(0))


def _runs_away(problem: Problem, w, b, signs) -> bool:
    g = np.abs(problem.loss.gradient(problem.y, problem.eta(w, b)))
    return bool((g[signs != 0] < _FAR).any())


def _flat(penalty: Penalty, w) -> np.ndarray:
    """Mask of the weights that may double at no cost."""
    here, mask = float(penalty.value(w)), np.zeros(w.shape, dtype=bool)
    for entry in np.argwhere(w):
        moved = w.copy()
        moved[tuple(entry)] *= 2.0
        mask[tuple(entry)] = float(penalty.value(moved)) <= here
    return mask

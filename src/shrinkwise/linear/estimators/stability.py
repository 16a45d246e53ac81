"""Stability selection of a linear model: inputs selected in most half-samples."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np

from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import check_settings, problem_of
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.row_triangles import triangle_of
from shrinkwise.linear.problem.triangular_factor import Triangle, one_thread
from shrinkwise.penalties import Penalty
from shrinkwise.selection import complementary_halves, false_selection_bound

from .progress import run_all


@dataclass
class Stability:
    """Selection frequency of each input over half-samples.

    Attributes
    ----------
    frequencies : (p,) share of the half-samples in which the input has a non-zero weight.
    selected : (2 · pairs, p) bool, the half-samples in which it has one; the halves of a pair are adjacent.
    threshold : minimum share of a stable input;  stable : the indices of these inputs.
    lam : λ;  pairs : number of complementary pairs;  average_selected : mean number of inputs selected in a
    half-sample. expected_false : bound on the expected number of stable inputs that are irrelevant; see
        `selection.false_selection_bound` for what it assumes.
    """

    frequencies: np.ndarray = field(repr=False)
    lam: float
    pairs: int
    average_selected: float
    threshold: float
    expected_false: float
    selected: np.ndarray = field(repr=False, default_factory=lambda: np.zeros((0, 0), dtype=bool))

    @property
    def stable(self) -> np.ndarray:
        """Indices of the inputs selected in at least `threshold` of the half-samples."""
        return np.flatnonzero(self.frequencies >= self.threshold)


def stability_selection(
    X,
    y=None,
    penalty: Penalty = None,  # type: ignore[assignment]
    *,
    loss="squared",
    sample_weight=None,
    offset=None,
    fit_intercept: bool = True,
    pairs: int = 50,
    threshold: float = 0.9,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    n_jobs=None,
    random_state=0,
    verbose: bool = False,
) -> Stability:
    """Fit the penalty at its own λ on `pairs` complementary pairs of half-samples; count how often each input is
    selected.

    Cross-validation selects a λ that predicts well but often keeps many irrelevant inputs. Which of these are selected
    varies between half-samples; relevant inputs are selected in most of them.

    Parameters
    ----------
    X, y, loss, sample_weight, offset, fit_intercept, tol, max_iter : as for `path`. With classes, each half gets half
    of every class. penalty : Penalty with λ, e.g. ``L1(model.lambda_1se_)``. Unpenalised columns are always used and
    not counted. pairs : number of complementary pairs; 50 is 100 fits. threshold : in (½, 1], the minimum share of a
    stable input.

    Returns
    -------
    Stability

    References: Meinshausen and Bühlmann, Stability selection, JRSS B 2010. Shah and Samworth, JRSS B 2013.
    """
    refuse_rows(X, "stability selection", "fit a sample of them")
    check_settings(penalty, tol, max_iter)
    problem = problem_of(X, y, loss, sample_weight, fit_intercept, offset)
    return stability_of(
        problem,
        penalty,
        pairs=pairs,
        threshold=threshold,
        tol=tol,
        max_iter=max_iter,
        n_jobs=n_jobs,
        random_state=random_state,
        verbose=verbose,
    )


def stability_of(
    problem: Problem,
    penalty: Penalty,
    *,
    pairs: int = 50,
    threshold: float = 0.9,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    n_jobs=None,
    random_state=0,
    verbose: bool = False,
) -> Stability:
    """`stability_selection` of a Problem."""
    from joblib import delayed

    strata = problem.y if problem.loss.coded and np.ndim(problem.y) == 1 else None
    if strata is not None and np.unique(strata, return_counts=True)[1].min() < 2:
        raise ValueError("A class has a single row, which is in one half-sample of a pair only; drop the rare class")
    halves = [half for pair in complementary_halves(problem.n, pairs, random_state, strata) for half in pair]
    calls = (delayed(_used)(problem, half, penalty, tol, max_iter) for half in halves)
    with one_thread() if Triangle.pays(problem) else nullcontext():
        used = np.array(run_all(calls, n_jobs, "half-samples", verbose))
    free = penalty.with_lam(1.0).unpenalised(problem.weights_shape).reshape(-1, problem.p).any(0)
    average = float(used[:, ~free].sum(1).mean())
    bound = false_selection_bound(average, max(1, int((~free).sum())), threshold, pairs)
    return Stability(used.mean(0), float(penalty.lam), pairs, average, threshold, bound, used)


def _used(problem: Problem, rows, penalty, tol, max_iter) -> np.ndarray:
    """The inputs used by the fit on some rows, (p,) of bool."""
    mask = np.zeros(problem.p, dtype=bool)
    mask[solve_one(_part(problem, rows), penalty, tol, max_iter).coefficients.used(0)] = True
    return mask


def _part(problem: Problem, rows) -> Problem:
    """The problem of some rows; for many rows, their triangular factor."""
    if Triangle.pays(problem):
        y = problem.y if problem.offset is None else problem.y - problem.offset
        s = problem.s if problem.design.weighted else None
        return triangle_of(problem.X, y, s, rows).problem(problem.fit_intercept)
    X = problem.X.tocsr()[rows] if problem.design.sparse else problem.X[rows]
    offset = None if problem.offset is None else problem.offset[rows]
    return Problem(X, problem.y[rows], problem.loss, problem.s[rows], problem.fit_intercept, offset)

"""Sparse rows in blocks: the solver of sparse matrices in memory, on working columns that are read by passes over the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.linear.paths.grid import lambda_grid, lambda_max, short_grid
from shrinkwise.linear.paths.path import Path
from shrinkwise.linear.paths.solve import solve_all
from shrinkwise.linear.problem.rows_problem import RowsProblem
from shrinkwise.linear.solvers.streamed.sparse_columns import SparseProblem, SparseStore
from shrinkwise.linear.solvers.streamed.sums import coded
from shrinkwise.streaming import RowsError, fold_numbers

from .loss_of_rows import check_sums, column_scales, loss_of_targets


class SparseSmoothRows:
    """Sparse rows after the first pass, which keeps their targets and weights.

    The solutions of several λ are found on the columns whose gradients come near the penalty's kink, which are read in one
    pass; another pass gives the gradients of all columns, from which the gaps and further columns come.

    Parameters
    ----------
    rows, loss, fit_intercept, standardize, n_folds, seed, excluded, progress, any_labels : as for `SmoothRows`.
    """

    def __init__(
        self,
        rows,
        loss,
        fit_intercept,
        standardize,
        *,
        n_folds=1,
        seed=0,
        excluded=None,
        progress=None,
        any_labels=False,
    ):
        check_sums(loss)
        self.fit_intercept, self.n_folds, self.seed = fit_intercept, n_folds, seed
        self.store = SparseStore(rows, progress)
        found = self.store.found
        places = [(found.y[i], f"row {found.number[i] + 1}") for i in _ends(found.y)]
        labels = np.unique(found.y) if loss.coded else None
        self.loss, self.labels = loss_of_targets(loss, labels, places, any_labels)
        deviations = np.sqrt(found.variances)
        self.column_scale, self.store.factor = column_scales(
            deviations, (deviations == 0) | found.constant, fit_intercept, standardize, excluded
        )
        self.y = found.y.astype(float) if self.labels is None else coded(self.loss, self.labels, found.y)
        self.whole = self._problem(found.s)

    def _problem(self, s) -> SparseProblem:
        scale = self.column_scale
        return SparseProblem(self.store, self.y, self.loss, s, self.fit_intercept, column_scale=scale, keep_zeros=True)

    @property
    def p(self) -> int:
        """Number of inputs."""
        return self.store.p

    @property
    def passes(self) -> int:
        """Passes over the rows so far."""
        return self.store.passes

    @property
    def problem(self) -> RowsProblem:
        """What a Path keeps of the rows."""
        whole = self.whole
        sizes = (whole.n, whole.p, whole.n_outputs, self.fit_intercept)
        return RowsProblem(self.loss, *sizes, whole.null_loss, whole.saturated_loss, self.column_scale)

    def lambda_max(self, penalty) -> float:
        """The smallest λ whose solution is zero."""
        return lambda_max(self.whole, self._checked(penalty))

    def grid(self, penalty, n_lambdas: int, ratio: float | None) -> np.ndarray:
        """The default λ of a path."""
        return lambda_grid(self.whole, self._checked(penalty), n_lambdas, ratio)

    def path(
        self, penalty, lambdas, tol: float, max_iter: int, dfmax: int | None = None, relaxed: bool = False
    ) -> Path:
        """The Path over decreasing λ."""
        if relaxed:
            raise ValueError("Sparse rows in blocks take no relaxed fits; use relaxed=False")
        found = solve_all(self.whole, self._checked(penalty), lambdas, tol, max_iter, dfmax=dfmax)
        return replace(found, problem=self.problem)  # type: ignore[arg-type]

    def one(self, penalty, tol: float, max_iter: int) -> Path:
        """The solution at the penalty's own λ, as a path of length one."""
        lambdas = short_grid(self.whole, self._checked(penalty))
        found = solve_all(self.whole, penalty, lambdas, tol, max_iter, keep_last=True)
        return replace(found, problem=self.problem)  # type: ignore[arg-type]

    def held_out(self, path: Path, gammas=(1.0,)) -> np.ndarray:
        """Mean scores of the held-out rows, (1, L, folds), of paths fitted on the other rows."""
        found, losses = self.store.found, []
        fold = fold_numbers(0, int(found.number[-1]) + 1, self.n_folds, self.seed)[found.number]
        for k in range(self.n_folds):
            held = np.flatnonzero(fold == k)
            if not 0 < len(held) < len(fold):
                raise RowsError(f"Fold {k + 1} of {self.n_folds} has no rows, or all; use other folds")
            problem = self._problem(np.where(fold == k, 0.0, found.s))
            fitted = solve_all(problem, path.penalty, path.lambdas, path.tol, path.max_iter, judged=False)
            scores = []
            for i in range(len(fitted)):
                eta = problem.eta(fitted.coefficients[i], fitted.intercepts[i])
                scores.append(np.average(self.loss.score(self.y[held], eta[held]), weights=found.s[held]))
            losses.append(scores)
        return np.array(losses).T[None]

    def _checked(self, penalty):
        """The penalty, if it acts on single weights."""
        if penalty.with_lam(1.0).l1_l2(self.whole.weights_shape) is None:
            raise ValueError(
                f"Sparse rows in blocks take L1 and L2 penalties on single weights and their sums, got {penalty!r}; fit a "
                "sparse matrix in memory"
            )
        return penalty


def _ends(y):
    """The places of the smallest and of the largest number."""
    return (int(np.argmin(y)), int(np.argmax(y))) if y.dtype.kind in "biuf" else (0, 0)

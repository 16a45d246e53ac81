"""Losses with curvature on rows in blocks: one pass for a sample, then a few passes that solve all λ and folds together."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from shrinkwise.linear.losses import LOSSES
from shrinkwise.linear.paths.coefficients import Coefficients
from shrinkwise.linear.paths.existence import reasons_against
from shrinkwise.linear.paths.grid import check_grid, lambda_max, short_grid, spaced
from shrinkwise.linear.paths.path import Path
from shrinkwise.linear.paths.solve import solve_all
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.rows_problem import RowsProblem
from shrinkwise.linear.solvers.streamed.fit import StreamedFit
from shrinkwise.linear.solvers.streamed.newton import StreamedNewton
from shrinkwise.linear.solvers.streamed.overview import Overview, overview_of
from shrinkwise.linear.solvers.streamed.sums import Prepared, Sums, Trial, evaluate
from shrinkwise.streaming import RowsError

from .loss_of_rows import check_sums, column_scales, loss_of_targets

_MOST_PASSES = 60
_CONSTANT = 16 * np.finfo(float).eps


class SmoothRows:
    """The rows of a source after the first pass, with the solver that makes the others.

    Parameters
    ----------
    rows, fit_intercept, standardize, n_folds, seed, excluded, progress : as for `SquaredRows`.
    loss : a loss of single rows.
    any_labels : whether classes may have any label, and a loss of two classes becomes that of several.
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
        self.names, self.fit_intercept = rows.inputs, fit_intercept
        found = overview_of(rows, loss, progress)
        labels = found.labels if loss.coded else None
        self.loss, self.labels = loss_of_targets(loss, labels, (found.low, found.high), any_labels)
        deviations = np.sqrt(found.squares / found.weight)
        constant = deviations <= _CONSTANT * found.largest
        self.column_scale, factor = column_scales(deviations, constant, fit_intercept, standardize, excluded)
        centre = found.mean if fit_intercept else np.zeros(self.p)
        K = len(self.labels) if self.labels is not None and self.loss.per_class else 1
        self.prepared = Prepared(rows, self.loss, centre, factor, self.labels, K, n_folds, seed)
        self.n, self.factor = found.n, factor
        self.sample = self._sample(found)
        start = self._null_start(found)
        lowest = found.lowest / found.weight
        root = np.sqrt(found.squares / found.weight + (0.0 if fit_intercept else np.square(found.mean)))
        self.solver = StreamedNewton(self.prepared, root * factor, lowest, start, fit_intercept, progress)

    @property
    def p(self) -> int:
        """Number of inputs."""
        return len(self.names)

    @property
    def passes(self) -> int:
        """Passes over the rows so far, the first one for the sample included."""
        return 1 + self.solver.passes

    @property
    def shape(self) -> tuple:
        """(p,), or (K, p)."""
        return self.solver.shape

    @cached_property
    def problem(self) -> RowsProblem:
        """What a Path keeps of the rows."""
        scale = self.solver.scale
        K = self.prepared.n_outputs if self.loss.per_class else None
        sizes = (self.n, self.p, K, self.fit_intercept)
        return RowsProblem(self.loss, *sizes, scale.null_loss, scale.lowest, self.column_scale)

    # --- the sample -----------------------------------------------------------------------------------------------
    def _sample(self, found: Overview) -> Problem | None:
        """The sample as a problem; None if it lacks a class, so that its model would be another one."""
        X, y = (found.X - self.prepared.centre) * self.factor, found.y
        if self.labels is not None:
            y = self.prepared.coded(y)
            if len(np.unique(y)) < len(self.labels):
                return None
        elif self.loss.is_positive and not y.any():
            return None
        return Problem(X, y, self.loss, found.s, self.fit_intercept)

    def _null_start(self, found: Overview):
        K = self.prepared.n_outputs
        if not self.fit_intercept:
            return np.zeros(K)
        if self.labels is not None:
            totals = np.array([found.classes[label] for label in self.labels.tolist()])
            codes = self.prepared.coded(self.labels)
            return self.loss.null_intercept(codes, totals)
        return np.zeros(K) if self.sample is None else self.sample.null_intercept

    def _starts(self, penalty, lambdas) -> list:
        """(w, b, columns of the first Hessian) of every λ: the path of the sample, or zeros."""
        if self.sample is None:
            nothing = np.zeros((self.prepared.n_outputs, self.p)), self.solver.null.b, np.arange(self.p)
            return [nothing] * len(lambdas)
        path, problem = solve_all(self.sample, penalty, lambdas, 1e-5, 1000), self.sample
        found = []
        for i, lam in enumerate(lambdas):
            w, b = path.coefficients[i], path.intercepts[i]
            v = (problem.s * problem.loss.gradient(problem.y, problem.eta(w, b)).T).T
            g = problem.correlate(v).reshape(-1, self.p)
            w, b = w.reshape(-1, self.p), np.atleast_1d(b)
            fit = StreamedFit(w, b, -1, self.shape, penalty.with_lam(float(lam)))
            fit.sums = Sums(1.0, 0.0, 0.0, b, g, None, 0.0, 0.0)
            found.append((w, b, fit.likely()))
        return found

    # --- λ --------------------------------------------------------------------------------------------------------
    def _set_free(self, penalty) -> None:
        free = penalty.with_lam(1.0).unpenalised(self.shape).reshape(-1, self.p).any(0)
        self.solver.set_free(np.flatnonzero(free))

    def lambda_max(self, penalty) -> float:
        """The smallest λ whose solution is zero."""
        self._set_free(penalty)
        self.solver.settle_null()
        return self._top(penalty)

    def _top(self, penalty) -> float:
        """λ_max from the null model as it is now."""
        return penalty.lambda_max(self.solver.null_gradient) * (1.0 + 8 * np.finfo(float).eps)

    def _curvature(self) -> float:
        """The largest eigenvalue of the Gram matrix of the prepared columns times the bound of f'' (or its mean)."""
        plain = replace(self.prepared, loss=LOSSES["squared"], n_outputs=1)
        self.solver.passes += 1
        sums = evaluate(plain, [Trial(np.zeros((1, self.p)), np.zeros(1), columns=np.arange(self.p))])[0]
        curvature, null = self.loss.curvature, self.solver.null
        if not np.isfinite(curvature):
            curvature = float(null.model.H[-1, -1])
        return curvature * float(np.linalg.eigvalsh(sums.hessian[:-1, :-1] / sums.weight)[-1])

    def grid(self, penalty, n_lambdas: int, ratio: float | None):
        """The default λ of a path: (n_lambdas, ratio), from which `path` takes them in its own passes."""
        check_grid(penalty, n_lambdas, ratio)
        return n_lambdas, ratio

    # --- solutions ------------------------------------------------------------------------------------------------
    def path(
        self, penalty, lambdas, tol: float, max_iter: int, dfmax: int | None = None, relaxed: bool = False
    ) -> Path:
        """The Path over decreasing λ, or over the default grid (n_lambdas, ratio)."""
        if relaxed:
            raise ValueError("Relaxed fits of rows in blocks are for the squared loss; use relaxed=False")
        self._set_free(penalty)
        if isinstance(lambdas, tuple):
            starts, lambdas_of = self._moving_grid(penalty, *lambdas)
        else:
            fixed = np.asarray(lambdas, dtype=float)
            starts, lambdas_of = self._starts(penalty, fixed), lambda: fixed
        fits = self.solver.solve(penalty, lambdas_of, starts, tol, min(max_iter, _MOST_PASSES))
        self.solver.settle_null()
        self._held = np.array([[_held(fit) for fit in row[1:]] for row in fits])
        found = self._path(penalty, lambdas_of(), [row[0] for row in fits], tol, min(max_iter, _MOST_PASSES))
        count = _within(found, dfmax)
        self._held = self._held[:count]
        return found if count == len(found) else found[:count]

    def _moving_grid(self, penalty, n_lambdas: int, ratio: float | None):
        """Starts, and the function that gives the grid from the null model as it is."""
        parts = penalty.with_lam(1.0).l1_l2(self.shape)
        known: Any = _Sizes(self.n, self.p)
        if not np.isfinite(penalty.lambda_max(np.ones(self.shape))):
            self.solver.settle_null()
            fixed = spaced(np.inf, self._curvature(), parts, known, n_lambdas, ratio)
            return self._starts(penalty, fixed), lambda: fixed
        if self.sample is None:
            self.solver.settle_null()
            top = self._top(penalty)
        else:
            top = lambda_max(self.sample, penalty)
        first = spaced(top, 1.0, parts, known, n_lambdas, ratio)

        def grid():
            found = spaced(self._top(penalty), 1.0, parts, known, n_lambdas, ratio)
            return found if len(found) == len(first) else np.repeat(found, len(first))

        return self._starts(penalty, first), grid

    def one(self, penalty, tol: float, max_iter: int) -> Path:
        """The solution at the penalty's own λ, as a path of length one."""
        self._set_free(penalty)
        short = np.array([penalty.lam]) if self.sample is None else short_grid(self.sample, penalty)
        starts = self._starts(penalty, short)[-1:]
        most = min(max_iter, _MOST_PASSES)
        fits = self.solver.solve(penalty, lambda: np.array([penalty.lam]), starts, tol, most)
        self.solver.settle_null()
        return self._path(penalty, np.array([penalty.lam]), [row[0] for row in fits], tol, most)

    def held_out(self, path: Path, gammas=(1.0,)) -> np.ndarray:
        """Mean scores of the held-out rows, (1, L, folds), of the path that was solved last."""
        return self._held[None]

    def _path(self, penalty, lambdas, fits, tol: float, most_passes: int) -> Path:
        coefs, intercepts, inner = Coefficients(self.problem.weights_shape), [], []
        for fit in fits:
            w, b = fit.base
            inner.append(b if self.loss.per_class else b[0])
            b = b - (w * self.factor) @ self.prepared.centre
            if self.loss.per_class and self.fit_intercept:
                b = b - b.mean()
            coefs.append(w.reshape(self.shape))
            intercepts.append(b if self.loss.per_class else b[0])
        against = self._against(penalty, lambdas, coefs, np.array(inner))
        return Path(
            penalty=penalty,
            loss=self.loss.name,
            lambdas=lambdas,
            coefficients=coefs,
            intercepts=np.array(intercepts),
            gaps=np.array([fit.gap for fit in fits]),
            kkt=np.array([fit.kkt for fit in fits]),
            objectives=np.array([fit.objective for fit in fits]),
            solved=np.array([fit.done for fit in fits]) & (against == ""),
            against=against,
            n_iter=np.array([fit.passes for fit in fits]),
            tol=tol,
            max_iter=most_passes,
            problem=self.problem,  # type: ignore[arg-type]
            column_scale=self.column_scale,
            column_names=self.names,
        )

    def _against(self, penalty, lambdas, coefs: Coefficients, intercepts) -> np.ndarray:
        """For every λ the reason why no finite minimum exists or why that is unknown, or "", (L,).

        More rows make separation harder: where the sample has a finite minimum, so have all rows.
        """
        if self.sample is None:
            may_grow = any(part.any() for part in penalty.with_lam(float(lambdas[-1])).unbounded(self.shape))
            unknown = "unknown whether a finite minimum exists, because the sample lacks a class and a column is not penalized"
            return np.full(len(lambdas), unknown if may_grow else "", dtype=object)
        found = reasons_against(self.sample, penalty, lambdas, coefs, intercepts)
        if self.sample.n == self.n:
            return found
        what = f"unknown whether a finite minimum exists, because none does on the sample of {self.sample.n} rows: "
        return np.array([reason and what + reason for reason in found], dtype=object)


class _Sizes:
    """The sizes that the ratio of a default grid depends on."""

    def __init__(self, n: int, p: int):
        self.stands_for, self.p = n, p


def _held(fit: StreamedFit) -> float:
    if not fit.sums.held_weight > 0:
        raise RowsError(f"Fold {fit.fold + 1} has no rows; use fewer folds")
    return fit.sums.held / fit.sums.held_weight


def _within(path: Path, dfmax: int | None) -> int:
    more = np.flatnonzero(path.n_nonzero > (np.inf if dfmax is None else dfmax))
    if len(more) and more[0] == 0:
        raise ValueError(
            f"Expected a first λ with at most dfmax={dfmax} non-zero inputs, got more; start at a larger λ"
        )
    return int(more[0]) if len(more) else len(path)

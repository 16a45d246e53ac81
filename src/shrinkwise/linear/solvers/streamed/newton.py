"""Proximal Newton for all λ and folds at once: every pass over the rows evaluates all points that are not solved yet.

The points start from the path of a sample of m rows, off by O(1/√m). A step minimises the quadratic model plus the penalty,
whose error is squared by a step; the Hessian of a λ is summed in its first two passes and again only when progress is slow, and
its folds share it. The null model takes its steps in the same passes, and the λ that are shares of λ_max move with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shrinkwise.penalties import L2
from shrinkwise.streaming import RowsError

from .fit import Model, Scale, StreamedFit
from .sums import Prepared, Sums, evaluate

_BYTES = 512_000_000  # of the Hessians of one pass
_SETTLED = 1e-12
_NULL_STEPS = 25


class StreamedNewton:
    """Solves λ after λ on prepared rows; `passes` counts what it took.

    Parameters
    ----------
    prepared : the rows.  deviations : (p,) of the prepared columns.  lowest : mean loss of the saturated model.
    null_intercept : (K,) a start of the null model.
    """

    def __init__(
        self, prepared: Prepared, deviations, lowest: float, null_intercept, fit_intercept: bool, progress=None
    ):
        self.prepared, self.deviations, self.lowest = prepared, deviations, lowest
        self.fit_intercept, self.progress, self.passes = fit_intercept, progress, 0
        K, p = prepared.n_outputs, len(prepared.centre)
        self.shape = (K, p) if prepared.loss.per_class else (p,)
        self.null = StreamedFit(np.zeros((K, p)), np.array(null_intercept, dtype=float).reshape(K), -1, self.shape)
        self.free = self.null

    # --- the null model -------------------------------------------------------------------------------------------
    def set_free(self, columns) -> None:
        """The columns that are not penalised, (m,): they are fitted in the null model from which λ_max is taken."""
        self.free = self.null
        if len(columns):
            self.free = StreamedFit(np.zeros_like(self.null.w), self.null.b.copy(), -1, self.shape)
            self.free.wanted = columns

    @property
    def null_settled(self) -> bool:
        """Whether the null model does not move any more."""
        return self.null.done and self.free.done

    def _nulls(self) -> list[StreamedFit]:
        fits = [self.null] if self.free is self.null else [self.null, self.free]
        return [fit for fit in fits if not fit.done]

    def _step_null(self, fits: list[StreamedFit], found: list[Sums]) -> None:
        scale = Scale(1.0, self.lowest, 1.0, self.deviations, self.fit_intercept)
        for fit, sums in zip(fits, found, strict=True):
            fit.take(sums, L2(0.0), scale, 0.0)
            fit.done = False
            if fit.halvings or fit.model is None:
                continue
            before = fit.w.copy(), fit.b.copy()
            if self.fit_intercept or len(fit.wanted):
                fit.advance(fit.model, scale, True)
            moved = max(np.abs(fit.w - before[0]).max(initial=0.0), np.abs(fit.b - before[1]).max())
            size = 1.0 + max(np.abs(before[0]).max(initial=0.0), np.abs(before[1]).max())
            if moved <= _SETTLED * size or fit.passes >= _NULL_STEPS:
                fit.w, fit.b, fit.done = *before, True

    @property
    def null_gradient(self):
        """∇_w of the mean loss at the null model, in the shape of w."""
        g = self.free.sums.g / self.free.sums.weight
        return np.where(np.abs(g) <= 1e-14 * self.deviations, 0.0, g).reshape(self.shape)

    @property
    def scale(self) -> Scale:
        """What certificates are measured by."""
        null_loss = max(self.null.sums.loss / self.null.sums.weight - self.lowest, 0.0)
        gradient = float(np.abs(self.null_gradient).max(initial=0.0))
        return Scale(null_loss, self.lowest, gradient, self.deviations, self.fit_intercept)

    def settle_null(self) -> None:
        """Passes of the null model alone, until it does not move."""
        while not self.null_settled:
            fits = self._nulls()
            self._step_null(fits, self._pass([fit.trial(fit.wanted) for fit in fits]))

    # --- the path -------------------------------------------------------------------------------------------------
    def solve(self, penalty, lambdas_of: Callable, starts, tol: float, most_passes: int) -> list[list[StreamedFit]]:
        """For every λ the fits of all rows and of every fold; `lambdas_of()` gives the λ from the null model as it is.

        starts : (w (K, p), b (K,), columns of the first Hessian) for every λ.
        """
        n_folds = self.prepared.n_folds
        folds = [-1, *range(n_folds)] if n_folds > 1 else [-1]
        fits = [[StreamedFit(w.copy(), b.copy(), fold, self.shape) for fold in folds] for w, b, _ in starts]
        for row, (_, _, columns) in zip(fits, starts, strict=True):
            row[0].wanted = columns
        for first, last in self._groups(len(fits), max(len(columns) for _, _, columns in starts)):
            self._solve_group(fits[first:last], slice(first, last), penalty, lambdas_of, tol, most_passes)
        return fits

    def _groups(self, count: int, columns: int):
        """(first, last) of the λ whose Hessians are in memory together."""
        size = 8 * (self.prepared.n_outputs * (columns + 1)) ** 2
        if size > 4 * _BYTES:
            raise RowsError(
                f"The Hessian of {columns} columns and {self.prepared.n_outputs} linear predictors needs "
                f"{size / 1e9:,.1f} GB of memory, more than the limit of {4 * _BYTES / 1e9:.0f} GB; select fewer columns"
            )
        step = max(1, _BYTES // size)
        return [(start, min(start + step, count)) for start in range(0, count, step)]

    def _solve_group(self, fits, at: slice, penalty, lambdas_of, tol: float, most_passes: int) -> None:
        shift_free = not self.prepared.loss.per_class
        for turn in range(most_passes):
            active = [fit for row in fits for fit in row if not fit.done]
            nulls = self._nulls()
            if not active and not nulls:
                break
            trials = [self._trial(fit, row[0], turn, tol) for row in fits for fit in row if not fit.done]
            found = self._pass([fit.trial(fit.wanted) for fit in nulls] + trials)
            self._step_null(nulls, found[: len(nulls)])
            by_fit = iter(found[len(nulls) :])
            scale, lambdas = self.scale, lambdas_of()[at]
            for row, lam in zip(fits, lambdas, strict=True):
                self._step_row(row, by_fit, penalty.with_lam(float(lam)), scale, tol, shift_free)

    def _trial(self, fit: StreamedFit, whole: StreamedFit, turn: int, tol: float):
        """The next point, with a new Hessian in the first two passes and where progress is slow."""
        first = turn < 2 and fit is whole
        again = turn > 0 and fit.slow and not fit.halvings
        if again or (first and turn):
            fit.wanted = fit.likely()
        return fit.trial(fit.wanted if first or again else None, tol)

    def _step_row(self, row, found, penalty, scale: Scale, tol: float, shift_free: bool) -> None:
        """What a pass found for one λ, and the next points of its fits."""
        for fit in row:
            if not fit.done:
                fit.take(next(found), penalty, scale, tol)
                fit.done = fit.done and self.null_settled
        shared: Model | None = row[0].model
        for fit in row:
            model = fit.model if fit.own_model else shared
            if not fit.done and model is not None:
                fit.advance(model, scale, shift_free)

    def _pass(self, trials) -> list[Sums]:
        self.passes += 1
        return evaluate(self.prepared, trials, self.progress)

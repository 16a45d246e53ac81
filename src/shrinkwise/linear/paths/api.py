"""The regularization path: the solution at every λ of a decreasing grid, each started from the one before it."""

from __future__ import annotations

from shrinkwise.linear.losses import loss_of
from shrinkwise.linear.problem.checks import check_dfmax, check_settings, check_switch, checked_grid, problem_of
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.penalties import Penalty, with_bounds_scaled
from shrinkwise.streaming import are_rows

from .columns import column_names
from .grid import lambda_grid, lambda_max, short_grid
from .path import Path
from .relaxed import relax
from .solve import solve_all
from .streamed import path_of_rows, read_rows, refuse_beside_rows

__all__ = ["Path", "lambda_grid", "lambda_max", "path", "solve_one"]


def path(
    X,
    y=None,
    penalty: Penalty = None,  # type: ignore[assignment]
    *,
    loss: str = "squared",
    lambdas=None,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    sample_weight=None,
    offset=None,
    fit_intercept: bool = True,
    standardize: bool = False,
    relaxed: bool = False,
    dfmax: int | None = None,
    tol: float = 1e-6,
    max_iter: int = 10_000,
) -> Path:
    """Minimise (1/n) Σ s_i f(y_i, x_i'w + b + o_i) + λ f(w) for every λ of a decreasing grid.

    f(y, η) is ½(y−η)² ("squared"), log(1+e^η) − yη ("logistic", y in {0, 1}), log Σ e^η − η_y ("multinomial"), Huber's loss
    ("huber"), e^η − yη ("poisson", y ≥ 0), or one of "quantile", "gamma", "tweedie", "negative_binomial", "squared_hinge",
    "square_root" (the root of the mean square, of the square-root lasso) and "cox": see the classes of
    `shrinkwise.linear.losses` for their formulas and parameters.

    Parameters
    ----------
    X : (n, p) dense or scipy sparse, float64 or float32. The penalty acts on the weights of the columns as given, unless
        `standardize`. Or rows in blocks, `shrinkwise.rows(source, target=...)`, which have y and weights in them: least
        squares then takes one pass over the source, the other losses a few.
    y : (n,); with the squared loss also (n, K), K targets with a common λ. With penalties on single weights the targets are
        then fitted independently.
    penalty : Penalty
        λ f; its λ is replaced along the grid by ``penalty.with_lam``.
    loss : name, or a loss object of `shrinkwise.linear.losses` such as ``Huber(delta)``.
    lambdas : decreasing grid, optional (sorted with a warning if it is not). By default `n_lambdas` values, evenly
    spaced in log λ, from λ_max (where all penalised weights are exactly zero) down to `lambda_min_ratio` λ_max (default
    1e-3 if
        n > p, else 1e-2). Ridge has no finite λ_max: its grid runs over 1e-8 … 1 times the λ that shrinks the strongest
        direction of X to 1 %.
    sample_weight : (n,) ≥ 0, normalised to mean 1.
    offset : like y, a known part o of the linear predictor.
    fit_intercept : an unpenalised intercept b.
    standardize : divide the columns by their (weighted) standard deviations σ_j before the fit, so that the penalty is
        f(σ ∘ w). The coefficients, and bounds on them, are those of the columns as given.
    dfmax : the path ends before the first λ whose solution has more non-zero inputs than this.
    relaxed : also refit every support without the penalty; see ``fitted.relaxed(gamma)``.
    tol : relative duality gap below which a solution counts as solved.
    max_iter : maximum number of sweeps (squared) or Newton steps at one λ.

    Returns
    -------
    Path

    Raises
    ------
    ValueError, TypeError : for invalid data or settings.
    """
    check_settings(penalty, tol, max_iter)
    for name, value in (("fit_intercept", fit_intercept), ("standardize", standardize), ("relaxed", relaxed)):
        check_switch(name, value)
    check_dfmax(dfmax)
    if are_rows(X):
        refuse_beside_rows(y=y, sample_weight=sample_weight, offset=offset)
        data = read_rows(X, loss_of(loss), fit_intercept, standardize)
        return path_of_rows(data, penalty, lambdas, (n_lambdas, lambda_min_ratio), tol, max_iter, dfmax, relaxed)
    if y is None:
        raise ValueError("Expected y, one target per row of X, got None; only rows in blocks have their target in them")
    problem = problem_of(X, y, loss, sample_weight, fit_intercept, offset, standardize)
    if problem.column_scale is not None:
        penalty = with_bounds_scaled(penalty, problem.column_scale)
    if lambdas is None:
        lambdas = lambda_grid(problem, penalty, n_lambdas, lambda_min_ratio)
    fitted = solve_all(problem, penalty, checked_grid(lambdas), tol, max_iter, dfmax=dfmax)
    fitted.column_names = column_names(X)
    if relaxed:
        fitted.refit = relax(fitted)
    return fitted


def solve_one(problem: Problem, penalty: Penalty, tol: float, max_iter: int) -> Path:
    """The solution at the penalty's own λ, as a path of length one (reached along a short path from λ_max)."""
    return solve_all(problem, penalty, short_grid(problem, penalty), tol, max_iter, keep_last=True)

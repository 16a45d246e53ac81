"""Intervals for the inputs that a lasso selected, valid although the same rows selected them."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.paths.columns import column_names
from shrinkwise.linear.problem.checks import check_settings, problem_of
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.penalties import L2, Penalty
from shrinkwise.selection.truncated_normal import truncated_interval, truncated_p_value

_TOL = 1e-10  # relative gap at which the support and its signs are taken as known


@dataclass(frozen=True)
class PostSelection:
    """Inference after the lasso, (m,) each, of the m selected inputs.

    Attributes
    ----------
    columns, names : the selected columns of X and their names (x0, x1, … without names).
    estimates : coefficients of least squares on the selected columns.
    low, high : ends of the intervals; infinite where the data exclude no value on that side.
    p_values : two-sided, of a coefficient 0, given the selection.
    level : probability of an interval.  sigma : standard deviation of the errors.  sigma_given : whether it was given.
    """

    columns: np.ndarray
    names: list
    estimates: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_values: np.ndarray
    level: float
    sigma: float
    sigma_given: bool

    def __len__(self) -> int:
        return len(self.columns)

    def __str__(self) -> str:
        """A table, largest evidence first."""
        known = (
            "given" if self.sigma_given else "estimated from the residuals of all columns, so levels are approximate"
        )
        head = f"{len(self)} selected inputs, {100 * self.level:g} % intervals given the selection"
        lines = [f"{head}, sigma = {self.sigma:.4g} ({known})"]
        for i in np.argsort(self.p_values, kind="stable"):
            interval = f"[{self.low[i]:.4g}, {self.high[i]:.4g}]"
            lines.append(
                f"  {self.names[i]!s:<20} {self.estimates[i]:>11.4g}  {interval:<24} p = {self.p_values[i]:.2g}"
            )
        return "\n".join(lines)


def lasso_intervals(X, y, penalty, *, sigma=None, level: float = 0.9, fit_intercept: bool = True) -> PostSelection:
    """Exact intervals for least squares on the inputs that the lasso with a fixed λ selects from the same rows.

    With y = μ + ε, ε normal and independent with variance σ², the target of input j is its coefficient in the regression of μ
    on the selected columns, all of them together. Given the selected columns and the signs of their weights, its estimate is
    normal between two limits that are computed from the rows; the interval inverts that distribution, so that it contains the
    target with probability `level` in repeated samples with that selection. Intervals may be very long where the estimate is
    close to a limit; one without a bound is reported as infinite.

    They do not apply where λ was chosen on the same rows (by cross-validation, AIC or by looking at a path), where the
    penalty is not L1 alone, or to a loss other than least squares. Choose λ in advance, e.g. by `pivotal_lambda` and a known
    σ, or on other rows.

    Parameters
    ----------
    X : (n, p) dense;  y : (n,).
    penalty : ``L1(lam)``, also with `weights`, the penalty of 1/(2n) ‖y − Xw − b‖² + λ Σ c_j|w_j|.
    sigma : σ > 0, the standard deviation of the errors. None estimates it from the residuals of all columns, which needs
        n > p + 1 and makes levels approximate.
    level : in (0, 1).
    fit_intercept : an unpenalised intercept.

    Raises
    ------
    ValueError, TypeError : for settings out of range, and where the intervals do not apply.

    Reference: Lee, Sun, Sun, Taylor, Exact post-selection inference, with application to the lasso, Ann. Statist. 2016,
    doi:10.1214/15-AOS1371, arXiv 1311.6238 (given the signs).

    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear import lasso_intervals
    >>> x = np.array([-1.0, 1.0, -1.0, 1.0])
    >>> found = lasso_intervals(x[:, None], 5.0 * x, sw.L1(0.1), sigma=1.0, level=0.95)
    >>> found.estimates.round(6).tolist()       # far from the limit 0.1: 5 ± 1.96 σ/√4
    [5.0]
    >>> round(float(found.high[0]), 2)
    5.98
    """
    if not (isinstance(level, numbers.Real) and 0 < level < 1):
        raise ValueError(f"Expected level (the probability of an interval) strictly between 0 and 1, got {level!r}")
    problem = problem_of(X, y, "squared", None, fit_intercept)
    if np.ndim(problem.y) != 1:
        raise ValueError(f"Expected y of shape (n,), got {problem.y.shape}; call it for every target")
    penalty, noise = _checked_lasso(penalty, problem.p), _noise(problem, sigma)
    fitted = solve_one(problem, penalty, _TOL, 100_000)
    if not fitted.solved[0]:
        raise ValueError(f"The lasso was not solved precisely enough to know its support: {fitted.status[0]}")
    columns, names = fitted.coefficients.used(0), column_names(X)
    names = [f"x{j}" if names is None else names[j] for j in columns]
    strengths = penalty.l1_l2((problem.p,))[0][columns]
    estimates, sd, low, high = _limits(problem, columns, np.sign(fitted.coefs[0, columns]), strengths, noise)
    each = list(zip(estimates, sd, low, high, strict=True))
    ends = np.array([truncated_interval(*one, level) for one in each]).reshape(-1, 2)
    p_values = np.array([truncated_p_value(*one) for one in each])
    return PostSelection(
        columns, names, estimates, ends[:, 0], ends[:, 1], p_values, float(level), noise, sigma is not None
    )


def _checked_lasso(penalty, p: int) -> Penalty:
    if hasattr(penalty, "cv") or hasattr(penalty, "cv_losses_"):
        raise TypeError(
            "These intervals need a λ that was fixed before y was seen, and cross-validation chooses it from y; pass a penalty "
            "such as L1(0.1), or choose λ on other rows"
        )
    check_settings(penalty, 1.0, 1)
    parts = penalty.l1_l2((p,))
    if parts is None or np.any(parts[1]) or not np.all(parts[0]):
        raise ValueError(f"These intervals are derived for the lasso, L1(lam) with lam > 0, got {penalty!r}")
    return penalty


def _noise(problem: Problem, sigma) -> float:
    if sigma is not None:
        if isinstance(sigma, bool) or not (isinstance(sigma, numbers.Real) and 0 < float(sigma) < np.inf):
            raise ValueError(
                f"Expected sigma (the standard deviation of the errors) to be finite and > 0, got {sigma!r}"
            )
        return float(sigma)
    df = problem.n - problem.p - problem.fit_intercept
    if df < 1:
        raise ValueError(
            f"With {problem.n} rows and {problem.p} columns the noise cannot be estimated from the residuals; pass sigma"
        )
    found = solve_one(problem, L2(0.0), 1e-10, 1000)
    variance = 2.0 * problem.n * float(found.losses[0]) / df
    if not variance > 0:
        raise ValueError("The columns reproduce y exactly, so the noise cannot be estimated; pass sigma")
    return float(np.sqrt(variance))


def _limits(problem: Problem, columns, signs, strengths, sigma: float):
    """(estimates, their standard deviations, lower and upper limits that keep all signs), (m,) each.

    Moving y along the direction of estimate j by t moves estimate k by t M_kj/M_jj, M = (X̃'X̃)⁻¹, and the signs stay while
    s_k (estimate_k − shrinkage_k) ≥ 0. The columns that were not selected are orthogonal to these moves.
    """
    if not len(columns):
        nothing = np.zeros(0)
        return nothing, nothing, nothing, nothing
    X = problem.design.centred_columns(columns)
    y = problem.y - problem.y.mean() if problem.fit_intercept else problem.y
    try:
        M = cho_solve(cho_factor(X.T @ X), np.eye(len(columns)))
    except LinAlgError:
        raise ValueError("The selected columns are linearly dependent, so their coefficients are not defined") from None
    estimates, spread = M @ (X.T @ y), np.diagonal(M)
    room = signs * (estimates - problem.n * M @ (strengths * signs))  # ≥ 0 but for rounding
    rate = signs[:, None] * M / spread  # of room k as estimate j moves
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.maximum(room, 0.0)[:, None] / np.abs(rate)
    low = estimates - np.where(rate > 0, reach, np.inf).min(0)
    high = estimates + np.where(rate < 0, reach, np.inf).min(0)
    return estimates, sigma * np.sqrt(spread), low, high

"""scikit-learn's `lasso_path` and `enet_path`, the penalties of the drop-ins, and their grids of α."""

from __future__ import annotations

import numbers
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar

from shrinkwise import penalties
from shrinkwise.linear.paths.api import path as solve_path
from shrinkwise.linear.paths.grid import lambda_max
from shrinkwise.linear.problem.checks import check_settings, checked_grid, finite_numbers, problem_of
from shrinkwise.linear.problem.problem import Problem

# The gap asked of every fit. scikit-learn also waits until no coefficient moves, which a loose gap does not see.
CLOSEST = 1e-12


def enet_path(
    X,
    y,
    *,
    l1_ratio=0.5,
    eps=1e-3,
    n_alphas="deprecated",
    alphas="warn",
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    check_input=True,
    max_iter=1000,
    tol=1e-4,
    selection="cyclic",
    random_state=None,
):
    """Elastic-net path without an intercept, scikit-learn's enet_path: for every α of a grid the minimiser of

        1/(2n) ‖y − Xw‖² + α ρ ‖w‖₁ + ½ α (1 − ρ) ‖w‖²,   ρ = `l1_ratio`;

    for y of shape (n, K) with Σ_j ‖w_j‖ in the place of ‖w‖₁, w_j the coefficients of column j in all targets.

    Parameters
    ----------
    X : (n, p), dense or sparse.  y : (n,) or (n, K)
    l1_ratio : float in [0, 1]; 0 needs a grid.
    eps : float > 0
        Ratio of the smallest α to the largest, for a grid that is not given.
    alphas : int, array or None
        Number of values of the grid (None: 100), or the grid itself, which is sorted in decreasing order.
    n_alphas : int
        The number of values, in the name that scikit-learn has deprecated; used where `alphas` gives none.
    return_n_iter : bool; also return the numbers of iterations.
    positive : bool; w ≥ 0, for a single target.
    max_iter, tol : as for `ElasticNet`; a ConvergenceWarning says where the gap stays above `tol`.
    precompute, Xy, copy_X, coef_init, verbose, check_input, selection, random_state
        Accepted and without effect, as in `ElasticNet`.

    Returns
    -------
    alphas (L,), coefs (p, L) or (K, p, L) in the precision of X, dual_gaps (L,) in the units of the objective, and with
    `return_n_iter` the list of the numbers of iterations.

    Raises
    ------
    ValueError : if no grid can be made (l1_ratio = 0), or `positive` is set for several targets.

    >>> X, y = np.array([[-1.0], [0.0], [1.0]]), np.array([-2.0, 0.0, 2.0])
    >>> alphas, coefs, gaps = enet_path(X, y, l1_ratio=1.0, alphas=[1 / 3])
    >>> round(float(coefs[0, 0]), 6)                                  # (4/3 − 1/3) / (2/3)
    1.5
    """
    problem = problem_of(X, y, "squared", fit_intercept=False)
    several = problem.y.ndim == 2
    if several and positive:
        raise ValueError("Expected positive=False for several targets; fit one path per target for w ≥ 0")
    check_scalar(l1_ratio, "l1_ratio", numbers.Real, min_val=0.0, max_val=1.0)
    penalty = multi_task(1.0, l1_ratio, problem.p) if several else elastic_net(1.0, l1_ratio, positive)
    check_settings(penalty, tol, max_iter)
    grid = alpha_grid(problem, penalty, l1_ratio, eps, _asked(alphas, n_alphas))
    fitted = solve_path(X, y, penalty, lambdas=grid, fit_intercept=False, tol=min(tol, CLOSEST), max_iter=int(max_iter))
    if len(missed := np.flatnonzero(~(fitted.gaps <= max(tol, CLOSEST)) & ~fitted.solved)):
        where = f"{len(missed)} of {len(grid)} alphas, first at {grid[missed[0]]:.3g}"
        message = f"The duality gap is above tol={tol:g} for {where}: {fitted.status[missed[0]]}"
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    dtype = getattr(X, "dtype", None)
    coefs = np.moveaxis(fitted.coefs, 0, -1).astype(np.float32 if dtype == np.float32 else float, copy=False)
    found = grid, coefs, fitted.gaps * fitted.data.null_loss
    return (*found, [int(n) for n in fitted.n_iter]) if return_n_iter else found


def lasso_path(X, y, **options):
    """Lasso path without an intercept, scikit-learn's lasso_path: `enet_path` at ``l1_ratio=1``, with its options.

    minimise  1/(2n) ‖y − Xw‖² + α ‖w‖₁  for every α of a grid; see `enet_path` for parameters, shapes and errors.

    >>> X, y = np.array([[-1.0], [0.0], [1.0]]), np.array([-2.0, 0.0, 2.0])
    >>> lasso_path(X, y, alphas=[2.0, 1 / 3])[1].round(6).tolist()    # zero above α = 4/3
    [[0.0, 1.5]]
    """
    return enet_path(X, y, **{**options, "l1_ratio": 1.0})


def _asked(alphas, n_alphas):
    if alphas is None or (isinstance(alphas, str) and alphas == "warn"):
        return n_alphas if isinstance(n_alphas, numbers.Integral) else 100
    return alphas


def alpha_grid(problem: Problem, penalty, l1_ratio: float, eps: float, alphas) -> np.ndarray:
    """The α (L,), decreasing; a grid of equal values if the target or the columns are constant.

    `penalty` is the penalty at α = 1; `alphas` the number of values, or the values.
    """
    if not isinstance(alphas, numbers.Integral):
        for i, alpha in enumerate(alphas):
            check_scalar(alpha, f"alphas[{i}]", numbers.Real, min_val=0.0)
        return checked_grid(np.sort(finite_numbers(alphas, "alphas"))[::-1])
    if l1_ratio == 0:
        raise ValueError("Automatic alpha grid generation is not supported for l1_ratio=0; pass a grid with alphas=.")
    check_scalar(alphas, "alphas", numbers.Integral, min_val=1)
    check_scalar(eps, "eps", numbers.Real, min_val=0.0, include_boundaries="neither")
    top, least = lambda_max(problem, penalty), np.finfo(float).resolution
    if not top > least:
        return np.full(int(alphas), least)
    size = int(alphas)
    return top * float(eps) ** (np.arange(size) / max(size - 1, 1))


def elastic_net(alpha, l1_ratio, positive: bool):
    """The penalty of the elastic net; `L1` or `L2` if l1_ratio is 1 or 0."""
    if l1_ratio == 1:
        penalty: penalties.Penalty = penalties.L1(alpha)
    else:
        penalty = penalties.ElasticNet(alpha, l1_ratio)
    return penalty + penalties.NonNegative() if positive else penalty


def multi_task(alpha: float, l1_ratio: float, n_features: int):
    """α ρ Σ_j ‖w_j‖ + ½ α (1 − ρ) Σ_j ‖w_j‖², w_j the coefficients of column j in all targets."""
    groups = penalties.GroupLasso(alpha * l1_ratio, groups=penalties.Groups.axis(1), weights=np.ones(n_features))
    return groups if l1_ratio == 1 else groups + penalties.L2(0.5 * alpha * (1.0 - l1_ratio))

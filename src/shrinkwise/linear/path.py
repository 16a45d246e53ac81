"""The regularization path: the solution at every λ of a decreasing grid, each started from the one before it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import svd

from ..penalties import L2, Penalty
from .design import is_sparse
from .newton import NewtonSolver
from .problem import Problem
from .residual import ResidualSolver
from .squared import SquaredSolver


@dataclass
class Path:
    """Solutions over a grid of λ.

    Attributes
    ----------
    lambdas : (L,) decreasing.
    coefs : (L, p), or (L, K, p) for the multinomial loss.
    intercepts : (L,), or (L, K).
    gaps : (L,) relative duality gaps (nan for nonconvex penalties).
    kkt : (L,) largest violations of stationarity, in units of the gradient.
    objectives : (L,) loss + penalty.
    solved : (L,) whether the gap is ≤ tol.
    n_iter : (L,) sweeps or Newton steps taken.
    status : L sentences.
    """

    penalty: Penalty
    loss: str
    lambdas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    gaps: np.ndarray
    kkt: np.ndarray
    objectives: np.ndarray
    solved: np.ndarray
    n_iter: np.ndarray
    status: list[str] = field(repr=False)

    @property
    def n_nonzero(self) -> np.ndarray:
        """Inputs in use at each λ: columns with a non-zero weight in any output, (L,)."""
        used = self.coefs != 0
        return (used if used.ndim == 2 else used.any(1)).sum(1)

    def predict(self, X) -> np.ndarray:
        """Linear predictors Xw + b at every λ: (L, n), or (L, n, K)."""
        eta = np.einsum("nj,l...j->ln...", X, self.coefs, optimize=True)
        return eta + self.intercepts.reshape(len(self.lambdas), 1, *self.intercepts.shape[1:])

    def plot(self, names=None, *, mark=None, ax=None):
        """Draw the coefficients over λ (those of the first class of several); see `figures.coefficient_path`."""
        from ..figures import coefficient_path

        coefs = self.coefs if self.coefs.ndim == 2 else self.coefs[:, 0]
        return coefficient_path(self.lambdas, coefs, names, mark=mark, ax=ax)


def path(
    X,
    y,
    penalty: Penalty,
    *,
    loss: str = "squared",
    lambdas=None,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    sample_weight=None,
    fit_intercept: bool = True,
    tol: float = 1e-6,
    max_iter: int = 10_000,
) -> Path:
    """Minimise (1/n) Σ s_i f(y_i, x_i'w + b) + λ f(w) for every λ of a decreasing grid.

    f(y, η) is ½(y−η)² ("squared"), log(1+e^η) − yη ("logistic", y in {0, 1}) or log Σ e^η − η_y ("multinomial").

    Parameters
    ----------
    X : (n, p) dense array. Not standardised inside: the penalty acts on the columns as they come.
    y : (n,).
    penalty : Penalty
        λ f; its λ is replaced along the grid by ``penalty.with_lam``.
    lambdas : decreasing grid, optional. Else `n_lambdas` values, evenly spaced in log λ, from λ_max (where all
        penalised weights are exactly zero) down to `lambda_min_ratio` λ_max (default 1e-3 if n > p, else 1e-2).
        Ridge has no finite λ_max: its grid runs over 1e-8 … 1 times the λ that shrinks the strongest direction of
        X to 1 %.
    sample_weight : (n,) ≥ 0, normalised to mean 1.
    fit_intercept : an unpenalised intercept b.
    tol : relative duality gap at which a solution counts as solved.
    max_iter : most sweeps (squared) or Newton steps at one λ.

    Returns
    -------
    Path
    """
    X, y = _checked(X, y)
    problem = Problem(X, y, loss, sample_weight, fit_intercept)
    if not isinstance(penalty, Penalty):
        raise TypeError(f"expected a shrinkwise penalty such as shrinkwise.L1(0.1), got {type(penalty).__name__}")
    if lambdas is None:
        lambdas = lambda_grid(problem, penalty, n_lambdas, lambda_min_ratio)
    lambdas = np.asarray(lambdas, dtype=float)
    if lambdas.ndim != 1 or len(lambdas) == 0 or (np.diff(lambdas) > 0).any() or not (lambdas >= 0).all():
        raise ValueError("expected lambdas as a decreasing list of numbers ≥ 0")
    return _solve_all(problem, penalty, lambdas, tol, max_iter)


def solve_one(problem: Problem, penalty: Penalty, tol: float, max_iter: int) -> Path:
    """The solution at the penalty's own λ, as a path of length one (reached along a short path from λ_max)."""
    lam = penalty.lam
    lambdas = np.array([lam])
    top = lambda_max(problem, penalty)
    if np.isfinite(top) and 0 < lam < 0.3 * top:
        lambdas = np.geomspace(top, lam, 2 + int(np.log2(top / lam)))
        lambdas[-1] = lam
    return _solve_all(problem, penalty, lambdas, tol, max_iter, keep_last=True)


def lambda_max(problem: Problem, penalty: Penalty) -> float:
    """Smallest λ at which every penalised weight is zero: at the fitted intercept and unpenalised columns; may be ∞."""
    return penalty.lambda_max(_null_gradient(problem, penalty)) * (1.0 + 8 * np.finfo(float).eps)


def lambda_grid(problem: Problem, penalty: Penalty, n_lambdas: int, ratio: float | None) -> np.ndarray:
    """`n_lambdas` values down from λ_max, or the ridge grid where λ_max is infinite (see `path`)."""
    top = lambda_max(problem, penalty)
    if top == 0:  # nothing to explain: a constant target, or no penalised column
        return np.array([1.0])
    if not np.isfinite(top):
        parts = penalty.with_lam(1.0).l1_l2(problem.weights_shape)
        curvature = float(parts[1].max()) if parts is not None else 1.0
        top, ratio = 100.0 * problem.top_curvature / curvature, 1e-8 if ratio is None else ratio
    elif ratio is None:
        ratio = 1e-3 if problem.n > problem.p else 1e-2
    return np.geomspace(top, top * ratio, n_lambdas) if n_lambdas > 1 else np.array([top])


def _null_fit(problem: Problem, penalty: Penalty):
    """(w, b) with every penalised weight zero: the intercept and the unpenalised columns alone are fitted."""
    free = penalty.with_lam(1.0).unpenalised(problem.weights_shape)
    w, b = problem.zero()
    columns = np.flatnonzero(free.reshape(-1, problem.p).any(0))
    if len(columns):
        part = Problem(problem.X[:, columns], problem.y, problem.loss, problem.s, problem.fit_intercept, problem.offset)
        fitted = _solver(part).solve(L2(0.0), 1e-14, 1000)
        w[..., columns], b = fitted.w, fitted.b
    return w, b


def _null_gradient(problem: Problem, penalty: Penalty):
    eta = problem.eta(*_null_fit(problem, penalty))
    return problem.correlate((problem.s * problem.loss.gradient(problem.y, eta).T).T)


def _solver(problem: Problem, start=None):
    if problem.loss.name != "squared":
        return NewtonSolver(problem, start)
    return (ResidualSolver if problem.design.sparse else SquaredSolver)(problem, start)


def _solve_all(problem: Problem, penalty: Penalty, lambdas, tol, max_iter, keep_last: bool = False) -> Path:
    rotation = _row_space(problem, penalty)
    inner = problem if rotation is None else rotation.problem
    solver = _solver(inner, _null_fit(inner, penalty) if rotation is None else None)
    if isinstance(solver, SquaredSolver | NewtonSolver):
        results = list(solver.solve_all(penalty, lambdas, tol, max_iter))
    else:
        results = [solver.solve(penalty.with_lam(lam), tol, max_iter) for lam in lambdas]
    if rotation is not None:
        for solution in results:
            solution.w = solution.w @ rotation.V.T
    if keep_last:
        lambdas, results = lambdas[-1:], results[-1:]
    certificates = [r.certificate for r in results]
    return Path(
        penalty=penalty,
        loss=problem.loss.name,
        lambdas=lambdas,
        coefs=np.array([r.w for r in results]),
        intercepts=np.array([r.b for r in results]),
        gaps=np.array([c.gap for c in certificates]),
        kkt=np.array([c.kkt for c in certificates]),
        objectives=np.array([c.objective for c in certificates]),
        solved=np.array([r.solved for r in results]),
        n_iter=np.array([r.n_iter for r in results]),
        status=[_sentence(r.certificate, r.solved, tol, max_iter) for r in results],
    )


def _sentence(certificate, solved: bool, tol: float, max_iter: int) -> str:
    if np.isnan(certificate.gap):
        state = "solved to a stationary point" if solved else f"stopped at max_iter={max_iter}"
        return f"{state}: KKT violation {certificate.kkt:.1e} (the penalty is not convex, so there is no duality gap)"
    if solved:
        return f"solved: relative gap {certificate.gap:.1e}"
    return f"stopped at max_iter={max_iter}: relative gap {certificate.gap:.1e} > tol={tol:g}, raise max_iter or tol"


@dataclass
class _RowSpace:
    problem: Problem
    V: np.ndarray


def _row_space(problem: Problem, penalty: Penalty) -> _RowSpace | None:
    # A uniform ridge solution lies in the span of the rows: with p > n solve for v in w = Vv, V an orthonormal basis of it.
    if problem.loss.name == "squared" or problem.p <= problem.n or problem.design.sparse:
        return None
    parts = penalty.with_lam(1.0).l1_l2(problem.weights_shape)
    if parts is None or parts[0].any() or np.ptp(parts[1]) > 0 or getattr(penalty, "weights", None) is not None:
        return None
    U, singular, Vt = svd(problem.X, full_matrices=False, check_finite=False)
    keep = singular > singular[0] * max(problem.X.shape) * np.finfo(float).eps if len(singular) else slice(None)
    scores = U[:, keep] * singular[keep]
    reduced = Problem(scores, problem.y, problem.loss, problem.s, problem.fit_intercept, problem.offset)
    return _RowSpace(reduced, Vt[keep].T)


def _checked(X, y):
    X, y = X if is_sparse(X) else np.asarray(X, dtype=float), np.asarray(y)
    if X.ndim != 2 or y.shape != (X.shape[0],):
        raise ValueError(f"expected X of shape (n, p) and y of shape (n,), got {X.shape} and {y.shape}")
    return X, y

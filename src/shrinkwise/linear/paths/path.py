"""What a path is: solutions over λ, their certificates, and what can be read from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.penalties import Penalty

from . import information
from .coefficients import Coefficients


def sentence(gap: float, kkt: float, solved: bool, tol: float, max_iter: int) -> str:
    """What became of one fit."""
    if np.isnan(kkt):
        return (
            f"relaxed: {'refitted on the support' if solved else 'the refit on the support did not reach its optimum'}"
        )
    if np.isnan(gap):
        state = "solved to a stationary point" if solved else f"stopped at max_iter={max_iter}"
        return f"{state}: KKT violation {kkt:.1e} (the penalty is not convex, so there is no duality gap)"
    if solved:
        return f"solved: relative gap {gap:.1e}"
    return f"stopped at max_iter={max_iter}: relative gap {gap:.1e} > tol={tol:g}, raise max_iter or tol"


@dataclass
class Fit:
    """One solution: λ, coef, intercept and its certificate (see `Path.at`)."""

    lam: float
    coef: np.ndarray
    intercept: np.ndarray
    gap: float
    kkt: float
    objective: float
    solved: bool
    status: str

    def predict(self, X, offset=None) -> np.ndarray:
        """Linear predictor Xw + b, (n,) or (n, K)."""
        eta = X @ self.coef.T + self.intercept
        return eta if offset is None else eta + offset


@dataclass
class Path:
    """Solutions over a grid of λ.

    Attributes
    ----------
    lambdas : (L,) decreasing.
    coefs : (L, p), or (L, K, p) for several classes or targets; kept sparse inside, `coefs_sparse` is (L, p) CSR.
    intercepts : (L,), or (L, K).
    gaps : (L,) relative duality gaps (nan for nonconvex penalties).
    kkt : (L,) largest violations of stationarity, in units of the gradient.
    objectives : (L,) loss + penalty.
    solved : (L,) whether the gap is ≤ tol.
    n_iter : (L,) sweeps or Newton steps taken.
    status : L sentences.
    df, aic, bic, ebic(gamma), deviance_explained : (L,), computed from the data when asked for.
    gcv, loo : (L,) for ridge: generalized and exact leave-one-out cross-validation.

    A path keeps its data for these, and leaves them behind when it is pickled.
    """

    penalty: Penalty
    loss: str
    lambdas: np.ndarray
    coefficients: Coefficients = field(repr=False)
    intercepts: np.ndarray = field(repr=False)
    gaps: np.ndarray = field(repr=False)
    kkt: np.ndarray = field(repr=False)
    objectives: np.ndarray = field(repr=False)
    solved: np.ndarray = field(repr=False)
    n_iter: np.ndarray = field(repr=False)
    remark: str = field(default="", repr=False)  # what is to be said of λ = 0
    tol: float = field(default=1e-6, repr=False)
    max_iter: int = field(default=10_000, repr=False)
    problem: Problem | None = field(default=None, repr=False)
    ridge: Any = field(default=None, repr=False)
    refit: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.lambdas)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "problem": None, "ridge": None}

    @property
    def data(self) -> Problem:
        """The problem that was solved."""
        if self.problem is None:
            raise ValueError(
                "this path was pickled without its data: fit it again to ask for what is computed from them"
            )
        return self.problem

    @cached_property
    def status(self) -> list[str]:
        """What became of each fit, L sentences."""
        each = zip(self.lambdas, self.gaps, self.kkt, self.solved, strict=True)
        return [
            sentence(gap, kkt, solved, self.tol, self.max_iter) + (self.remark if lam == 0 else "")
            for lam, gap, kkt, solved in each
        ]

    # --- coefficients ------------------------------------------------------------------------------------
    @property
    def coefs(self) -> np.ndarray:
        """(L, p) or (L, K, p); written out when first asked for."""
        return self.coefficients.dense

    @property
    def coefs_sparse(self):
        """scipy.sparse CSR array (L, p); for K classes or targets (L·K, p), row l·K + k."""
        return self.coefficients.sparse()

    @property
    def n_nonzero(self) -> np.ndarray:
        """Inputs in use at each λ: columns with a non-zero weight in any output, (L,)."""
        return np.array([len(self.coefficients.used(i)) for i in range(len(self))])

    def predict(self, X, offset=None) -> np.ndarray:
        """Linear predictors Xw + b (+ offset) at every λ: (L, n), or (L, n, K)."""
        used = self.coefficients.used_anywhere()
        X = X if hasattr(X, "tocsc") else np.asarray(X)
        if len(used) > 0.5 * X.shape[1]:
            used = np.arange(X.shape[1])
        else:
            X = (X.tocsc() if hasattr(X, "tocsc") else X)[:, used]
        W = self.coefficients.on(used)
        eta = (X @ W.reshape(int(np.prod(W.shape[:-1])), len(used)).T).T.reshape(*W.shape[:-1], X.shape[0])
        eta = np.moveaxis(eta, -1, 1) + self.intercepts.reshape(len(self), 1, *self.intercepts.shape[1:])
        return eta if offset is None else eta + offset

    def at(self, lam: float) -> Fit:
        """The solution at any λ ≥ 0, with its certificate.

        Between two λ of a lasso or elastic-net path it is exact and costs one solve on the support: there the signs decide
        the solution, and stationarity on all columns proves it. Otherwise it is solved from the nearest start.
        """
        from .at_lambda import solution_at

        return solution_at(self, lam)

    def relaxed(self, gamma: float = 0.0) -> Path:
        """γ · the penalised solution + (1 − γ) · the unpenalised refit on its support, at every λ (glmnet's relaxed fit).

        Needs ``path(..., relaxed=True)``. γ = 1 is the path itself, γ = 0 the refit.
        """
        from .relaxed import blend

        return blend(self, gamma)

    # --- how good, how complex ------------------------------------------------------------------------------
    @cached_property
    def losses(self) -> np.ndarray:
        """(1/n) Σ s f(y, η) at every λ, (L,)."""
        problem = self.data
        found = []
        for i in range(len(self)):
            used = self.coefficients.used(i)
            found.append(problem.loss_at(problem.eta(self.coefficients[i][..., used], self.intercepts[i], used)))
        return np.array(found)

    @cached_property
    def df(self) -> np.ndarray:
        """Degrees of freedom at every λ, (L,), the intercept not counted; see `information.degrees_of_freedom`."""
        return information.degrees_of_freedom(self)

    @property
    def deviance_explained(self) -> np.ndarray:
        """1 − deviance / deviance of the model without inputs, (L,); R² for least squares."""
        return information.deviance_explained(self)

    @property
    def aic(self) -> np.ndarray:
        """−2 log-likelihood + 2k, (L,); see `information.criterion`."""
        return information.criterion(self, 2.0)

    @property
    def bic(self) -> np.ndarray:
        """−2 log-likelihood + k log n, (L,)."""
        return information.criterion(self, np.log(self.data.n))

    def ebic(self, gamma: float = 0.5) -> np.ndarray:
        """BIC + 2γ log C(p, df), (L,): for many more inputs than rows. Chen and Chen, Biometrika 2008."""
        return self.bic + information.model_count(self, gamma)

    @property
    def gcv(self) -> np.ndarray:
        """Generalized cross-validation mean(r²)/(1 − tr H/n)² of a ridge path, (L,)."""
        return information.smoother(self).gcv(self.lambdas)

    @property
    def loo(self) -> np.ndarray:
        """Mean squared leave-one-out error of a ridge path, (L,), exact: each row predicted by the fit to the others.

        nλ stays what it is: leaving a row out does not weaken the penalty on the sum of squares.
        """
        return information.smoother(self).loo(self.lambdas)

    def plot(self, names=None, *, mark=None, ax=None):
        """Draw the coefficients over λ (those of the first class of several); see `figures.coefficient_path`."""
        from shrinkwise.figures import coefficient_path

        coefs = self.coefs if self.coefs.ndim == 2 else self.coefs[:, 0]
        return coefficient_path(self.lambdas, coefs, names, mark=mark, ax=ax)

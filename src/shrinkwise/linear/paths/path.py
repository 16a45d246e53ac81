"""The solutions along λ with their certificates, and what is computed from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, ClassVar, TypeVar, cast

import numpy as np

from shrinkwise import __version__
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.penalties import Penalty

from . import information
from .coefficients import Coefficients
from .columns import check_columns

_Method = TypeVar("_Method", bound=Callable[..., Any])


def by_lambda(compute: _Method) -> _Method:
    """A method whose result has an axis of λ first; for ``path[i]`` it is computed with that axis, which is then dropped."""

    @wraps(compute)
    def computed(path: Path, *args, **kwargs):
        found = compute(path.path, *args, **kwargs)
        return found if np.ndim(path.lambdas) else found[0]

    return cast("_Method", computed)


def sentence(gap: float, kkt: float, solved: bool, tol: float, max_iter: int, against: str = "") -> str:
    """The status of one fit; `against` says why no finite optimum exists."""
    if against:
        return against
    if np.isnan(kkt):
        return (
            f"relaxed: {'refitted on the support' if solved else 'the refit on the support did not reach its optimum'}"
        )
    if np.isnan(gap):
        state = "solved to a stationary point" if solved else f"stopped at max_iter={max_iter}"
        return f"{state}: KKT violation {kkt:.1e} (no duality gap: the penalty is not convex or has no conjugate)"
    if solved and gap > tol:
        return (
            f"solved: KKT violation {kkt:.1e}, the rounding of the gradient (relative gap {gap:.1e}, which that "
            "rounding dominates)"
        )
    if solved:
        return f"solved: relative gap {gap:.1e}"
    return f"stopped at max_iter={max_iter}: relative gap {gap:.1e} > tol={tol:g}, increase max_iter or tol"


@dataclass(repr=False)
class Path:
    """Solutions over a grid of λ. ``path[2:5]`` and ``path[2]`` are Paths; as with NumPy, the latter has no axis of λ.

    Attributes
    ----------
    lambdas : (L,) decreasing.
    coefs : (L, p), or (L, K, p) for several classes or targets; stored sparsely; `coefs_sparse` is (L, p) CSR.
    intercepts : (L,), or (L, K).
    gaps : (L,) relative duality gaps (nan for nonconvex penalties).
    kkt : (L,) largest violations of stationarity, in units of the gradient.
    objectives : (L,) loss + penalty.
    solved : (L,) whether the gap is ≤ tol (or the violation of stationarity at its rounding) and a finite optimum exists.
    n_iter : (L,) sweeps or Newton steps taken.
    status : L sentences.
    df, aic, bic, ebic(gamma), deviance_explained : (L,), computed from the data on first use.
    gcv, loo : (L,) for ridge: generalized and exact leave-one-out cross-validation.

    The attributes of ``path[i]`` are those of the path without the first axis: `kkt`, `n_iter` and `df` are numbers,
    `solved` is True or False, `status` is one sentence and `predict` returns (n,) or (n, K). It also has the attributes
    lam, coef, intercept, gap, objective and used (the columns with a non-zero weight); its `path` is ``path[i : i + 1]``.

    A path keeps a reference to its data for these; a pickle does not contain the data.
    """

    # What needs a solver is written beside it and bound in this folder's `__init__`.
    at: ClassVar[Callable[..., Path]]
    relaxed: ClassVar[Callable[..., Path]]
    to_frame: ClassVar[Callable[..., Any]]

    penalty: Penalty
    loss: str
    lambdas: np.ndarray
    coefficients: Coefficients = field(repr=False)
    intercepts: np.ndarray = field(repr=False)
    gaps: np.ndarray = field(repr=False)
    kkt: Any = field(repr=False)  # numbers in `path[i]`
    objectives: np.ndarray = field(repr=False)
    solved: Any = field(repr=False)
    n_iter: Any = field(repr=False)
    against: np.ndarray = field(repr=False)  # sentences: why no finite optimum exists, "" where one does
    remark: str = field(default="", repr=False)  # what is to be said of λ = 0
    tol: float = field(default=1e-6, repr=False)
    max_iter: int = field(default=10_000, repr=False)
    problem: Problem | None = field(default=None, repr=False)
    ridge: Any = field(default=None, repr=False)
    refit: Path | None = field(default=None, repr=False)
    column_names: list | None = field(default=None, repr=False)
    has_offset: bool = field(default=False, repr=False)
    column_scale: np.ndarray | None = field(
        default=None, repr=False
    )  # of standardised columns: w is σ times a coefficient

    def __len__(self) -> int:
        return np.size(self.lambdas)

    def __iter__(self) -> Iterator[Path]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        """``path[slice]`` or ``path[[i, j]]``: the Path of these λ; ``path[i]``: that of one λ, without the axis of λ."""
        whole = self.path
        rows = np.arange(len(whole))[index]
        cut: dict[str, Any] = {name: _taken(getattr(whole, name), rows) for name in _PER_LAMBDA}
        coefficients = whole.coefficients.take(np.atleast_1d(rows))
        refit = None if whole.refit is None else whole.refit[index]
        return replace(whole, **cut, coefficients=coefficients, refit=refit, ridge=None)

    @property
    def path(self) -> Path:
        """The path itself; for ``path[i]`` the path of this λ alone, ``path[i : i + 1]``."""
        if np.ndim(self.lambdas):
            return self
        stacked: dict[str, Any] = {name: np.array([getattr(self, name)]) for name in _PER_LAMBDA}
        return replace(self, **stacked, refit=None if self.refit is None else self.refit.path)

    def without_data(self) -> Path:
        """The same solutions without the reference to their data, which may be large."""
        return replace(self, problem=None, ridge=None)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "problem": None, "ridge": None, "version": __version__}

    def __setstate__(self, state: dict) -> None:
        warn_of_version(state.pop("version", None), "Path")
        self.__dict__.update(state)

    def __repr__(self) -> str:
        """A table like glmnet's: df, % deviance, λ and relative gap of every fit."""
        head = f"Path of {len(self)} λ: {self.penalty!r}, {self.loss} loss"
        rows = [f"{df:>10} {dev:>8} {lam:>11.4g} {gap:>9.1e}" for df, dev, lam, gap in self.path._table()]
        if len(rows) > 20:
            rows = [*rows[:10], f"       … {len(rows) - 20} more", *rows[-10:]]
        return "\n".join([head, f"{'df':>10} {'% dev':>8} {'lambda':>11} {'gap':>9}", *rows])

    def _table(self):
        known = self.problem is not None
        explained = [f"{100 * d:.2f}" for d in self.deviance_explained] if known else ["-"] * len(self)
        return zip(self.n_nonzero, explained, self.lambdas, self.gaps, strict=True)

    @property
    def data(self) -> Problem:
        """The problem that was solved."""
        if self.problem is None:
            raise ValueError("This path was pickled without its data, which this attribute needs; fit the path again")
        return self.problem

    @cached_property
    @by_lambda
    def status(self) -> Any:
        """The status of each fit, L sentences; of ``path[i]`` one sentence."""
        each = zip(self.lambdas, self.gaps, self.kkt, self.solved, self.against, strict=True)
        return [
            sentence(gap, kkt, solved, self.tol, self.max_iter, against) + (self.remark if lam == 0 else "")
            for lam, gap, kkt, solved, against in each
        ]

    # --- coefficients ------------------------------------------------------------------------------------
    @property
    @by_lambda
    def coefs(self) -> np.ndarray:
        """(L, p) or (L, K, p); converted to a dense array on first use."""
        dense = self.coefficients.dense
        return dense if self.column_scale is None else dense / self.column_scale

    @property
    def coefs_sparse(self):
        """scipy.sparse CSR array (L, p); for K classes or targets (L·K, p), row l·K + k."""
        found = self.coefficients.sparse()
        if self.column_scale is not None:
            found = found.copy()
            found.data /= self.column_scale[found.indices]
        return found

    @property
    @by_lambda
    def n_nonzero(self) -> np.ndarray:
        """Number of inputs used at each λ: columns with a non-zero weight in any output, (L,)."""
        return np.array([len(self.coefficients.used(i)) for i in range(len(self))])

    @by_lambda
    def predict(self, X, offset=None) -> np.ndarray:
        """Linear predictors Xw + b (+ offset) at every λ: (L, n), or (L, n, K).

        X must have as many columns as in the fit and, if both are named, the same names in the same order. A path that
        was fitted with an offset needs one here too.
        """
        check_columns(X, self.coefficients.shape[-1], self.column_names)
        used = self.coefficients.used_anywhere()
        X = X if hasattr(X, "tocsc") else np.asarray(X)
        if len(used) > 0.5 * X.shape[1]:
            used = np.arange(X.shape[1])
        else:
            X = (X.tocsc() if hasattr(X, "tocsc") else X)[:, used]
        W = self.coefficients.on(used)
        if self.column_scale is not None:
            W = W / self.column_scale[used]
        eta = (X @ W.reshape(int(np.prod(W.shape[:-1])), len(used)).T).T.reshape(*W.shape[:-1], X.shape[0])
        eta = np.moveaxis(eta, -1, 1) + self.intercepts.reshape(len(self), 1, *self.intercepts.shape[1:])
        return with_offset(eta, offset, self.has_offset)

    # --- how good, how complex ------------------------------------------------------------------------------
    @cached_property
    @by_lambda
    def losses(self) -> np.ndarray:
        """(1/n) Σ s f(y, η) at every λ, (L,)."""
        problem = self.data
        if not problem.has_rows:  # evaluated in the passes that solved the path
            values = [
                float(self.penalty.with_lam(lam).value(self.coefficients[i])) for i, lam in enumerate(self.lambdas)
            ]
            return self.objectives - np.array(values)
        found = []
        for i in range(len(self)):
            used = self.coefficients.used(i)
            found.append(problem.loss_at(problem.eta(self.coefficients[i][..., used], self.intercepts[i], used)))
        return np.array(found)

    @cached_property
    @by_lambda
    def df(self) -> np.ndarray:
        """Degrees of freedom at every λ, (L,), without the intercept; see `information.degrees_of_freedom`."""
        return information.degrees_of_freedom(self)

    @property
    @by_lambda
    def deviance_explained(self) -> np.ndarray:
        """1 − deviance / deviance of the model without inputs, (L,); R² for least squares."""
        return information.deviance_explained(self)

    @property
    def noise_variance(self) -> float:
        """σ² of the errors of least squares, estimated from fits with at most n/2 parameters; see `information`."""
        return information.estimated_noise(self.path)

    @by_lambda
    def criterion(self, price: float, noise_variance: float | None = None) -> np.ndarray:
        """−2 log-likelihood + price · k, (L,): price 2 is AIC, log n is BIC; see `information.criterion`."""
        return information.criterion(self, price, noise_variance)

    @property
    @by_lambda
    def aic(self) -> np.ndarray:
        """−2 log-likelihood + 2k, (L,); with n < 2p the variance is `noise_variance` at every λ, see `criterion`."""
        return information.criterion(self, 2.0)

    @property
    @by_lambda
    def bic(self) -> np.ndarray:
        """−2 log-likelihood + k log n, (L,). With more inputs than rows it keeps too many of them; see `ebic`."""
        return information.criterion(self, np.log(information.row_count(self.data)))

    @by_lambda
    def ebic(self, gamma: float = 0.5) -> np.ndarray:
        """BIC + 2γ log C(p, df), (L,): for many more inputs than rows. Chen and Chen, Biometrika 2008."""
        return self.bic + information.model_count(self, gamma)

    @property
    @by_lambda
    def gcv(self) -> np.ndarray:
        """Generalized cross-validation mean(r²)/(1 − tr H/n)² of a ridge path, (L,)."""
        return information.smoother(self).gcv(self.lambdas)

    @property
    @by_lambda
    def loo(self) -> np.ndarray:
        """Mean squared leave-one-out error of a ridge path, (L,), exact: each row is predicted by the fit to the
        others.

        nλ is held constant: leaving a row out does not weaken the penalty on the sum of squares.
        """
        return information.smoother(self).loo(self.lambdas)

    def plot(self, names=None, *, mark=None, ax=None):
        """Draw the coefficients over λ (those of the first class of several); see `figures.coefficient_path`.

        `names` are by default those of the columns.
        """
        from shrinkwise.figures import coefficient_path

        path, names = self.path, self.column_names if names is None else names
        coefs = path.coefs if path.coefs.ndim == 2 else path.coefs[:, 0]
        return coefficient_path(path.lambdas, coefs, names, mark=mark, ax=ax)

    # --- the solution at one λ ------------------------------------------------------------------------------
    def _single(self, name: str):
        if np.ndim(self.lambdas):
            raise AttributeError(f"Expected one λ, got a path of {len(self)} λ; use path[i] or path.{name}")
        return getattr(self, name)

    lam = property(lambda self: self._single("lambdas"), doc="λ of a single solution.")
    coef = property(lambda self: self._single("coefs"), doc="Its weights, (p,) or (K, p).")
    intercept = property(lambda self: self._single("intercepts"), doc="Its intercept, scalar or (K,).")
    gap = property(lambda self: self._single("gaps"), doc="Its relative duality gap; NaN for nonconvex penalties.")
    objective = property(lambda self: self._single("objectives"), doc="Its loss + penalty.")
    used = property(lambda self: self._single("coefficients").used(0), doc="Its columns with a non-zero weight.")


_PER_LAMBDA = ("lambdas", "intercepts", "gaps", "kkt", "objectives", "solved", "n_iter", "against")


def _taken(values: np.ndarray, rows):
    """values[rows]; of one row, a Python number."""
    return values.item(rows) if rows.ndim == 0 and values.ndim == 1 else values[rows]


def with_offset(eta, offset, needed: bool):
    """eta + offset; `eta` may have an axis of λ in front. An offset is required if the fit had one."""
    if offset is None:
        if needed:
            raise ValueError(
                "The model was fitted with an offset; pass offset= for these rows (zeros if there is none)"
            )
        return eta
    offset = np.asarray(offset, dtype=float)
    if offset.shape not in (eta.shape, eta.shape[1:]) or not offset.ndim:
        raise ValueError(
            f"Expected offset of shape {eta.shape[1:]}, one number per linear predictor, got {offset.shape}"
        )
    if not np.isfinite(offset).all():
        raise ValueError("Expected finite numbers in offset, got NaN or infinite entries")
    return eta + offset


def warn_of_version(version: str | None, what: str) -> None:
    """Warn if a pickle was written by another version of the package."""
    if version != __version__:
        warnings.warn(
            f"This {what} was pickled by shrinkwise {version or 'before 0.1'} and is loaded by {__version__}; fit "
            "it again if results look wrong",
            UserWarning,
            stacklevel=3,
        )

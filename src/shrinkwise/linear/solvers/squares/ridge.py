"""Ridge at every λ from one decomposition, with its leave-one-out errors.

    minimise  1/(2n) ‖ỹ − X̃w‖² + ½ λ Σ c_j w_j²        X̃ = √s (X − x̄),  ỹ likewise,  c_j = 2 for ``L2(λ)``

With Z = X̃ C^{−1/2} (columns with c_j = 0 projected out first) and the eigenvectors of Z'Z/n, or of ZZ'/n where n < p, every
λ costs a few matrix-vector products: fitted values Hỹ with H = Z (Z'Z + nλ)⁻¹ Z', degrees of freedom tr H, and

    leave-one-out residual  e_i = (y_i − ŷ_i) / (1 − h_i)        h_i = H_ii + s_i/n (intercept) + the free columns' leverage,

exactly what refitting without row i at the same nλ would give. As λ falls, both sides of that fraction fall to 0 wherever
the other columns fit row i exactly, so neither is taken as a difference: with U the left singular vectors of Z,

    √s (y − ŷ) = (I − P) ỹ + U diag(λ/(d + λ)) U'ỹ        1 − h_i = (I − P)_ii + Σ_k U_ik² λ/(d_k + λ)

where P projects on the intercept, the free columns and U. On the rows' side the decomposition is made in the complement of
intercept and free columns, where I − P is exactly 0; there ZZ' would have null directions, and their eigenvalues, 0 up to
rounding, would take part as soon as λ is as small. Forming Z'Z squares the condition number: where λ is so small beside the
spectrum that this shows, or a row is fitted so closely, a singular value decomposition of Z takes its place.

References: Golub, Heath, Wahba, Generalized cross-validation, Technometrics 1979. Hastie and Tibshirani, Efficient quadratic
regularization for expression arrays, Biostatistics 2004 (p ≫ n).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lstsq, qr, svd

from shrinkwise.linear.certificates import Solutions, at_rounding
from shrinkwise.linear.problem.problem import Problem

from .complement import Complement
from .strengths import Strengths

# A filter d/(d + λ) from the eigenvalues of Z'Z is off by eps · d_max/(d + λ) at most: 1e-8 at this ratio.
_SQUARED_ENOUGH = 3e-8
_SMALL_MEANS = 100.0  # digits lost by centring products instead of columns: at most two
_NEARLY_FITTED = 1e-6  # 1 − h_i or (I − P)_ii below which it is no longer computed as a difference
_LARGEST_SIDE = 6_000
_LARGEST_DENSE = 50_000_000  # entries of a sparse X that may be written out


def ridge_of(problem: Problem, penalty, lambdas) -> RidgeDecomposition | None:
    """The decomposition for the whole path for least squares with L2 and λ > 0; else None."""
    factors = _factors(problem, penalty) if min(lambdas) > 0 else None
    return None if factors is None else RidgeDecomposition(problem, factors, float(min(lambdas)))


def _factors(problem: Problem, penalty) -> np.ndarray | None:
    """c with λ f(w) = ½ λ Σ c_j w_j² along the whole path, else None."""
    if not problem.loss.is_quadratic or min(problem.n, problem.p) > _LARGEST_SIDE:
        return None
    parts = penalty.with_lam(1.0).l1_l2((problem.p,))
    if parts is None or parts[0].any():
        return None
    strengths = Strengths.of(penalty, (problem.p,))
    factors = None if strengths is None else strengths.ridge()
    return None if factors is None or (_too_large(problem) and np.ptp(factors) > 0) else factors


def _too_large(problem: Problem) -> bool:
    return problem.design.sparse and problem.n * problem.p > _LARGEST_DENSE


class RidgeDecomposition:
    """The decomposition for one problem and one set of factors; `smallest` is the least λ that will be asked for."""

    def __init__(self, problem: Problem, factors, smallest: float):
        self.problem, self.design, self.n = problem, problem.design, problem.n
        self.factors, self.free, self.held = factors, np.flatnonzero(factors == 0), np.flatnonzero(factors)
        self.scale = np.sqrt(factors[self.held])
        self.Y = self._target()
        self.Q = None
        if len(self.free):
            block = self.design.centred_columns(self.free)
            Q, R, _ = qr(block, mode="economic", pivoting=True, check_finite=False)
            diagonal = np.abs(np.diagonal(R))
            self.Q = Q[:, diagonal > 1e-12 * diagonal.max(initial=0.0)]
        self.rest = self._beside_free(self.Y)
        self.fixed = self._fixed_directions()
        self._decompose(smallest)

    # --- the decomposition -------------------------------------------------------------------------------
    def _target(self):
        problem = self.problem
        y = problem.y if problem.offset is None else problem.y - problem.offset
        y = y.reshape(self.n, -1)
        self.y_mean = problem.s @ y / self.n if problem.fit_intercept else np.zeros(y.shape[1])
        return self.design.rooted(y - self.y_mean)

    def _fixed_directions(self):
        """What is fitted at every λ: orthonormal columns for the intercept and the free columns, (n, k)."""
        intercept = [np.sqrt(self.problem.s / self.n)[:, None]] if self.problem.fit_intercept else []
        return np.hstack([np.empty((self.n, 0)), *intercept, *([] if self.Q is None else [self.Q])])

    def _beside_free(self, v):
        return v if self.Q is None else v - self.Q @ (self.Q.T @ v)

    @cached_property
    def _Z(self):
        Z = self.design.centred_columns(self.held)
        if (self.scale != 1).any():
            Z /= self.scale
        return self._beside_free(Z)

    @property
    def _plain(self) -> bool:
        return self.Q is None and np.ptp(self.scale) == 0

    def _decompose(self, smallest: float):
        beside = Complement(self.fixed)
        tall = beside.size > len(self.held)
        if tall:
            gram = inner = self.design.gram() / self.scale[0] ** 2 if self._plain else self._Z.T @ self._Z / self.n
        elif self._plain:
            gram = self._row_gram() / self.scale[0] ** 2
            inner = beside.within(gram.T)  # symmetric; its transpose has Fortran order
        else:
            Z = beside.into(self._Z)
            gram = inner = Z @ Z.T / self.n
        d, vectors = np.linalg.eigh(inner)
        self.gram = None if tall else gram
        top, low = d.max(initial=0.0), (max(d[0], 0.0) if tall and len(d) else 0.0)
        if smallest + low < _SQUARED_ENOUGH * top and not _too_large(self.problem):
            return self._decompose_unsquared()
        self.d = np.maximum(d, 0.0)
        self.V: Any = vectors if tall else None
        self.U: Any = None if tall else beside.out_of(vectors)
        self.UY: Any = None if self.U is None else self.U.T @ self.rest

    def _decompose_unsquared(self):
        beside = Complement(self.fixed)
        U, singular, Vt = svd(beside.into(self._Z), full_matrices=False, check_finite=False)
        singular[singular <= np.finfo(float).eps * max(self._Z.shape) * singular.max(initial=0.0)] = 0.0
        self.d, self.V, self.U = singular**2 / self.n, Vt.T, beside.out_of(U)
        self.UY = self.U.T @ self.rest
        for made in ("_Z", "_ZV", "_VcY"):
            self.__dict__.pop(made, None)

    def _row_gram(self):
        """X̃X̃'/n by centring XX', one product without a copy of X, if the means are small enough not to lose digits."""
        design = self.design
        if design.sparse or design.X.dtype != np.float64:
            return design.row_gram()
        K = design.X @ design.X.T / self.n
        if not design.centre:
            return design.rooted(design.rooted(K).T)
        raw = np.trace(K)
        K -= (self.problem.s @ K / self.n)[None, :]
        K -= (K @ self.problem.s / self.n)[:, None]
        K = design.rooted(design.rooted(K).T)
        return K if raw <= _SMALL_MEANS * np.trace(K) else design.row_gram()

    @cached_property
    def _VcY(self):
        """V'Z'ỹ/n where V is known."""
        if self.UY is not None:
            return np.sqrt(self.d / self.n)[:, None] * self.UY
        return self.V.T @ self._Zt(self.rest) / self.n

    def _Zt(self, v):
        return self.design.centred_transposed(self._beside_free(v))[self.held] / self.scale[:, None]

    def _Z_times(self, A):
        """Z A for A (columns held, L)."""
        if "_Z" in self.__dict__ or not self._plain:
            return self._Z @ A
        return self.design.centred_times((A / self.scale[:, None]).T)

    # --- solutions -----------------------------------------------------------------------------------------
    def weights(self, lambdas) -> np.ndarray:
        """(L, K, p): the weights of every target at every λ."""
        lambdas = np.asarray(lambdas, dtype=float)
        K = self.Y.shape[1]
        filters = 1.0 / (self.d[:, None] + lambdas)  # (k, L)
        if self.V is not None:
            inner = _flat(filters[:, :, None] * self._VcY[:, None, :])
            held = self.V @ inner
        else:
            inner = _flat(filters[:, :, None] * self.UY[:, None, :])
            held = self._Zt(self.U @ inner) / self.n
        held /= self.scale[:, None]
        w = np.zeros((len(lambdas), K, self.problem.p))
        w[:, :, self.held] = held.T.reshape(len(lambdas), K, -1)
        if self.Q is not None:
            left = self.Y[:, None, :] - self.design.centred_times(w.reshape(-1, self.problem.p)).reshape(self.n, -1, K)
            block = self.design.centred_columns(self.free)
            fitted = lstsq(block, left.reshape(self.n, -1), cond=1e-12, check_finite=False)[0]
            w[:, :, self.free] = fitted.T.reshape(len(lambdas), K, -1)
        return w

    def intercepts(self, w):
        """(L, K): ȳ − w x̄, or 0."""
        return self.y_mean - w @ self.design.means if self.problem.fit_intercept else np.zeros(w.shape[:2])

    def solutions(self, lambdas, tol: float) -> Iterator[Solutions]:
        """The solutions at each λ, w of the problem's shape; several λ at a time, in matrix products."""
        chunk = max(1, 4_000_000 // (self.problem.p * self.Y.shape[1]))
        for start in range(0, len(lambdas), chunk):
            yield self._some(lambdas[start : start + chunk], tol)

    def _some(self, lambdas, tol) -> Solutions:
        w = self.weights(lambdas)
        (L, K, p), b = w.shape, self.intercepts(w)
        residual = self.Y[:, None, :] - self.design.centred_times(w.reshape(L * K, p)).reshape(self.n, L, K)
        gaps, kkt, norms = self._optimality(lambdas, w, residual)
        null_loss = 0.5 * float(np.sum(self.Y * self.Y)) / self.n
        losses = 0.5 * np.einsum("nlk,nlk->l", residual, residual) / self.n
        gaps = gaps / null_loss if null_loss > 0 else np.zeros(L)
        shape = self.problem.weights_shape
        w, b = w.reshape(L, *shape), b.reshape(L, *shape[:-1])
        solved = gaps <= tol
        if not solved.all():
            solved |= at_rounding(kkt, float(np.abs(self.design.centred_transposed(self.Y)).max()) / self.n)
        return Solutions(w, b, losses + 0.5 * lambdas * norms, gaps, kkt, solved, np.ones(L, dtype=int))

    def _optimality(self, lambdas, w, residual):
        """(gap P − D, largest stationarity violation, Σ c w²) at every λ.

        At θ = the residual r, P − D = ½ Σ (u − λc w)²/(λc) with u = X̃'r/n, without cancellation; free columns ask u = 0.
        """
        if self.V is None and self._plain:
            # w = Z'v/(n√c), so u − λc w = √c Z'(r − λv)/n: its norm comes from the Gram matrix, and bounds its entries.
            v = self.U @ _flat(self.UY[:, None, :] / (self.d[:, None] + lambdas)[:, :, None])
            v = v.reshape(residual.shape)
            delta = (residual - lambdas[:, None] * v).reshape(self.n, -1)
            square = _by_lambda(delta, self.gram @ delta, residual.shape) / self.n
            flat = v.reshape(self.n, -1)
            norms = _by_lambda(flat, self.gram @ flat, residual.shape) / self.n
            square = np.maximum(square, 0.0)
            return 0.5 * square / lambdas, self.scale[0] * np.sqrt(square), norms
        L, K, p = w.shape
        u = self.design.centred_transposed(residual.reshape(self.n, L * K)).reshape(p, L, K) / self.n
        gaps, kkt, norms = np.empty(L), np.empty(L), np.empty(L)
        for i, lam in enumerate(lambdas):
            left = u[:, i].T - lam * self.factors * w[i]
            gaps[i] = 0.5 * np.sum(left[:, self.held] ** 2 / self.factors[self.held]) / lam
            gaps[i] += np.abs(left[:, self.free] * w[i][:, self.free]).sum()
            kkt[i], norms[i] = np.abs(left).max(), np.sum(self.factors * w[i] ** 2)
        return gaps, kkt, norms

    # --- what a linear smoother knows --------------------------------------------------------------------------
    def degrees_of_freedom(self, lambdas) -> np.ndarray:
        """tr H at every λ, (L,), free columns included, the intercept not."""
        shrunk = self.d[:, None] / (self.d[:, None] + np.asarray(lambdas, dtype=float))
        return shrunk.sum(0) + (0 if self.Q is None else self.Q.shape[1])

    def leverages(self, lambdas) -> np.ndarray:
        """h_i at every λ, (n, L), the intercept's share s_i/n included."""
        return 1.0 - self._room(lambdas)

    def _room(self, lambdas):
        """1 − h_i, (n, L)."""
        lambdas = np.asarray(lambdas, dtype=float)
        if self.U is None:
            room = 1.0 - np.sum(self.fixed**2, axis=1)[:, None]
            room = room - self._ZV**2 @ (1.0 / (self.d[:, None] + lambdas)) / self.n
            if (room >= _NEARLY_FITTED).all() or _too_large(self.problem):
                return room
            self._decompose_unsquared()
        return self._unfitted[0][:, None] + self.U**2 @ (lambdas / (self.d[:, None] + lambdas))

    def residuals(self, lambdas) -> np.ndarray:
        """√s (y − ŷ) at every λ, (n, L, K)."""
        d, lambdas = self.d[:, None], np.asarray(lambdas, dtype=float)
        if self.U is not None:
            start, inner = self._unfitted[1], (lambdas / (d + lambdas))[:, :, None] * self.UY[:, None, :]
            left = self.U @ _flat(inner)
        else:
            start, inner = self.rest, (1.0 / (d + lambdas))[:, :, None] * self._VcY[:, None, :]
            left = -self._ZV @ _flat(inner)
        return start[:, None, :] + left.reshape(self.n, len(lambdas), self.Y.shape[1])

    @cached_property
    def _ZV(self):
        return self._Z_times(self.V)

    @cached_property
    def _unfitted(self):
        """The diagonal of I − P, (n,), and (I − P) ỹ, (n, K), where U is known."""
        fitted = np.hstack([self.fixed, self.U])
        if fitted.shape[1] == self.n:
            return np.zeros(self.n), np.zeros_like(self.rest)
        diagonal, left = 1.0 - np.sum(fitted**2, axis=1), self.rest - self.U @ self.UY
        nearly = np.flatnonzero(diagonal < _NEARLY_FITTED)
        unit = np.zeros((self.n, len(nearly)))
        unit[nearly, np.arange(len(nearly))] = 1.0
        for _ in range(2):  # the second time takes away what rounding left the first time
            unit -= fitted @ (fitted.T @ unit)
        # As with singular values, a row within rounding of the span of P is in it.
        unit[:, np.sum(unit**2, axis=0) <= (np.finfo(float).eps * self.n) ** 2] = 0.0
        diagonal[nearly], left[nearly] = np.sum(unit**2, axis=0), unit.T @ self.rest
        return diagonal, left

    def loo_residuals(self, lambdas) -> np.ndarray:
        """√s e_i, the errors of predicting each row from the others, (n, L, K)."""
        room = self._room(lambdas)  # first: it may decompose anew
        return self.residuals(lambdas) / np.maximum(room, np.finfo(float).tiny)[:, :, None]

    def loo(self, lambdas) -> np.ndarray:
        """Mean squared leave-one-out error at every λ, (L,)."""
        return np.mean(self.loo_residuals(lambdas) ** 2, axis=(0, 2))

    def gcv(self, lambdas) -> np.ndarray:
        """mean(r²) / (1 − tr/n)² at every λ, (L,), the intercept counted in the trace."""
        lambdas = np.asarray(lambdas, dtype=float)
        left = self.n - self.fixed.shape[1] - len(self.d) + np.sum(lambdas / (self.d[:, None] + lambdas), axis=0)
        return np.mean(self.residuals(lambdas) ** 2, axis=(0, 2)) / (left / self.n) ** 2


def _flat(inner):
    """(k, L, K) as (k, L·K); with one row k is 0, and an axis cannot be inferred."""
    return inner.reshape(len(inner), math.prod(inner.shape[1:]))


def _by_lambda(a, b, shape):
    """⟨a, b⟩ summed over rows and targets, (L,)."""
    return np.einsum("nlk,nlk->l", a.reshape(shape), b.reshape(shape))

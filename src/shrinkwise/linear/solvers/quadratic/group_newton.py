"""Newton steps of the inner problem for groups, on the groups and the signs where it is smooth."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from shrinkwise.kernels import GroupQuadratic, columns_times


class _SmoothPart:
    """The objective on the groups that are not zero and the signs of w, where it is smooth:

    ½x'Hx + ½Σ b x² − q'x + Σ_g t_g‖x_g‖  over the entries `support` of w; H in the precision of G, products in double.
    """

    def __init__(self, quadratic: GroupQuadratic, c, w):
        norms = np.sqrt(np.add.reduceat(w * w, quadratic.starts[:-1]))
        active = ((norms > 0) | (quadratic.thresholds == 0))[quadratic.labels]
        self.support = S = np.flatnonzero(active & ((w != 0) | (quadratic.l1 == 0)))
        self.p, self.every = len(w), np.arange(len(S))
        self.H = quadratic.G if len(S) == self.p else quadratic.G[np.ix_(S, S)]
        self.b = quadratic.ridge[S]
        self.q = c[S] - quadratic.l1[S] * np.sign(w[S])
        self.signs = np.where(quadratic.l1[S] > 0, np.sign(w[S]), 0.0)
        used, first, self.labels, sizes = np.unique(
            quadratic.labels[S], return_index=True, return_inverse=True, return_counts=True
        )
        self.t, self.first = quadratic.thresholds[used], first
        # (rows, columns) of the blocks on the diagonal of H
        each = sizes[self.labels]
        self.rows = np.repeat(np.arange(len(S)), each)
        self.columns = np.arange(len(self.rows)) - np.repeat(np.cumsum(each) - each - first[self.labels], each)

    def unit(self, x):
        """(x_g/‖x_g‖, t_g/‖x_g‖) laid over the entries; zeros where t_g = 0."""
        norms = np.sqrt(np.add.reduceat(x * x, self.first))
        inverse = np.where(self.t > 0, 1.0 / np.where(norms > 0, norms, 1.0), 0.0)
        return x * inverse[self.labels], (self.t * inverse)[self.labels]

    def at(self, x):
        """(value, gradient)."""
        u, _ = self.unit(x)
        Hx, pull = columns_times(self.H, self.every, x) + self.b * x, self.t[self.labels] * u
        return 0.5 * (x @ Hx) - self.q @ x + pull @ x, Hx - self.q + pull

    def size(self, gradient) -> float:
        """The largest norm of a group."""
        return float(np.sqrt(np.add.reduceat(gradient * gradient, self.first).max()))

    def hessian(self, x, dtype):
        """That of the objective at x, in Fortran order, as a factor of it is made in place."""
        u, k = self.unit(x)
        H = np.array(self.H.T, dtype=dtype, order="F")
        with np.errstate(over="ignore"):  # of the curvature of a group that is nearly zero
            H[self.every, self.every] += (self.b + k).astype(dtype)
            H[self.rows, self.columns] -= ((k * u)[self.rows] * u[self.columns]).astype(dtype)
        return H

    def kept(self, x, new):
        """`new` with zeros where it is on the other side of zero than x: entries with a sign, groups with a threshold."""
        along = np.add.reduceat(x * new, self.first)
        return np.where((self.signs * new < 0) | ((along <= 0) & (self.t > 0))[self.labels], 0.0, new)

    def has_lost(self, x) -> bool:
        """Whether some entry with a sign, or group with a threshold, is zero: off the part where the objective is smooth."""
        norms = np.add.reduceat(x * x, self.first)
        return bool((x[self.signs != 0] == 0).any() or (norms[self.t > 0] == 0).any())

    def laid_out(self, x):
        """All entries, zero off the support."""
        w = np.zeros(self.p)
        w[self.support] = x
        return w


def newton_on_groups(quadratic: GroupQuadratic, c, w, tol: float):
    """(w, solved): damped Newton on the groups and signs of w, never uphill; solved if the gradient is ≤ tol.

    One factor of the Hessian serves as long as every step divides the gradient by ten. What a step takes through zero stays
    there, and the next one does without it.
    """
    part, factor, factors_left = _SmoothPart(quadratic, c, w), None, 10
    x, size = w[part.support], np.inf
    while len(x) and (size := part.size(part.at(x)[1])) > 0.1 * tol:
        if factor is None:
            factors_left -= 1
            try:
                factor = _factor(part, x)
            except LinAlgError:
                break
        new = _downhill(part, x, size, factor)
        if new is None:
            break
        x = new
        if part.has_lost(x):
            w = part.laid_out(x)
            part, factor = _SmoothPart(quadratic, c, w), None
            x = w[part.support]
        elif part.size(part.at(x)[1]) > 0.1 * size:
            factor = None
        if factor is None and factors_left == 0:
            break
    return part.laid_out(x), bool(len(x) and part.size(part.at(x)[1]) <= tol)


def _factor(part: _SmoothPart, x):
    """Cholesky factor of the Hessian at x as precise as H is, in single precision twice as fast; in double where that fails."""
    if part.H.dtype == np.float32:
        try:
            return cho_factor(part.hessian(x, np.float32), lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            pass
    return cho_factor(part.hessian(x, np.float64), lower=True, overwrite_a=True, check_finite=False)


def _downhill(part: _SmoothPart, x, size: float, factor):
    """The point that a Newton step from x leads to, shortened until the objective decreases; None if it never does."""
    value, g = part.at(x)
    step = cho_solve(factor, g.astype(factor[0].dtype), check_finite=False).astype(float)
    for stretch in (1.0, 0.5, 0.25, 0.125):
        new = part.kept(x, x - stretch * step)
        new_value, new_g = part.at(new)
        # Near the solution the value no longer tells two points apart, and the gradient does.
        if new_value < value - 1e-4 * stretch * (g @ step) or (
            part.size(new_g) < 0.5 * size and not part.has_lost(new)
        ):
            return new
    return None

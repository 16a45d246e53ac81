"""The nuclear norm, L1 of the singular values, which gives matrices of low rank."""

from __future__ import annotations

import math

import numpy as np

from shrinkwise.penalties.array import cast, namespace, number_or_scalar, positive_part, weights_array, working
from shrinkwise.penalties.contract import Penalty, check_lam
from shrinkwise.penalties.together import one_step


class NuclearNorm(Penalty):
    """λ Σ_i σ_i(w), σ_i the singular values of a matrix w.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.

    Notes: `violation` is the prox residual: the distance of −g to the subdifferential depends on the rank of w, which
    is not well defined under rounding. One singular value decomposition per prox, in float32 for tensors of lower
    precision. The prox has rank #{σ_i > step·λ} up to rounding: a product of matrices has no exact zeros unless it is
    zero. Only one step for all entries is supported.

    References: Fazel, Hindi, Boyd, A rank minimization heuristic, ACC 2001, doi:10.1109/ACC.2001.945730. Prox: Cai, Candès,
    Shen, SIAM J. Optim. 2010, doi:10.1137/080738970.

    >>> import numpy as np
    >>> NuclearNorm(1.0).prox(np.diag([3.0, 0.5]), step=2.0)
    array([[1., 0.],
           [0., 0.]])
    """

    makes_zeros = False  # of singular values, not of weights

    def __init__(self, lam: float):
        self.lam = check_lam(lam)

    def value(self, w):
        """λ Σ σ_i."""
        return number_or_scalar(float(self.lam) * _singular_values(working(_matrix(w))).sum())

    def prox(self, w, step):
        """U max(σ − step·λ, 0) V'."""
        w = _matrix(w)
        threshold = float(one_step(step, w, self)) * float(self.lam)
        if threshold == 0.0 or not math.prod(w.shape):
            return w * 1.0
        xp, x = namespace(w), working(w)
        if not bool(xp.isfinite(x).all()):
            return w * math.nan
        U, sigma, Vt = xp.linalg.svd(x, full_matrices=False)
        return cast((U * positive_part(sigma - threshold)) @ Vt, w)

    def conjugate(self, u):
        """0 where the spectral norm of u is ≤ λ, else +∞."""
        u = working(_matrix(u))
        xp = namespace(u)
        inside = (_singular_values(u) <= float(self.lam)).all()
        return number_or_scalar(xp.where(inside, xp.zeros_like(u.sum()), math.inf))

    def unpenalised(self, shape):
        """Nothing, unless λ = 0."""
        return np.full(shape, self.lam == 0)

    def lambda_max(self, g0) -> float:
        """The spectral norm of g0."""
        g0 = working(_matrix(g0))
        return float(_singular_values(g0).max()) if math.prod(g0.shape) else 0.0

    def latex(self) -> str:
        r"""\lambda \|w\|_*."""
        return rf"{self.lam:.4g} \|w\|_*"


def _matrix(w):
    w = weights_array(w)
    if w.ndim != 2:
        raise ValueError(
            f"Expected a matrix for NuclearNorm, got shape {tuple(w.shape)}; reshape it, e.g. to (out, -1)"
        )
    return w


def _singular_values(w):
    xp = namespace(w)
    if not bool(xp.isfinite(w).all()):  # neither library decomposes NaN; its sum is what it should be
        return w.sum()[None] * math.nan
    return np.linalg.svd(w, compute_uv=False) if xp is np else xp.linalg.svdvals(w)

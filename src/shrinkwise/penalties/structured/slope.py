"""SLOPE, the sorted L1 norm: the largest weights are penalised most, so that weights of similar size become exactly
equal."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from shrinkwise.kernels import sorted_prox
from shrinkwise.penalties.array import as_numpy, like, namespace, number_or_scalar, weights_array, working
from shrinkwise.penalties.contract import Penalty, check_lam, check_weights
from shrinkwise.penalties.pieces import Pieces
from shrinkwise.penalties.together import equal_runs, one_step, sort_descending, through_numpy


class SLOPE(Penalty):
    """λ Σ_i c_i |w|_(i) with |w|_(1) ≥ |w|_(2) ≥ … and c_1 ≥ c_2 ≥ … ≥ 0; also called OWL. All entries of w together.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength. SLOPE with a sequence λ_1 ≥ λ_2 ≥ … is ``SLOPE(1.0, weights=sequence)``.
    weights : array of as many factors as w has entries, decreasing, optional
        c_i. By default Benjamini and Hochberg's c_i = Φ⁻¹(1 − iq/2p), p the number of entries: if λ is the noise level
        of the correlations, it controls the false discovery rate at q under an orthogonal design. All ones is the
        lasso, (1, 0, …, 0) the maximum norm, ``1 + k * np.arange(p)[::-1]`` OSCAR.
    q : float in (0, 1)
        Level of the default sequence.

    Notes: the prox is isotonic regression of |w| − step·λc in sorted order, O(p), on the CPU and in float64; tensors
    are converted and keep dtype and device. Only one step for all entries is supported.

    References: Bogdan, van den Berg, Sabatti, Su, Candès, SLOPE: adaptive variable selection via convex optimization, Ann.
    Appl. Stat. 2015, doi:10.1214/15-AOAS842. Zeng and Figueiredo, arXiv 1409.4271 (OWL). Bondell and Reich, Biometrics 2008,
    doi:10.1111/j.1541-0420.2007.00843.x (OSCAR).

    >>> import numpy as np
    >>> SLOPE(1.0, weights=[2.0, 1.0, 1.0]).prox(np.array([5.0, -4.5, 0.5]), step=1.0)
    array([ 3.25, -3.25,  0.  ])
    """

    def __init__(self, lam: float, weights=None, *, q: float = 0.1):
        self.lam = check_lam(lam)
        self.weights = check_weights(weights)
        if weights is not None:
            c = as_numpy(weights)
            if c.ndim != 1 or (np.diff(c) > 0).any():
                raise ValueError(
                    "Expected the weights of SLOPE to be a decreasing list c_1 ≥ c_2 ≥ …, the first for the "
                    "largest entry"
                )
        if not 0 < q < 1:
            raise ValueError(f"Expected q (the false discovery rate) to be in (0, 1), got {q}")
        self.q = q

    def factors(self, size: int) -> np.ndarray:
        """c_1 ≥ … ≥ c_size."""
        if self.weights is None:
            return _normal_quantiles(size, float(self.q))
        c = as_numpy(self.weights)
        if len(c) != size:
            raise ValueError(f"Expected as many SLOPE weights as entries ({size}), got {len(c)}")
        return c

    def _strengths(self, w) -> np.ndarray:
        """λ c."""
        return float(self.lam) * self.factors(math.prod(w.shape))

    def value(self, w):
        """λ Σ c_i |w|_(i)."""
        w = working(w)
        return number_or_scalar((like(self._strengths(w), w) * sort_descending(abs(w).reshape(-1))).sum())

    def prox(self, w, step):
        """Isotonic regression of the sorted |w| − step·λc, clipped at 0."""
        w = weights_array(w)
        step = float(one_step(step, w, self))
        c = step * self._strengths(w)
        if not c.any():
            return w * 1.0
        return through_numpy(lambda x: _sorted_prox(x.ravel(), c, sizes=True).reshape(x.shape), w)

    def prox_beside(self, pieces: Pieces, w, step):
        """The prox of SLOPE, then the soft threshold, if it is the same for every weight.

        An odd increasing map of every weight preserves the order of the |w_j|, and therefore their subgradients.
        """
        kinks, (point, inner) = pieces.without_quadratic(), pieces.moved(w, step)
        if not (kinks.uniform and kinks.homogeneous) or kinks.bounded or getattr(inner, "ndim", 0) > 0:
            return super().prox_beside(pieces, w, step)
        return kinks.prox(self.prox(point, inner), inner)

    def conjugate(self, u):
        """0 where Σ_{i≤k} |u|_(i) ≤ λ Σ_{i≤k} c_i for every k, else +∞."""
        u = weights_array(u)
        xp = namespace(u)
        sums = sort_descending(abs(u).reshape(-1)).cumsum(0)
        inside = (sums <= like(np.cumsum(self._strengths(u)), u)).all()
        return number_or_scalar(xp.where(inside, xp.zeros_like(u.sum()), math.inf))

    def unpenalised(self, shape):
        """Nothing, unless all factors are zero."""
        return np.full(shape, not self._strengths(np.broadcast_to(0.0, shape)).any())

    def lambda_max(self, g0) -> float:
        """max_k Σ_{i≤k} |g|_(i) / Σ_{i≤k} c_i."""
        g0 = as_numpy(weights_array(g0))
        c = np.cumsum(self.factors(g0.size))
        sums = np.cumsum(sort_descending(abs(g0).ravel()))[c > 0]
        return float((sums / c[c > 0]).max(initial=0.0))

    def violation(self, w, g):
        """|r| with r = −g − its projection on λ∂f(w): per entry, exact.

        Entries with equal |w| (up to 4 eps of the largest) share their factors in any order: the subgradients there
        are a permutahedron, and by Moreau's identity r is the prox of its support function.
        """
        w, g = weights_array(w), weights_array(g)
        eps = float(namespace(w).finfo(w.dtype).eps)
        return through_numpy(lambda x, y: _residual(x, y, self._strengths(x), eps), w, g)

    def latex(self) -> str:
        r"""\lambda \sum_i c_i |w|_{(i)}."""
        return rf"{self.lam:.4g} \sum_i c_i |w|_{{(i)}}"


@lru_cache(maxsize=1)  # a solver asks for the same sequence at every step, and it costs as much as a third of a prox
def _normal_quantiles(size: int, q: float) -> np.ndarray:
    """Φ⁻¹(1 − iq/2·size), i = 1 … size, read-only."""
    from scipy.special import ndtri

    c = ndtri(1.0 - np.arange(1, size + 1) * (q / (2.0 * max(size, 1))))
    c.flags.writeable = False
    return c


def _sorted_prox(x, c, sizes: bool = False):
    """argmin_u ½‖u − x‖² + Σ c_i u_(i) of a vector, or Σ c_i |u|_(i) of its sizes."""
    return sorted_prox(x, c, sizes) if np.isfinite(x).all() else np.full_like(x, math.nan)


def _residual(w, g, c, eps: float):
    """|−g − its projection on the subdifferential of Σ c_i |w|_(i)|."""
    size = abs(w).ravel()
    order = np.argsort(-size, kind="stable")
    out = np.empty_like(size)
    for block in equal_runs(size[order], eps):
        at, factors = order[block], c[block]
        if size[at[-1]] == 0:
            out[at] = abs(_sorted_prox(g.ravel()[at], factors, sizes=True))
        else:
            out[at] = abs(_sorted_prox((-g * np.sign(w)).ravel()[at], factors))
    return out.reshape(w.shape)

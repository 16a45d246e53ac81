"""The fused lasso and total variation: neighbours become exactly equal, so a signal becomes piecewise constant."""

from __future__ import annotations

import math
import numbers
from itertools import pairwise

import numpy as np

from shrinkwise.kernels import total_variation
from shrinkwise.penalties.array import namespace, number_or_scalar, soft_threshold, step_like, weights_array, working
from shrinkwise.penalties.contract import Penalty, check_lam
from shrinkwise.penalties.pieces import Pieces
from shrinkwise.penalties.together import equal_runs, through_numpy


class FusedLasso(Penalty):
    """λ (ρ Σ_i |w_i| + (1−ρ) Σ_i |w_{i+1} − w_i|) along the last axis of w, ρ = `l1_ratio`; ρ = 0 is total variation.

    In a weight with several rows each row is a separate signal.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    l1_ratio : float in [0, 1]
        ρ, the share of L1: with 0 neighbours become equal, with more whole segments also become zero.

    Notes: the prox is exact and O(n): dynamic programming over the derivative of the best cost so far, then (ρ > 0) a soft
    threshold. It is sequential and runs on the CPU in float64; tensors are converted and keep dtype and device. With ρ =
    0 a constant w has no penalty, so `lambda_max` is ∞ unless the gradient sums to zero. With a step for each entry the
    prox is exact for ρ = 0 or 1 and not available in between.

    References: Tibshirani, Saunders, Rosset, Zhu, Knight, Sparsity and smoothness via the fused lasso, JRSS B 2005,
    doi:10.1111/j.1467-9868.2005.00490.x. Johnson, A dynamic programming algorithm for the fused lasso and L0-segmentation,
    JCGS 2013, doi:10.1080/10618600.2012.681238. Soft threshold after TV: Friedman, Hastie, Höfling, Tibshirani, Pathwise
    coordinate optimization, Ann. Appl. Stat. 2007, doi:10.1214/07-AOAS131.

    >>> import numpy as np
    >>> FusedLasso(1.0).prox(np.array([0.0, 1.0, 8.0, 9.0]), step=1.0)
    array([1., 1., 8., 8.])
    """

    def __init__(self, lam: float, l1_ratio: float = 0.0):
        self.lam = check_lam(lam)
        if not isinstance(l1_ratio, numbers.Real) or not 0 <= l1_ratio <= 1:
            raise ValueError(f"Expected l1_ratio (ρ, the share of L1) to be in [0, 1], got {l1_ratio}")
        self.l1_ratio: float = l1_ratio

    def _parts(self) -> tuple[float, float]:
        """(λρ, λ(1−ρ))."""
        return float(self.lam) * float(self.l1_ratio), float(self.lam) * (1.0 - float(self.l1_ratio))

    def value(self, w):
        """λ (ρ Σ |w_i| + (1−ρ) Σ |w_{i+1} − w_i|)."""
        w = _signals(working(w))
        a, c = self._parts()
        return number_or_scalar(a * abs(w).sum() + c * abs(w[..., 1:] - w[..., :-1]).sum())

    def prox(self, w, step):
        """Total variation's prox at step·λ(1−ρ), then the soft threshold at step·λρ."""
        w = _signals(w)
        step, (a, c) = step_like(step, w), self._parts()
        if getattr(step, "ndim", 0):
            step = namespace(w).broadcast_to(step, w.shape)
            if a and c and bool((step != step.reshape(-1)[:1]).any()):
                raise TypeError(
                    "There is no closed-form prox of FusedLasso with 0 < l1_ratio < 1 and a step for each entry; "
                    "use one step for all entries"
                )
            return soft_threshold(through_numpy(lambda x, s: _each(total_variation_prox, x, s, c=c), w, step), step * a)
        threshold = float(step) * c
        fused = through_numpy(lambda x: _each(total_variation_prox, x, c=threshold), w) if threshold else w
        return soft_threshold(fused, step * a)

    def prox_beside(self, pieces: Pieces, w, step):
        """The prox of total variation, then that of all terms on single weights, if these are the same for every
        weight.

        An increasing map of every weight preserves the order of neighbours, and therefore their subgradients.
        """
        kinks, (point, inner) = pieces.without_quadratic(), pieces.moved(w, step)
        if not kinks.uniform or getattr(inner, "ndim", 0) > 0:
            return super().prox_beside(pieces, w, step)
        a, c = self._parts()
        return (kinks + Pieces(((a, None),))).prox(FusedLasso(c).prox(point, inner), inner)

    def conjugate(self, u):
        """0 where u = λρz + λ(1−ρ)D'q with |z|, |q| ≤ 1 (D takes differences), else +∞.

        For ρ = 0 this requires Σu = 0 in every row, up to rounding: up to 4 eps Σ|u| per entry counts as zero.
        """
        u = _signals(u)
        a, c = self._parts()
        # u is a subgradient at 0 where the prox takes it to 0.
        left = abs(through_numpy(lambda x: _each(total_variation_prox, x, c=c), u))
        rounding = 4 * float(namespace(u).finfo(u.dtype).eps) * abs(u).sum(-1)[..., None]
        zero = namespace(u).zeros_like(u.sum())
        return number_or_scalar(zero if bool((left <= a + rounding).all()) else zero + math.inf)

    def unpenalised(self, shape):
        """No entry, unless λ = 0 (total variation does not penalise the constant, which is not a single entry)."""
        return np.full(shape, self.lam == 0)

    def violation(self, w, g):
        """|r| with r = −g − its projection on the subdifferential: per entry, exact.

        On a segment where w is constant the subgradients are a constant plus λ(1−ρ) ∂TV(0), so by Moreau's identity r
        there is the TV prox of the remainder of −g, soft-thresholded at λρ if the segment is zero. Neighbours count as
        equal up to 4 eps of the largest |w|.
        """
        w, g = _signals(w), _signals(g)
        a, c = self._parts()
        eps = float(namespace(w).finfo(w.dtype).eps)
        return through_numpy(lambda x, y: _each(lambda p, q: _residual(p, q, a, c, eps), x, y), w, g)

    def latex(self) -> str:
        r"""\lambda (\rho \sum |w_i| + (1-\rho) \sum |w_{i+1} - w_i|)."""
        rho = self.l1_ratio
        variation = r"\sum_i |w_{i+1} - w_i|"
        if rho == 0:
            return f"{self.lam:.4g} {variation}"
        return rf"{self.lam:.4g} \left({rho:.4g} \sum_i |w_i| + {1 - rho:.4g} {variation}\right)"


def _signals(w):
    w = weights_array(w)
    if w.ndim == 0:
        raise ValueError("Expected a signal (one axis or more) for FusedLasso, got a single number")
    return w


def _each(function, x, *others, **options):
    """function of every row (last axis), laid out like x."""
    out = np.empty_like(x)
    for index in np.ndindex(x.shape[:-1]):
        out[index] = function(x[index], *(other[index] for other in others), **options)
    return out


def total_variation_prox(y, steps=None, *, c: float):
    """argmin_x Σ (x_i − y_i)² / (2 steps_i) + c Σ |x_{i+1} − x_i| of a vector, in O(n); an entry with step 0 is fixed."""
    if c == 0.0 or not np.isfinite(y).all():
        return y if c == 0.0 else np.full_like(y, math.nan)
    return total_variation(y, steps, c)


def _residual(w, g, a: float, c: float, eps: float):
    """|−g − its projection on a ∂‖w‖₁ + c ∂TV(w)| of a vector."""
    h = -g
    stretches = equal_runs(w, eps)
    for left, right in pairwise(stretches):
        jump = c * np.sign(w[right[0]] - w[left[-1]])
        h[left[-1]] += jump
        h[right[0]] -= jump
    for stretch in stretches:
        zero = (w[stretch] == 0).any()
        r = total_variation_prox(h[stretch] - (0.0 if zero else a * np.sign(w[stretch[0]])), c=c)
        h[stretch] = soft_threshold(r, a) if zero else r
    return abs(h)

"""LassoNet's hierarchy: an input may enter the hidden layer only while its skip weight is not zero."""

from __future__ import annotations

import math
import numbers

import numpy as np

from shrinkwise.penalties.array import (
    cast,
    double,
    namespace,
    number_or_scalar,
    positive_part,
    vector_norm,
    weights_array,
    working,
)
from shrinkwise.penalties.contract import Penalty, check_lam
from shrinkwise.penalties.groups import Groups
from shrinkwise.penalties.together import one_step, sort_descending


class Hierarchical(Penalty):
    """λ Σ_j ‖θ_j‖₂ subject to ‖W_j‖_∞ ≤ M ‖θ_j‖₂ for every input j: θ_j its skip weights, W_j its first-layer weights.

    w has the shape (n_skip + K, inputs), one column per input: the first `n_skip` rows are θ, the other K rows W. This
    is the weight of a ``Linear(inputs, n_skip + K)`` whose first outputs skip the hidden layer. If θ of a column is
    zero, the whole column is exactly zero and the input is not used. Not convex.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the strength on the skip weights.
    M : float ≥ 0
        Hierarchy: the largest ratio of a first-layer weight to its skip weight. 0 is a linear model with the lasso,
        M → ∞ leaves the network unpenalised. The reference uses 10.
    n_skip : int ≥ 1
        Number of outputs of the skip layer: 1 for regression and two classes, else the number of classes.

    Notes: the prox is the exact global minimiser (Hier-Prox), O(K log K) per input; if θ_j = 0 but W_j is not, both
    signs of the new θ_j are minimisers and + is used (for the first skip row). The constraint has a tolerance of 16 eps
    for rounding.

    References: Lemhadri, Ruan, Abraham, Tibshirani, LassoNet: a neural network with feature sparsity, JMLR 22 (2021),
    arXiv 1907.12207, Algorithm 2 and (for n_skip > 1) its grouped form.

    >>> import numpy as np
    >>> Hierarchical(1.0, M=1.0).prox(np.array([[3.0, 0.5], [4.0, 0.25]]), step=1.0)
    array([[3., 0.],
           [3., 0.]])
    """

    convex = False

    def __init__(self, lam: float, M: float = 10.0, n_skip: int = 1):
        self.lam = check_lam(lam)
        if isinstance(M, bool) or not isinstance(M, numbers.Real) or not 0 <= M < math.inf:
            raise ValueError(
                f"Expected M (the hierarchy: bound of |W| in units of the skip weight) to be finite and ≥ 0, got {M}"
            )
        if isinstance(n_skip, bool) or not isinstance(n_skip, numbers.Integral) or n_skip < 1:
            raise ValueError(f"Expected n_skip (rows of skip weights) to be an integer ≥ 1, got {n_skip!r}")
        self.M: float = M
        self.n_skip: int = n_skip

    @property
    def groups(self) -> Groups:  # type: ignore[override]
        """The inputs: one group per column."""
        return Groups.columns()

    def _split(self, w):
        w = weights_array(w)
        if w.ndim != 2 or w.shape[0] <= self.n_skip:
            raise ValueError(
                f"Expected weights of shape ({self.n_skip} skip + K hidden, inputs) for Hierarchical, got "
                f"{tuple(w.shape)}"
            )
        return w, w[: self.n_skip], w[self.n_skip :]

    def value(self, w):
        """λ Σ_j ‖θ_j‖ if the hierarchy holds, else +∞."""
        eps = float(namespace(w).finfo(weights_array(w).dtype).eps)
        w, skip, hidden = self._split(working(w))
        xp = namespace(w)
        bound = float(self.M) * vector_norm(skip, 0) * (1.0 + 16 * eps)
        excess = abs(hidden) - bound
        # NaN is neither above nor below: it stays.
        broken = xp.where(excess <= 0, xp.zeros_like(excess), xp.where(excess > 0, math.inf, excess)).sum()
        return number_or_scalar(float(self.lam) * vector_norm(skip, 0).sum() + broken)

    def prox(self, w, step):
        """Hier-Prox of every column, for one step."""
        w, skip, hidden = self._split(w)
        xp, skip = namespace(w), double(skip)
        length, unit = _polar(skip)
        size, bounded = self._hier_prox(length, double(hidden), one_step(step, w, self) * float(self.lam))
        return cast(xp.concatenate([unit * size, bounded]), w)

    def _hier_prox(self, along, hidden, threshold):
        """argmin_{β ≥ 0, |U| ≤ Mβ} ½(β − along)² + ½‖U − hidden‖² + threshold·β, column by column.

        With the m largest |hidden| clipped at Mβ the best β is β_m = (along + M Σ_{i≤m} |hidden|_(i) − threshold)₊ / (1
        + mM²); the right m is the first with |hidden|_(m+1) ≤ Mβ_m.
        """
        xp, M = namespace(hidden), float(self.M)
        largest = xp.swapaxes(sort_descending(xp.swapaxes(abs(hidden), 0, 1)), 0, 1)
        none = xp.zeros_like(largest[:1])
        cuts = xp.cumsum(xp.ones_like(xp.concatenate([none, largest])), 0) - 1.0
        sums = xp.concatenate([none, xp.cumsum(largest, 0)])
        beta = positive_part(along + M * sums - threshold) / (1.0 + cuts * M * M)
        m = (xp.concatenate([largest, none]) > M * beta).sum(0)
        beta = xp.where(cuts == m, beta, xp.zeros_like(beta)).sum(0)
        return beta, xp.clip(hidden, -M * beta, M * beta)

    def unpenalised(self, shape):
        """No entry: all are subject to the hierarchy."""
        return np.zeros(shape, dtype=bool)

    def lambda_max(self, g0) -> float:
        """max_j ‖∂θ_j‖ + M ‖∂W_j‖₁: from there on zero is a local minimum of any loss with gradient g0 at zero."""
        g0, skip, hidden = self._split(g0)
        slopes = vector_norm(skip, 0) + float(self.M) * abs(hidden).sum(0)
        return float(slopes.max()) if math.prod(slopes.shape) else 0.0

    def violation(self, w, g):
        """Per input: the prox's fixed-point residual at step 1, with the sign of θ_j fixed.

        There the cone is convex and the residual is zero exactly at stationary points; a jump of θ_j to the other sign,
        which the prox of a nonconvex set may prefer, does not count as a violation.
        """
        (w, skip, hidden), (g, _, hidden_g) = self._split(w), self._split(g)
        xp, lam = namespace(w), float(self.lam)
        skip, g = double(skip), double(g[: self.n_skip])
        length, unit = _polar(skip)
        unit = xp.where(length > 0, unit, -_polar(g)[1])  # from zero θ sets out against its gradient
        radial = (unit * g).sum(0)
        size, bounded = self._hier_prox(length - radial, double(hidden) - double(hidden_g), lam)
        parts = [(size - length)[None], bounded - double(hidden), xp.where(length > 0, g - unit * radial, 0.0 * g)]
        return cast(vector_norm(xp.concatenate(parts), 0), w)

    def latex(self) -> str:
        r"""\lambda \sum_j \|\theta_j\|_2 \text{ s.t. } \|W_j\|_\infty \le M \|\theta_j\|_2."""
        return rf"{self.lam:.4g} \sum_j \|\theta_j\|_2 \ \text{{s.t.}}\ \|W_j\|_\infty \le {self.M:.4g} \|\theta_j\|_2"


def _polar(columns):
    """(length, direction) of every column; a zero column points along the first axis."""
    xp = namespace(columns)
    length = vector_norm(columns, 0)
    first = xp.concatenate([xp.ones_like(columns[:1]), xp.zeros_like(columns[1:])])
    return length, xp.where(length == 0, first, columns / xp.where(length > 0, length, xp.ones_like(length)))

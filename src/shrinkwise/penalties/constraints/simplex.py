"""Bounds on the sum: the simplex and the L1 ball. Both projections are a threshold τ.

With entries v sorted by v/step, largest first, and S, T the running sums of v and of the steps,

    Σ max(v_j − step_j τ, 0) = total      ⇔      τ = max_k (S_k − total) / T_k,

because the left side is convex in τ and each k gives a lower bound on it.
"""

from __future__ import annotations

import math

from shrinkwise.penalties.array import (
    cast,
    double,
    namespace,
    number_or_scalar,
    positive_part,
    soft_threshold,
    weights_array,
)
from shrinkwise.penalties.together import order_descending

from .constraint import Constraint, check_size


class Simplex(Constraint):
    """w_j ≥ 0 and Σ_j w_j = total, over all entries of w.

    Parameters
    ----------
    total : float > 0
        The sum; 1 for shares.

    References: Held, Wolfe, Crowder, Validation of subgradient optimization, Math. Program. 1974, doi:10.1007/BF01580223.
    Condat, Fast projection onto the simplex and the l1 ball, Math. Program. 2016, doi:10.1007/s10107-015-0946-6.

    >>> import numpy as np
    >>> Simplex().prox(np.array([1.0, 0.5, -2.0]), step=1.0)
    array([0.75, 0.25, 0.  ])
    """

    def __init__(self, total: float = 1.0):
        if check_size(total, "total (the sum of the weights)") == 0:
            raise ValueError("Expected total (the sum of the weights) to be > 0, got 0")
        self.total = total

    def project(self, w):
        """max(w − τ, 0)."""
        return self._project_in_metric(w, 1.0)

    def _project_in_metric(self, w, step):
        w = weights_array(w)
        v, s = _in_double(w, step)
        return cast(positive_part(v - s * threshold_for(v, s, float(self.total))), w)

    def _holds(self, w):
        return super()._holds(w) if math.prod(w.shape) else w.sum() > 0  # no weights, no sum

    def conjugate(self, u):
        """total · max_j u_j."""
        return number_or_scalar(float(self.total) * weights_array(u).max())

    def latex(self) -> str:
        r"""\iota\{w \ge 0, \sum w = 1\}."""
        return rf"\iota\{{w_j \ge 0,\ \sum_j w_j = {self.total:.4g}\}}"


class L1Ball(Constraint):
    """Σ_j |w_j| ≤ radius, over all entries of w: the constraint form of the lasso.

    Parameters
    ----------
    radius : float ≥ 0

    References: Tibshirani, Regression shrinkage and selection via the lasso, JRSS B 1996. Projection: Duchi, Shalev-Shwartz,
    Singer, Chandra, ICML 2008, doi:10.1145/1390156.1390191.

    >>> import numpy as np
    >>> L1Ball(2.0).prox(np.array([3.0, -2.0, 0.5]), step=1.0)
    array([ 1.5, -0.5,  0. ])
    """

    radial = True

    def __init__(self, radius: float):
        self.radius = check_size(radius, "radius")

    def project(self, w):
        """w if it is inside, else the soft threshold that meets the radius."""
        return self._project_in_metric(w, 1.0)

    def _project_in_metric(self, w, step):
        w = weights_array(w)
        v, s = _in_double(w, step)
        tau = threshold_for(abs(v), s, float(self.radius))
        # Inside the ball τ ≤ 0: no entry has to give anything.
        return cast(soft_threshold(v, s * positive_part(tau)), w)

    def conjugate(self, u):
        """radius · max_j |u_j|."""
        u = abs(weights_array(u))
        return number_or_scalar(float(self.radius) * (u.max() if math.prod(u.shape) else u.sum()))

    def latex(self) -> str:
        r"""\iota\{\|w\|_1 \le r\}."""
        return rf"\iota\{{\|w\|_1 \le {self.radius:.4g}\}}"


def _in_double(w, step):
    """(w, one step per entry) in float64; a step of 0 is an error, because it would fix an entry that the sum may need
    to change."""
    v = double(w)
    s = namespace(v).ones_like(v) * (step if isinstance(step, (int, float)) else double(step))
    if not bool((s > 0).all()):
        raise ValueError("Expected prox steps > 0 for the projection onto a simplex or an L1 ball, got 0")
    return v, s


def threshold_for(v, step, total: float):
    """The τ with Σ max(v − step·τ, 0) = total."""
    v, step = v.reshape(-1), step.reshape(-1)
    if not len(v):
        return v.sum()
    order = order_descending(v / step)
    return ((v[order].cumsum(0) - total) / step[order].cumsum(0)).max()

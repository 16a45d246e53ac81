"""Bounds on the number of weights: the k largest weights or rows are kept, and all others are exactly zero."""

from __future__ import annotations

import numbers

from shrinkwise.penalties.array import double, namespace, weights_array
from shrinkwise.penalties.groups import Groups
from shrinkwise.penalties.together import order_descending

from .constraint import Constraint, check_count


class TopK(Constraint):
    """At most k entries of w are nonzero. Not convex: the projection keeps the k largest |w|, with ties in favour of
    the first.

    Parameters
    ----------
    k : int ≥ 0

    Notes: `violation` is the projected-gradient residual at a step so small that the support does not change: |g| on
    the nonzero entries; if there are fewer than k of them, also on the largest |g| of the others, up to k in total. In
    a diagonal metric (a step for each entry) the k largest w²/step stay.

    References: Blumensath and Davies, Iterative thresholding for sparse approximations, J. Fourier Anal. Appl. 2008,
    doi:10.1007/s00041-008-9035-z. Beck and Eldar, Sparsity constrained nonlinear optimization, SIAM J. Optim. 2013,
    doi:10.1137/120869778.

    >>> import numpy as np
    >>> TopK(1).prox(np.array([0.5, -2.0, 1.0]), step=1.0)
    array([ 0., -2.,  0.])
    """

    convex = False
    radial = True

    def __init__(self, k: int):
        self.k = check_count(k, "k (the number of weights to keep)")

    def _scores(self, w):
        """The values by which the parts (entries, or slices) are ranked."""
        return abs(w).reshape(-1)

    def _spread(self, per_part, w):
        """A value per part, broadcast to the entries."""
        return per_part.reshape(w.shape)

    def project(self, w):
        """The k largest parts of w, zero elsewhere."""
        w = weights_array(w)
        return self._keep(w, self._scores(w))

    def _project_in_metric(self, w, step):
        # Dropping entry j costs w²/(2 step). An entry with step 0 cannot move: it comes first unless it is zero.
        xp = namespace(w)
        scaled = double(w) * xp.where(step > 0, double(step), 1e-300) ** -0.5
        return self._keep(w, self._scores(scaled))

    def _keep(self, w, scores):
        xp = namespace(w)
        kept = xp.zeros_like(scores)
        # NaN comes first: to drop it would hide it.
        scores = xp.where(scores == scores, scores, xp.full_like(scores, float("inf")))
        kept[order_descending(scores)[: self.k]] = 1.0
        return xp.where(self._spread(kept, w) > 0, w, xp.where(w == w, xp.zeros_like(w), w))

    def _holds(self, w):
        return (self._scores(w) != 0).sum() <= self.k

    def violation(self, w, g):
        """|g| on the parts that may be nonzero; |w| on the others."""
        w, g = weights_array(w), weights_array(g)
        xp = namespace(w)
        used = self._spread(self._scores(w), w) != 0
        open_places = max(self.k - int((self._scores(w) != 0).sum()), 0)
        entering = type(self)(**{**self.get_params(), "k": open_places}).project(xp.where(used, xp.zeros_like(g), g))
        forbidden = abs(w - self.project(w))
        return xp.where(used, abs(g), abs(entering)) + forbidden

    def latex(self) -> str:
        r"""\iota\{\|w\|_0 \le k\}."""
        return rf"\iota\{{\|w\|_0 \le {self.k}\}}"


class RowSparsity(TopK):
    """At most k rows of w (slices of an axis) are nonzero; the projection keeps those with the largest norms. Not
    convex.

    Parameters
    ----------
    k : int ≥ 0
    axis : int
        The axis whose every index is a slice, as in ``Groups.axis``: 0 for output units, 1 for inputs.

    References: Blumensath and Davies, Sampling theorems for signals from the union of finite-dimensional linear subspaces,
    IEEE Trans. Inf. Theory 2009, doi:10.1109/TIT.2009.2013003.

    >>> import numpy as np
    >>> RowSparsity(1).prox(np.array([[1.0, 1.0], [0.0, 2.0]]), step=1.0)
    array([[0., 0.],
           [0., 2.]])
    """

    def __init__(self, k: int, axis: int = 0):
        super().__init__(k)
        if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
            raise TypeError(f"Expected axis to be an integer, got {axis!r}")
        self.axis: int = axis

    @property
    def groups(self) -> Groups:  # type: ignore[override]
        """The slices."""
        return Groups.axis(self.axis)

    def _scores(self, w):
        return self.groups.norms(double(w))

    def _spread(self, per_part, w):
        return self.groups.spread(per_part, w)

    def latex(self) -> str:
        r"""\iota\{\#\{r : w_r \ne 0\} \le k\}."""
        return rf"\iota\{{\#\{{r : w_r \ne 0\}} \le {self.k}\}}"

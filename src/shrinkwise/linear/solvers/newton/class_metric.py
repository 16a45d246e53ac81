"""A metric for the weights of many classes: near the blocks of the Hessian on the diagonal, at the cost of a gradient.

The block of class k is X̃'diag(ω_k)X̃ with ω_k = p_k(1 − p_k). Its diagonal D_k is one product with the squares of X̃ for all
classes; the correlations C of the columns are taken to be those of all rows, the same for every class. Then

    M_k = D_k^½ C D_k^½,   and all classes are solved for by one product with C⁻¹.
"""

from __future__ import annotations

import numpy as np

# C is formed up to so many columns a class: it then costs no more than a few gradients. Beyond, the diagonal serves.
_COLUMNS_A_CLASS = 16
_DAMPING = 1e-3  # of C, whose columns may be copies of each other


class Correlations:
    """C⁻¹ of the columns in front, kept while these stay the same."""

    def __init__(self, weights):
        self.weights, self.ids, self.found = weights, None, None

    def inverse(self, columns, K: int):
        """(m, m) of the m columns in front, or None where there are too many of them for K classes."""
        ids = columns.ids[: columns.front]
        if self.ids is None or not np.array_equal(ids, self.ids):
            self.ids, self.found = ids.copy(), None
            if 0 < len(ids) <= _COLUMNS_A_CLASS * K:
                places = np.arange(len(ids))
                C = columns.gram(places, [places], [self.weights], np.float64)[0]
                size = np.sqrt(np.diagonal(C))
                size = np.where(size > 0, size, 1.0)
                C = C / np.multiply.outer(size, size)
                C.flat[:: len(C) + 1] = 1.0 + _DAMPING
                self.found = np.linalg.inv(C)
        return self.found


class ClassMetric:
    """M at probabilities p (K, n), with an intercept behind the weights of every class.

    Parameters
    ----------
    columns : the working columns; the metric is of those in front.
    p : (K, n) probabilities.
    weights : (n,), sample weights and 1/n in it.
    ridge : (K, m + 1), the curvature of the penalty.
    correlations : `Correlations`.
    """

    def __init__(self, columns, p, weights, ridge, correlations: Correlations):
        curvatures = p * (1.0 - p)
        curvatures *= weights
        squares = columns.squares(curvatures.T, columns.front).T
        diagonal = np.concatenate([squares, curvatures.sum(1)[:, None]], axis=1) + ridge
        # No row is near a class of which all probabilities are 0 or 1: its own curvature would let it go anywhere.
        self.diagonal = np.maximum(diagonal, max(1e-6 * float(diagonal.max(initial=0.0)), 1e-300))
        self.inverted = 1.0 / self.diagonal
        self.root = np.sqrt(self.inverted[:, :-1])
        self.inverse = correlations.inverse(columns, len(p))

    def solve(self, r):
        """M⁻¹r, (K, m + 1)."""
        ahead = r * self.inverted
        if self.inverse is not None:
            np.multiply((r[:, :-1] * self.root) @ self.inverse, self.root, out=ahead[:, :-1])
        return ahead

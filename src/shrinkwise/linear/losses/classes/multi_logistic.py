"""Several targets of two classes each."""

from __future__ import annotations

import numpy as np

from ..base import Loss
from .logistic import Logistic

_ONE = Logistic()


class MultiLogistic(Loss):
    """Σ_k log(1 + e^{η_k}) − y_k η_k, y in {0, 1}^K: negative log-likelihood of K independent targets of two classes each.

    With a group of the K weights of every input (``GroupLasso(lam, Groups.columns())``) the targets share their inputs.

    Reference: Obozinski, Taskar, Jordan, Joint covariate selection and joint subspace selection for multiple classification
    problems, Stat. Comput. 2010, doi:10.1007/s11222-008-9111-x.
    """

    name = "multi_logistic"
    is_likelihood = coded = True
    one_target = _ONE
    curvature = _ONE.curvature

    def value(self, y, eta):
        """Σ_k log(1 + e^{η_k}) − y_k η_k."""
        return _ONE.value(y, eta).sum(-1)

    def gradient(self, y, eta):
        """P(y_k = 1) − y_k, (n, K)."""
        return _ONE.gradient(y, eta)

    def hessian(self, y, eta):
        """diag(p_k (1 − p_k)), (n, K, K)."""
        return _ONE.hessian(y, eta)[..., None] * np.eye(eta.shape[-1])

    def conjugate(self, y, v):
        """The sum of those of the targets."""
        return _ONE.conjugate(y, v).sum(-1)

    def dual_feasible(self, y, v):
        """y + v clipped to [0, 1]."""
        return _ONE.dual_feasible(y, v)

    def inverse_link(self, eta):
        """P(y_k = 1)."""
        return _ONE.inverse_link(eta)

    def null_intercept(self, y, s):
        """The log odds of every target."""
        return np.array([_ONE.null_intercept(column, s) for column in y.T])

    def recession(self, y):
        """Every target may move to its side."""
        return _ONE.recession(y)

    def checked(self, y):
        """(n, K) of 0 and 1, both in every column."""
        y = np.asarray(y, dtype=float)
        self.check(y)
        return y

    def check(self, y):
        """0 and 1, both in every column."""
        if y.ndim != 2 or not np.isin(y, (0.0, 1.0)).all():
            raise ValueError("The multi_logistic loss expects y of shape (n, K) with the numbers 0 and 1")
        constant = np.flatnonzero(np.ptp(y, axis=0) == 0)
        if len(constant):
            raise ValueError(
                f"Expected both 0 and 1 in every target, got only {y[0, constant[0]]:g} in column {constant[0]} of y; "
                "drop this column"
            )

"""Losses L(θ) = (1/n) Σ_i s_i f(y_i, η_i) of the linear predictor η = Xw + b; s are sample weights of mean 1.

Each loss gives f, its derivatives in η, its conjugate at −θ for the dual objective, its least value over η (what the
saturated model reaches: the scale of a gap is counted from there) and the unpenalised intercept. η has shape (n,), or
(n, K) for the multinomial loss. The gradient at any η, times any α in [0, 1], lies where the conjugate is finite.
"""

from __future__ import annotations

import numpy as np


class Loss:
    """What every loss has, beside `value`, `gradient`, `hessian`, `conjugate` and `null_intercept`.

    A loss of your own is a class with those, `name` and `curvature`, a bound of f'' in η (∞ where there is none).
    """

    name = ""
    location = False  # whether f depends on y − η alone
    is_quadratic = False  # whether f is ½(y − η)²: a Gram matrix and several targets serve
    coded = False  # whether y are classes, numbered from 0
    per_class = False  # whether η has a column for every class
    is_positive = False  # whether y ≥ 0
    is_likelihood = False  # whether f is a negative log-likelihood, up to a function of y

    def value(self, y, eta):
        """f(y, η), (n,)."""
        raise NotImplementedError

    def gradient(self, y, eta):
        """∂f/∂η, in the shape of η."""
        raise NotImplementedError

    def hessian(self, y, eta):
        """∂²f/∂η², (n,), or (n, K, K) for a loss per class."""
        raise NotImplementedError

    def checked(self, y):
        """y (finite numbers of shape (n,), or codes of classes) as this loss takes it; ValueError where it cannot."""
        self.check(y)
        return y

    def inverse_link(self, eta):
        """The mean of y at η."""
        return eta

    def log_constant(self, y):
        """−log p(y | η) − f(y, η), (n,): what f leaves out of the negative log-likelihood."""
        return np.zeros(len(y))

    def model_curvature(self, y, eta):
        """The curvature a quadratic model of the loss takes: `hessian`, kept away from 0 where that may vanish."""
        return self.hessian(y, eta)

    def lowest(self, y):
        """min_η f(y, η), (n,)."""
        return np.zeros(len(y))

    def dual_feasible(self, y, v):
        """v moved to where the conjugate is finite, (n,) or (n, K)."""
        return v

    def check(self, y):
        """Raise ValueError where y is no target for this loss."""

    def recession(self, y):
        """Along which moves of η no f ever rises, in the shape of η: +1 upwards, −1 downwards, 0 none; for a loss per class
        relative to the predictor of the own class. None where every move raises f in the end, so that a minimum exists.
        """
        return None

    def score(self, y, eta):
        """What cross-validation reports, (n,) or with leading axes of η: the loss itself."""
        return self.value(y, eta)

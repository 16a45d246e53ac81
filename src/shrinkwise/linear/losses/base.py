"""Losses L(θ) = (1/n) Σ_i s_i f(y_i, η_i) of the linear predictor η = Xw + b; s are sample weights of mean 1.

Each loss gives f, its derivatives in η, its conjugate at −θ for the dual objective, its smallest value over η (that of
the saturated model, from which the scale of a gap is measured) and the unpenalised intercept. η has shape (n,), or (n,
K) for the multinomial loss. The gradient at any η, times any α in [0, 1], lies where the conjugate is finite.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


class Loss:
    """Base class of losses; a loss also defines `value`, `gradient`, `hessian`, `conjugate` and `null_intercept`.

    To write your own loss, define these, `name` and `curvature`, an upper bound of f'' in η (∞ if there is none).
    """

    name = ""
    curvature: Any = np.inf
    several_classes: str | None = None  # the name of this loss for more than two classes
    location = False  # whether f depends on y − η alone
    is_quadratic = False  # whether f is ½(y − η)²: a Gram matrix and several targets serve
    is_root = False  # whether f is the root of the mean square: least squares with the penalty times that root
    farthest = np.inf  # range of η beyond which double precision does not hold the loss: there weights run away
    coded = False  # whether y are classes, numbered from 0
    one_target: Loss | None = None  # of a loss of y (n, K): the loss of each column
    per_class = False  # whether η has a column for every class
    is_softmax = False  # whether the curvature of a row is diag(p) − pp', p = inverse_link(η)
    is_positive = False  # whether y ≥ 0
    is_likelihood = False  # whether f is a negative log-likelihood, up to a function of y and a fitted dispersion
    is_partial = False  # whether f is a partial likelihood: y are records, f joins rows, and η counts up to a constant
    of_the_mean = False  # whether predictions of a measured y are scored by R², and not by the share of the deviance

    def value(self, y, eta):
        """f(y, η), (n,)."""
        raise NotImplementedError

    def gradient(self, y, eta):
        """∂f/∂η, in the shape of η."""
        raise NotImplementedError

    def value_and_gradient(self, y, eta):
        """(`value`, `gradient`), for a loss that gets both at less than the cost of each."""
        return self.value(y, eta), self.gradient(y, eta)

    def hessian(self, y, eta):
        """∂²f/∂η², (n,), or (n, K, K) for a loss per class."""
        raise NotImplementedError

    def conjugate(self, y, v):
        """sup_η vη − f(y, η), (n,)."""
        raise NotImplementedError

    def null_intercept(self, y, s):
        """argmin_b Σ s f(y, b), a scalar array, or (K,) for a loss per class."""
        raise NotImplementedError

    def checked(self, y):
        """y (finite numbers of shape (n,), or codes of classes) as this loss takes it; ValueError if y is not valid."""
        self.check(y)
        return y

    def scaled_to(self, y, s):
        """The loss of this target with weights s: itself, unless a part of it was left to be taken from the data."""
        return self

    def inverse_link(self, eta):
        """The mean of y at η."""
        return eta

    def minus_log_likelihood(self, y, s, losses):
        """(−log-likelihood of fits with the mean losses `losses` (L,), how many parameters of it were fitted beside η)."""
        return len(y) * losses + s @ self.log_constant(y), 0

    def log_constant(self, y):
        """−log p(y | η) − f(y, η), (n,): the part of the negative log-likelihood that f omits."""
        return np.zeros(len(y))

    def model_curvature(self, y, eta):
        """The curvature used in a quadratic model of the loss: `hessian`, bounded away from 0 where it may vanish."""
        return self.hessian(y, eta)

    def summed_curvature(self, y, eta, weights):
        """Σ_i weights_i of `model_curvature`: a number, or (K, K)."""
        return (weights * self.model_curvature(y, eta).T).T.sum(0)

    def conjugate_at(self, y, alpha: float, v, eta):
        """f*(αv), (n,), where v is ∇f(η) or a point that was `offered`."""
        return self.conjugate(y, alpha * v)

    def effective_rows(self, y):
        """n of BIC, and of the degrees of freedom a fit has at most."""
        return len(y)

    def information(self, X, eta):
        """X'∇²fX for X (n, m), for a loss that joins rows."""
        raise NotImplementedError

    def rooted_curvature(self, eta):
        """For a loss that joins rows, what gives Z' of columns X' (m, n), with X'∇²fX = Z'Z at η, all weighted; else None."""

    def lowest(self, y):
        """min_η f(y, η), (n,)."""
        return np.zeros(len(y))

    def dual_feasible(self, y, v):
        """v moved to a point where the conjugate is finite, (n,) or (n, K)."""
        return v

    def offered(self, y, v, step):
        """A dual point near v, the gradient that a quadratic model predicts, where the conjugate is finite; or None.

        step : (η before it, the change of η, η where the model was built).
        """
        return self.dual_feasible(y, v)

    def check(self, y):
        """Raise ValueError if y is not a valid target for this loss."""

    def recession(self, y):
        """Along which moves of η no f ever rises, in the shape of η: +1 upwards, −1 downwards, 0 none; for a loss per class
        relative to the predictor of the own class. None where every move raises f in the end, so that a minimum exists.
        """
        return None

    def falls_along(self, moves) -> bool:
        """For a loss that joins rows: whether it decreases without end, and no term rises, as η moves along `moves` (n,)."""
        return False

    def score(self, y, eta):
        """The score reported by cross-validation and compared by D², (n,) or with leading axes of η: the loss itself."""
        return self.value(y, eta)

    def explained(self, y, eta, null_eta, weights=None) -> float:
        """D²: 1 − mean score / mean score of the model without inputs; 1 or 0 where that is perfect."""
        score, null = (float(np.average(self.score(y, each), weights=weights)) for each in (eta, null_eta))
        return 1.0 - score / null if null > 0 else float(score <= 0)

    def _parameters(self) -> dict:
        return {key: value for key, value in vars(self).items() if not key.startswith("_")}

    def __repr__(self) -> str:
        """The class with its parameters."""
        given = ", ".join(f"{key}={value!r}" for key, value in self._parameters().items())
        return f"{type(self).__name__}({given})"

    def __eq__(self, other) -> bool:
        return type(self) is type(other) and self._parameters() == other._parameters()

    def __hash__(self) -> int:
        return hash(type(self))


def entropy(q):
    """q log q for q ≥ 0, 0 at 0."""
    return q * np.log(np.maximum(q, 1e-300))  # a fifth of the time of scipy's xlogy


def positive_number(value, what: str) -> float:
    """`value` as a float; ValueError if it is not a finite number > 0."""
    if isinstance(value, bool) or not (isinstance(value, numbers.Real) and 0 < float(value) < np.inf):
        raise ValueError(f"Expected {what} to be a finite number > 0, got {value!r}")
    return float(value)

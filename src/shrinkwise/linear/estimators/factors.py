"""Factors of λ, one per column: columns penalised less, more or not at all."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.checks import finite_numbers
from shrinkwise.penalties import Penalty, multiplied


def adaptive_weights(coef, gamma: float = 1.0) -> np.ndarray:
    """1/|b_j|^γ from a first fit b, as `weights` of a penalty: the adaptive lasso, which shrinks large weights less.

    Parameters
    ----------
    coef : (p,) of a first fit; usually ridge, because its weights are not zero.
    gamma : float > 0.

    Returns
    -------
    (p,) factors, scaled so that the smallest is 1. If |b_j| is below 1e-8 of the largest |b|, it counts as 1e-8 of the
    largest; such a column is excluded at every λ of interest.

    Reference: Zou, The adaptive lasso and its oracle properties, JASA 2006.

    >>> adaptive_weights([2.0, -1.0])
    array([1., 2.])
    """
    size = np.abs(finite_numbers(coef, "coef"))
    if isinstance(gamma, bool) or not 0 < gamma < np.inf:
        raise ValueError(f"Expected gamma (the power of 1/|b|) to be finite and > 0, got {gamma!r}")
    top = size.max(initial=0.0)
    if top == 0:
        raise ValueError(
            "Expected a first fit with a nonzero weight, got all zeros; use a weaker penalty for it, e.g. ridge"
        )
    return (np.maximum(size, 1e-8 * top) / top) ** -float(gamma)


def with_factors(penalty: Penalty, factors, p: int) -> Penalty:
    """The penalty with λ of column j multiplied by factors[j] (p,), where 0 means unpenalised; bounds are unchanged."""
    factors = finite_numbers(factors, "penalty_factors")
    if factors.shape != (p,) or (factors < 0).any():
        raise ValueError(f"Expected penalty_factors to be {p} numbers ≥ 0, one per column, got shape {factors.shape}")
    return multiplied(penalty, factors)

"""Factors of λ, one a column: columns penalised less, more or not at all."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.checks import finite_numbers
from shrinkwise.penalties import Penalty, multiplied


def adaptive_weights(coef, gamma: float = 1.0) -> np.ndarray:
    """1/|b_j|^γ from a first fit b, as `weights` of a penalty: the adaptive lasso, which shrinks large weights little.

    Parameters
    ----------
    coef : (p,) of a first fit; ridge is the usual one, since it has no zeros.
    gamma : float > 0.

    Returns
    -------
    (p,) factors, scaled so that the smallest is 1. Where b is zero, or below 1e-8 of the largest |b|, the factor is that of
    1e-8 of the largest: such a column is left out for every λ of interest.

    Reference: Zou, The adaptive lasso and its oracle properties, JASA 2006.

    >>> adaptive_weights([2.0, -1.0])
    array([1., 2.])
    """
    size = np.abs(finite_numbers(coef, "coef"))
    if isinstance(gamma, bool) or not 0 < gamma < np.inf:
        raise ValueError(f"expected gamma (the power of 1/|b|) finite and > 0, got {gamma!r}")
    top = size.max(initial=0.0)
    if top == 0:
        raise ValueError("expected a first fit with some weight, got all zero: use a weaker penalty for it, e.g. ridge")
    return (np.maximum(size, 1e-8 * top) / top) ** -float(gamma)


def with_factors(penalty: Penalty, factors, p: int) -> Penalty:
    """The penalty with λ of column j multiplied by factors[j] (p,), 0 = free; bounds stay as they are."""
    factors = finite_numbers(factors, "penalty_factors")
    if factors.shape != (p,) or (factors < 0).any():
        raise ValueError(f"expected penalty_factors as {p} numbers ≥ 0, one a column, got shape {factors.shape}")
    return multiplied(penalty, factors)

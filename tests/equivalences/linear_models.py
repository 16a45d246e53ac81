"""One fit for every loss, and what the equalities are checked on."""

import numpy as np
import pytest

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise.linear import path
from shrinkwise.linear.losses import LOSSES, Cox

PENALTIES = [sw.L1(0.05), sw.ElasticNet(0.1, 0.5), sw.L2(0.05), sw.GroupLasso(0.05, np.repeat(np.arange(4), 3))]
# A loss that joins rows takes many steps: its equalities are tested in the longer run.
every = pytest.mark.parametrize(
    "loss", [pytest.param(name, marks=[pytest.mark.thorough] * LOSSES[name].is_partial) for name in sorted(LOSSES)]
)
# Efron's likelihood takes two equal rows as a tie, which a row of weight 2 is not; Breslow's is a sum over rows.
REPEATED = {**{name: name for name in LOSSES}, "cox": Cox("breslow")}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def problem(seed, loss, n=60):
    """Data of the kind the loss is for."""
    asked = LOSSES[loss]
    X, y = random_problem(
        seed, n=n, loss="multinomial" if asked.per_class else "logistic" if asked.coded else "squared"
    )
    if asked.one_target is not None:
        y = np.stack([y, np.roll(y, 7)], axis=1)
    if asked.is_positive:
        y = np.random.default_rng(seed).poisson(np.exp(np.clip(0.4 * y, -4, 2))) + (0.5 if loss == "gamma" else 0.0)
    return X, y


def solve(X, y, penalty, loss, s=None, tol=1e-13, **options):
    fitted = path(X, y, penalty, loss=loss, lambdas=[penalty.lam], sample_weight=s, tol=tol, **options)
    return fitted.coefs[0], fitted.intercepts[0]


def same(a, b, tol=1e-6):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, atol=tol)

"""The Gram matrix of a fold equals the one computed from its training rows."""

import numpy as np
import pytest

from shrinkwise.linear.problem.fold_gram import FoldGrams
from shrinkwise.linear.problem.problem import Problem


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_less_the_held_out_block(weighted, fit_intercept):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 7)) * 10.0 ** np.arange(-3, 4) + 5.0
    X[:, 3] = 2.0
    X[:, 4] = np.arange(60) == 5  # varies in the held-out rows only
    X[:, 5] = np.where(np.arange(60) < 20, 1e6 * X[:, 5], X[:, 5])  # nearly all of its variance is held out
    s = rng.uniform(0.5, 2.0, 60) if weighted else None
    train = np.arange(20, 60)
    whole = Problem(X, rng.normal(size=60), "squared", s, fit_intercept)
    part = Problem(X[train], rng.normal(size=40), "squared", None if s is None else s[train], fit_intercept)
    G, expected = FoldGrams(whole).without(train), part.design.gram()
    spread, size = np.sqrt(np.diagonal(expected)), np.sqrt((X[train] ** 2).mean(0))
    allowed = 1e-10 * np.outer(spread, spread) + 1e-15 * (
        np.outer(spread, size) + np.outer(size, spread + size * 1e-15)
    )
    assert (np.abs(G - expected) <= allowed).all()

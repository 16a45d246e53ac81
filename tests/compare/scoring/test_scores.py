from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error

from shrinkwise.compare.metrics import accuracy, guess, held_out_score


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    y, prediction = rng.normal(size=(2, 50))
    codes, p = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50)
    assert held_out_score("regression", y, prediction) == pytest.approx(
        root_mean_squared_error(y, prediction), rel=1e-12
    )
    assert held_out_score("multiclass", codes, p) == pytest.approx(log_loss(codes, p), rel=1e-12)
    assert accuracy("multiclass", codes, p) == accuracy_score(codes, p.argmax(axis=1))
    assert accuracy("regression", y, prediction) is None


def test_a_sure_mistake_costs_a_finite_loss():
    assert held_out_score("binary", np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-15))


def test_a_guess_is_the_mean_or_the_shares():
    assert guess("regression", np.array([1.0, 2.0, 6.0]), 2, 0).tolist() == [3.0, 3.0]
    assert guess("multiclass", np.array([0, 0, 0, 2]), 1, 3).tolist() == [[0.75, 0.0, 0.25]]

"""Knockoffs with the lasso: the false discovery proportion over repeated data, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import shrinkwise as sw

P, RELEVANT = 40, 10
R = 0.5 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P)))


def measured(repetitions, known, fdr=0.2, loss="squared"):
    """(mean false discovery proportion, its standard error, mean power)."""
    found, power = [], []
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(250, P)) @ np.linalg.cholesky(R).T
        relevant = rng.choice(P, RELEVANT, replace=False)
        eta = X[:, relevant] @ rng.choice([-0.4, 0.4], RELEVANT)
        y = eta + rng.normal(size=250) if loss == "squared" else rng.random(250) < 1 / (1 + np.exp(-3 * eta))
        given = {"covariance": R, "mean": np.zeros(P)} if known else {}
        selected = sw.knockoffs(X, y, fdr, random_state=seed, loss=loss, cv=3, **given).selected
        found.append(np.setdiff1d(selected, relevant).size / max(1, len(selected)))
        power.append(np.intersect1d(selected, relevant).size / RELEVANT)
    return np.mean(found), np.std(found) / np.sqrt(repetitions), np.mean(power)


def test_the_false_discovery_proportion_is_below_the_rate_on_average():
    proportion, se, power = measured(10, known=True)
    assert proportion <= 0.2 + 2 * se
    assert power > 0.5


@pytest.mark.thorough
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_false_discovery_proportion_over_many_repetitions(known, loss):
    proportion, se, power = measured(150, known, loss=loss)
    assert proportion <= 0.2 + 2 * se
    assert power > 0.4


def test_names_constants_and_the_sentence():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 30)), columns=[f"v{j}" for j in range(30)])
    X["v7"] = 3.0
    y = X.iloc[:, 10:25].sum(axis=1) * 5 + rng.normal(size=60)
    found = sw.knockoffs(X, y, fdr=0.2, random_state=1)
    assert found.statistics[7] == 0
    assert found.selected_names == [f"v{j}" for j in found.selected]
    assert (np.diff(found.statistics[found.selected]) <= 0).all()
    assert "approximate" in found.status
    again = sw.knockoffs(X, y, fdr=0.2, random_state=1)
    np.testing.assert_array_equal(again.statistics, found.statistics)
    wide = sw.knockoffs(rng.normal(size=(20, 30)), rng.normal(size=20), cv=3)
    assert "not assured" in wide.status


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"fdr": 0.0}, ValueError, "false discovery rate"),
        ({"covariance": np.ones((2, 2))}, ValueError, "shape"),
        ({"covariance": np.ones((3, 3))}, ValueError, "combinations of others"),
        ({"mean": np.ones(2)}, ValueError, "mean of shape"),
        ({"method": "random"}, ValueError, "method"),
    ],
)
def test_what_has_no_knockoffs_is_refused(given, error, words):
    X = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(error, match=words):
        sw.knockoffs(X, X[:, 0], **given)

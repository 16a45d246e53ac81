"""Published results, to their digits."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import shrinkwise as sw
from linear.data import stored
from shrinkwise.linear import Lasso, path


def test_glmnet_quickstart():
    data = stored("glmnet_quickstart")
    X, y = data["X"], data["y"]
    scale = X.std(0)
    fit = sw.PenalizedRegressor(sw.L1(0.5), tol=1e-13).fit(X / scale, y)
    published = np.zeros(20)
    published[[0, 2, 4, 5, 13, 19]] = [1.0055470, 0.2677140, -0.4476485, 0.2379287, -0.8230862, -0.5553678]
    np.testing.assert_allclose(fit.coef_ / scale, published, atol=5e-6)
    assert fit.kkt_violation_ <= 1e-9


def test_least_squares_on_prostate():
    data = stored("prostate")
    train = data["train"].astype(bool)
    X, y = (data["X"] - data["X"].mean(0)) / data["X"].std(0, ddof=1), data["y"]
    fit = sw.PenalizedRegressor(sw.L2(0.0)).fit(X[train], y[train])
    errors = (y[~train] - fit.predict(X[~train])) ** 2
    assert errors.mean() == pytest.approx(0.521, abs=5e-4)
    assert errors.std(ddof=1) / np.sqrt(len(errors)) == pytest.approx(0.179, abs=5e-4)
    ridge = path(X[train], y[train], sw.L2(1.0), lambdas=[23.9989 / (2 * train.sum())])
    errors = (y[~train] - ridge.predict(X[~train])[0]) ** 2
    assert errors.mean() == pytest.approx(0.490, abs=2e-3)


def test_the_diabetes_path_has_twelve_knots_and_ends_at_least_squares():
    X, y = load_diabetes(return_X_y=True)  # unit columns, as in the least-angle regression paper
    X = X / np.linalg.norm(X - X.mean(0), axis=0)
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    fitted = path(X, y, sw.L1(1.0), lambdas=np.geomspace(3.0, 1e-5, 400), tol=1e-12)
    order = np.argsort([np.argmax(fitted.coefs[:, j] != 0) for j in range(10)], kind="stable")
    assert [names[j] for j in order] == ["bmi", "s5", "bp", "s3", "sex", "s6", "s1", "s4", "s2", "age"]
    signs = np.sign(fitted.coefs)
    assert np.any(signs[1:] != signs[:-1], axis=1).sum() == 12
    assert np.abs(fitted.at(0.0).coef).sum() == pytest.approx(3459.98, abs=0.01)


def test_lasso_degrees_of_freedom_by_simulation():
    """E[number of non-zero weights] = Σ cov(ŷ_i, y_i)/σ² = 5.6 on the diabetes data at λ = 100 on the scale of sums."""
    X, y = load_diabetes(return_X_y=True)
    least = sw.PenalizedRegressor(sw.L2(0.0)).fit(X, y)
    mean = least.predict(X)
    sigma = np.sqrt(np.sum((y - mean) ** 2) / (len(y) - 11))
    rng, draws = np.random.default_rng(0), 300
    Y = mean + sigma * rng.normal(size=(draws, len(y)))
    counts, covariance = [], 0.0
    for target in Y:
        fit = Lasso(alpha=100.0 / len(y)).fit(X, target)
        counts.append(np.count_nonzero(fit.coef_))
        covariance += np.sum((fit.predict(X) - mean) * (target - mean)) / sigma**2 / draws  # the mean only adds noise
    assert np.mean(counts) == pytest.approx(5.625, abs=4 * 0.021 * np.sqrt(1500 / draws))
    assert covariance - 1.0 == pytest.approx(5.699, abs=4 * 0.141 * np.sqrt(1500 / draws))

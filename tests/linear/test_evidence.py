"""Published results, to their digits: glmnet's quick start, prostate and diabetes of the textbook, lasso degrees of freedom.

λ here multiplies a loss of 1/(2n)‖y − Xw‖². The sources leave out 1/n: their ridge ‖y − Xw‖² + λ‖w‖² is L2(λ/2n), and
their lasso ½‖y − Xw‖² + λ‖w‖₁ is L1(λ/n).
"""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import lars_path

import shrinkwise as sw
from shrinkwise.linear import PenalizedRegressor, path

DATA = Path(os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def stored(name):
    if not (DATA / name).exists():
        pytest.skip(f"needs {name}, which is not ours to ship: put it in $SHRINKWISE_DATA")
    with np.load(DATA / name) as file:
        return {key: file[key] for key in file.files}


# --- glmnet ---------------------------------------------------------------------------------------------------------
def test_glmnet_quick_start_coefficients():
    # Friedman, Hastie and Tibshirani, vignette "An introduction to glmnet": coef(fit, s = 0.5, exact = TRUE).
    published = {1: 1.0055470, 3: 0.2677140, 5: -0.4476485, 6: 0.2379287, 14: -0.8230862, 20: -0.5553678}
    data = stored("glmnet_quickstart.npz")
    X, y = data["X"], data["y"]
    fit = PenalizedRegressor(sw.L1(0.5), tol=1e-12).fit(X / X.std(0), y)
    expected = np.zeros(20)
    expected[[k - 1 for k in published]] = list(published.values())
    # The published digits are glmnet's at its default tolerance: up to 3e-6 from the solution.
    np.testing.assert_allclose(fit.coef_ / X.std(0), expected, atol=5e-6)
    assert fit.kkt_violation_ <= 1e-9
    assert ((fit.coef_ != 0) == (expected != 0)).all()


# --- prostate: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., section 3.4 ------------
@pytest.fixture(scope="module")
def prostate():
    """(X, y) of the 67 training rows and of the 30 others; columns scaled to mean 0 and variance 1 over all 97."""
    data = stored("prostate.npz")
    X, y, train = data["X"], data["y"], data["train"].astype(bool)
    X = (X - X.mean(0)) / X.std(0, ddof=1)
    return (X[train], y[train]), (X[~train], y[~train])


def test_prostate_least_squares_test_error(prostate):
    (X, y), (X_test, y_test) = prostate
    squared = (y_test - PenalizedRegressor(sw.L2(0.0)).fit(X, y).predict(X_test)) ** 2
    assert round(squared.mean(), 3) == 0.521  # table 3.3
    assert round(squared.std(ddof=1) / np.sqrt(len(squared)), 3) == 0.179


def test_prostate_ridge_of_five_degrees_of_freedom(prostate):
    (X, y), (X_test, y_test) = prostate
    lam = 23.9989
    singular = np.linalg.svd(X - X.mean(0), compute_uv=False)
    assert (singular**2 / (singular**2 + lam)).sum() == pytest.approx(5.0, abs=1e-5)
    fit = PenalizedRegressor(sw.L2(lam / (2 * len(y)))).fit(X, y)
    assert round(((y_test - fit.predict(X_test)) ** 2).mean(), 3) == 0.490


@pytest.mark.parametrize(
    ("name", "value"), [("df", 6.256803118332796), ("loo", 0.5818257364475402), ("gcv", 0.5782537873495173)]
)
def test_prostate_ridge_degrees_of_freedom_and_errors_left_out(prostate, name, value):
    (X, y), _ = prostate
    fitted = path(X, y, sw.L2(1.0), lambdas=[10.0 / (2 * len(y))])
    # df counts the penalised columns alone; leaving out and GCV count the intercept too.
    np.testing.assert_allclose(getattr(fitted, name), [value], rtol=1e-12)


# --- diabetes: Efron, Hastie, Johnstone and Tibshirani, Least angle regression, Ann. Statist. 2004 ---------------------
@pytest.fixture(scope="module")
def diabetes():
    """The ten columns, centred and of length one, and y centred."""
    X, y = load_diabetes(return_X_y=True)
    X = X - X.mean(0)
    return X / np.linalg.norm(X, axis=0), y - y.mean()


@pytest.fixture(scope="module")
def diabetes_knots(diabetes):
    """λ and weights where the lasso path bends, found from the solutions on a fine grid, the last at λ = 0.

    Between two knots the signs stay and w(λ) is a line through the solutions of two grid points; lines meet at a knot.
    """
    X, y = diabetes
    n = len(y)
    lambdas = np.r_[np.geomspace(1000.0, 1.0, 700), 0.5, 0.0]
    fitted = path(X, y, sw.L1(1.0), lambdas=lambdas / n, fit_intercept=False, tol=1e-13)
    assert fitted.solved.all()
    coefs, signs = fitted.coefs, np.sign(fitted.coefs)
    lines = []
    ends = np.flatnonzero((signs[1:] != signs[:-1]).any(1)).tolist()
    for first, last in zip([0, *(e + 1 for e in ends)], [*ends, len(lambdas) - 1], strict=True):
        assert first < last, f"the grid is too coarse at λ = {lambdas[first]}"
        slope = (coefs[last] - coefs[first]) / (lambdas[last] - lambdas[first])
        lines.append((coefs[first] - slope * lambdas[first], slope))
    at = []
    for (a, b), (c, d) in pairwise(lines):
        at.append(-((b - d) @ (a - c)) / ((b - d) @ (b - d)))
    knots = np.array([*at, 0.0])
    weights = np.array([c + d * lam for lam, (c, d) in zip(at, lines[1:], strict=True)] + [lines[-1][0]])
    return knots, weights


def test_diabetes_lasso_path_has_its_twelve_knots(diabetes, diabetes_knots):
    knots, weights = diabetes_knots
    assert len(knots) == 13  # twelve, and λ = 0
    alphas, _, coefs = lars_path(*diabetes, method="lasso")
    np.testing.assert_allclose(knots, alphas * len(diabetes[1]), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(weights, coefs.T, atol=1e-5)
    assert round(np.abs(weights[-1]).sum(), 2) == 3459.98


def test_diabetes_columns_enter_in_the_published_order(diabetes_knots):
    _, weights = diabetes_knots
    names = np.array(["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"])
    # Rounding leaves no exact zeros at an interpolated knot.
    entered = (np.abs(weights) > 1e-5).argmax(0)
    assert " ".join(names[np.argsort(entered)]) == "bmi s5 bp s3 sex s6 s1 s4 s2 age"


def test_diabetes_cp_is_least_at_the_seventh_knot(diabetes, diabetes_knots):
    X, y = diabetes
    n, p = X.shape
    _, weights = diabetes_knots
    rss = ((y[:, None] - X @ weights.T) ** 2).sum(0)
    used = 1 + (np.abs(weights) > 1e-5).sum(1)  # the intercept counts
    cp = rss / (rss[-1] / (n - p - 1)) - n + 2 * used
    assert cp.argmin() == 7
    assert round(cp[7], 2) == 8.88


def test_lasso_degrees_of_freedom_are_the_number_of_nonzero_weights(diabetes):
    """E[#non-zero] = Σ cov(ŷ_i, y_i)/σ² (Zou, Hastie and Tibshirani, Ann. Statist. 2007), by simulation."""
    X, y = diabetes
    n, p = X.shape
    pairs = 300
    # With X = QR only Q'y matters: ‖y − Xw‖² = ‖Q'y − Rw‖² + a constant.
    Q, R = np.linalg.qr(X)
    mean = Q.T @ y
    sigma = np.sqrt(((y - Q @ mean) ** 2).sum() / (n - p - 1))
    counted, covaried = np.empty((pairs, 2)), np.empty((pairs, 2))
    for k, noise in enumerate(sigma * np.random.default_rng(0).standard_normal((pairs, p))):
        for side, e in enumerate((noise, -noise)):  # in pairs what a draw shares with its mirror image cancels
            w = path(R, mean + e, sw.L1(1.0), lambdas=[100.0 / p], fit_intercept=False).coefs[0]
            counted[k, side] = np.count_nonzero(w)
            # The last term has mean zero and takes away most of the noise.
            covaried[k, side] = (R @ w - mean) @ e / sigma**2 - 0.57 * (e @ e / sigma**2 - p)
    counted, difference = counted.mean(1), (counted - covaried).mean(1)
    # 5.625 ± .021 by another generator and another solver.
    assert abs(counted.mean() - 5.625) <= 4 * np.hypot(counted.std() / np.sqrt(pairs), 0.021)
    error = difference.std() / np.sqrt(pairs)
    assert error <= 0.12
    assert abs(difference.mean()) <= 3 * error

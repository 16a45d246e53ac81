"""What a path gives: any λ in between, sparse storage, relaxed and adaptive fits."""

import numpy as np
import pytest

import shrinkwise as sw
from linear.data import diabetes, random_problem
from shrinkwise.linear import adaptive_weights, path


@pytest.mark.parametrize(
    "penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.6), sw.L1(1.0, weights=np.r_[0.0, np.ones(9)])], ids=repr
)
@pytest.mark.parametrize("n_lambdas", [3, 40])
def test_any_lambda_between_two_is_exact(penalty, n_lambdas):
    X, y = diabetes()
    fitted = path(X, y, penalty, n_lambdas=n_lambdas)
    for lam in np.sqrt(fitted.lambdas[1:] * fitted.lambdas[:-1]):
        between = fitted.at(lam)
        w, at = between.coef, penalty.with_lam(lam)
        g = X.T @ (X @ w + between.intercept - y) / len(y)
        assert np.max(at.violation(w, g)) <= 1e-11 * np.abs(X.T @ y).max()
        assert between.gap <= 1e-12
        assert between.status.startswith("solved")
        np.testing.assert_allclose(between.predict(X), X @ w + between.intercept)


def test_the_lasso_is_linear_between_knots():
    X, y = diabetes()
    fitted = path(X, y, sw.L1(1.0))
    i = int(np.flatnonzero(np.diff(fitted.n_nonzero) == 0)[5])
    signs = np.sign(fitted.coefs[i : i + 2])
    assert (signs[0] == signs[1]).all()
    middle = fitted.at(0.5 * (fitted.lambdas[i] + fitted.lambdas[i + 1]))
    np.testing.assert_allclose(middle.coef, fitted.coefs[i : i + 2].mean(0), atol=1e-4)


@pytest.mark.parametrize("loss", ["squared", "logistic", "multinomial"])
@pytest.mark.parametrize("penalty", [sw.L2(1.0), sw.GroupLasso(1.0, np.repeat(np.arange(4), 3)), sw.L1(1.0)], ids=repr)
def test_any_lambda_of_any_path_is_solved(loss, penalty):
    X, y = random_problem(1, loss=loss)
    fitted = path(X, y, penalty, loss=loss, n_lambdas=5, lambda_min_ratio=0.05)
    for lam in (2.0 * fitted.lambdas[0], 0.9 * fitted.lambdas[1], 0.5 * fitted.lambdas[-1]):
        one = fitted.at(lam)
        assert one.gap <= 1e-6
        assert one.status.startswith("solved")
        direct = path(X, y, penalty, loss=loss, lambdas=[lam])
        assert one.objective == pytest.approx(direct.objectives[0], abs=2e-6)
    stored = fitted.at(fitted.lambdas[2])
    np.testing.assert_array_equal(stored.coef, fitted.coefs[2])
    assert stored.gap == fitted.gaps[2]
    with pytest.raises(ValueError, match="≥ 0"):
        fitted.at(-1.0)


def test_targets_have_any_lambda_too():
    X, y = random_problem(1)
    fitted = path(X, np.column_stack([y, -y]), sw.L1(1.0), n_lambdas=5)
    np.testing.assert_allclose(fitted.at(0.1).coef[0], -fitted.at(0.1).coef[1])


def test_coefficients_are_kept_sparse_and_given_dense():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3000))
    y = X[:, 0] - X[:, 1] + rng.normal(size=30)
    fitted = path(X, y, sw.L1(1.0), n_lambdas=20, lambda_min_ratio=0.3)
    kept = sum(stack.columns.nbytes + stack.values.nbytes for stack in fitted.coefficients._stacks)
    assert kept < 0.01 * fitted.coefs.nbytes
    np.testing.assert_array_equal(fitted.coefs_sparse.toarray(), fitted.coefs)
    np.testing.assert_array_equal(fitted.n_nonzero, (fitted.coefs != 0).sum(1))
    np.testing.assert_allclose(fitted.predict(X), fitted.coefs @ X.T + fitted.intercepts[:, None])
    X, y = random_problem(2, loss="multinomial")
    classes = path(X, y, sw.L1(1.0), loss="multinomial", n_lambdas=4)
    np.testing.assert_array_equal(classes.coefs_sparse.toarray(), classes.coefs.reshape(12, 12))
    np.testing.assert_array_equal(classes.n_nonzero, (classes.coefs != 0).any(1).sum(1))


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_relaxed_fit_is_the_refit_on_the_support(loss):
    X, y = random_problem(3, n=200, loss=loss)
    fitted = path(X, y, sw.L1(1.0), loss=loss, n_lambdas=10, relaxed=True, tol=1e-10)
    refit = fitted.relaxed()
    for w, penalised, b in zip(refit.coefs, fitted.coefs, refit.intercepts, strict=True):
        support = penalised != 0
        assert not w[~support].any()
        eta = X @ w + b
        residual = (eta if loss == "squared" else 1 / (1 + np.exp(-eta))) - y
        np.testing.assert_allclose(X[:, support].T @ residual / len(y), 0, atol=1e-5)
    assert (refit.losses <= fitted.losses + 1e-9).all()
    half = fitted.relaxed(0.5)
    np.testing.assert_allclose(half.coefs, 0.5 * (fitted.coefs + refit.coefs))
    assert fitted.relaxed(1.0) is fitted
    with pytest.raises(ValueError, match="relaxed=True"):
        path(X, y, sw.L1(1.0), loss=loss, n_lambdas=3).relaxed()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        fitted.relaxed(2.0)


def test_between_two_lambdas_only_the_penalised_fit_has_a_solution_and_it_brings_its_refit():
    X, y = random_problem(3, n=200)
    fitted = path(X, y, sw.L1(1.0), n_lambdas=10, relaxed=True, tol=1e-10)
    lam = np.sqrt(fitted.lambdas[3] * fitted.lambdas[4])
    direct = path(X, y, sw.L1(1.0), lambdas=[lam], relaxed=True, tol=1e-10)
    np.testing.assert_allclose(fitted.at(lam).relaxed(0.5).coef, direct.relaxed(0.5).coefs[0], atol=1e-8)
    with pytest.raises(ValueError, match="no solution between its λ"):
        fitted.relaxed(0.5).at(lam)
    np.testing.assert_array_equal(fitted.relaxed(0.5).at(fitted.lambdas[3]).coef, fitted.relaxed(0.5).coefs[3])


def test_adaptive_weights_keep_what_a_first_fit_found_large():
    X, y = random_problem(4, n=400)
    first = sw.PenalizedRegressor(sw.L2(1e-3)).fit(X, y)
    weights = adaptive_weights(first.coef_, 2.0)
    np.testing.assert_allclose(weights, (np.abs(first.coef_).max() / np.abs(first.coef_)) ** 2)
    plain = sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=40).fit(X, y)
    adapted = sw.PenalizedRegressorCV(sw.L1(1.0), penalty_factors=weights, n_lambdas=40).fit(X, y)
    truth = np.r_[1.0, -1.0, 0.5, np.zeros(9)]
    assert np.count_nonzero(adapted.coef_) == 3
    assert np.linalg.norm(adapted.coef_ - truth) < np.linalg.norm(plain.coef_ - truth)
    for bad, words in ((np.zeros(3), "all zeros"), ([1.0, np.nan], "NaN")):
        with pytest.raises(ValueError, match=words):
            adaptive_weights(bad)
    with pytest.raises(ValueError, match="gamma"):
        adaptive_weights([1.0], 0.0)

"""Degrees of freedom, criteria, leave-one-out: against their definitions, refits and published digits."""

import numpy as np
import pytest

import shrinkwise as sw
from linear.data import diabetes, random_problem, stored
from shrinkwise.linear import path
from shrinkwise.linear.losses import LOSSES


def derivative(X, y, penalty, step=1e-5, **options):
    """Σ ∂ŷ_i/∂y_i by central differences: the definition of the degrees of freedom."""
    total = 0.0
    for i in range(len(y)):
        fits = []
        for sign in (1, -1):
            moved = y.copy()
            moved[i] += sign * step
            fitted = path(X, moved, penalty, lambdas=[penalty.lam], tol=1e-13, max_iter=100_000, **options)
            fits.append(fitted.predict(X)[0][i])
        total += (fits[0] - fits[1]) / (2 * step)
    return total


GROUPS = np.repeat(np.arange(4), 3)


@pytest.mark.parametrize(
    "penalty",
    [
        sw.L1(0.2),
        sw.L1(0.2, weights=np.r_[0.0, np.ones(11)]),
        sw.ElasticNet(0.4, 0.5),
        sw.L2(0.1),
        sw.L2(0.1, weights=np.r_[0.0, 0.0, np.linspace(0.5, 2.0, 10)]),
        sw.L1(0.2) + sw.L2(0.05).fixed(),
        sw.GroupLasso(0.15, GROUPS),
        sw.GroupLasso(0.1, GROUPS) + sw.L1(0.05),
        sw.L1(0.05) + sw.NonNegative(),
        sw.Box(-0.2, 0.2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_degrees_of_freedom_are_the_sum_of_the_derivatives(penalty, fit_intercept):
    X, y = random_problem(3, n=20)
    fitted = path(X, y, penalty, lambdas=[penalty.lam], fit_intercept=fit_intercept)
    expected = derivative(X, y, penalty, fit_intercept=fit_intercept) - fit_intercept
    assert fitted.df[0] == pytest.approx(expected, abs=2e-3)
    assert 0 < fitted.df[0] < 12


def test_degrees_of_freedom_of_the_group_lasso_are_yuan_and_lins_on_orthonormal_columns():
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.normal(size=(50, 12)))[0] * np.sqrt(50)
    y = X @ rng.normal(size=12) + rng.normal(size=50)
    fitted = path(X, y, sw.GroupLasso(1.0, GROUPS), n_lambdas=8, fit_intercept=False)
    free = X.T @ y / 50
    for w, df in zip(fitted.coefs, fitted.df, strict=True):
        norms, least = (np.linalg.norm(v.reshape(4, 3), axis=1) for v in (w, free))
        assert df == pytest.approx(np.sum((norms > 0) + norms / least * 2), rel=1e-4)


def test_duplicate_columns_count_once():
    X, y = random_problem(2)
    X = np.column_stack([X, X[:, 0]])
    fitted = path(X, y, sw.L1(1.0, weights=np.r_[np.ones(12), 0.0]), lambdas=[1e-3])
    assert fitted.df[0] <= 12
    both = path(X, y, sw.ElasticNet(1.0, 0.999), lambdas=[1e-6])
    assert both.df[0] == pytest.approx(12, abs=1e-3)


def test_logistic_degrees_of_freedom_go_from_nothing_to_all():
    X, y = random_problem(4, loss="logistic")
    lasso = path(X, y, sw.L1(1.0), loss="logistic", n_lambdas=10)
    np.testing.assert_array_equal(lasso.df, lasso.n_nonzero)
    ridge = path(X, y, sw.L2(1.0), loss="logistic", lambdas=[100.0, 0.01, 1e-9])
    assert ridge.df[0] < 0.1
    assert ridge.df[2] == pytest.approx(12, abs=1e-3)


def test_where_there_is_no_formula_it_is_said():
    X, y = random_problem(1)
    with pytest.warns(UserWarning, match="no formula for the degrees of freedom"):
        df = path(X, y, sw.MCP(1.0), n_lambdas=3).df
    assert np.isnan(df).all()
    with pytest.raises(ValueError, match="linear smoother"):
        path(X, y, sw.L1(1.0), n_lambdas=3).loo  # noqa: B018


@pytest.mark.skipif("huber" not in LOSSES, reason="waits for the Huber loss")
def test_a_loss_that_is_no_likelihood_has_no_aic():
    X, y = random_problem(1)
    with pytest.raises(ValueError, match="not a log-likelihood"):
        path(X, y, sw.L1(1.0), loss="huber", n_lambdas=3).aic  # noqa: B018


def test_criteria_at_no_penalty_are_those_of_least_squares():
    X, y = random_problem(5)
    n, p = X.shape
    design = np.column_stack([np.ones(n), X])
    rss = np.sum((y - design @ np.linalg.lstsq(design, y)[0]) ** 2)
    minus_two_log = n * np.log(2 * np.pi * rss / n) + n  # normal errors, their variance fitted
    fitted = path(X, y, sw.L1(1.0), lambdas=[1e-9])
    k = p + 2
    assert fitted.aic[0] == pytest.approx(minus_two_log + 2 * k)
    assert fitted.bic[0] == pytest.approx(minus_two_log + np.log(n) * k)
    assert fitted.ebic(0.5)[0] == pytest.approx(fitted.bic[0])  # one model of full size
    one = path(X, y, sw.L1(1.0), n_lambdas=30)
    single = int(np.flatnonzero(one.n_nonzero == 1)[0])
    assert one.ebic(1.0)[single] - one.bic[single] == pytest.approx(2 * np.log(p))
    assert 1 - rss / np.sum((y - y.mean()) ** 2) == pytest.approx(fitted.deviance_explained[0])


def test_criteria_of_a_logistic_fit():
    X, y = random_problem(5, n=200, loss="logistic")
    fitted = path(X, y, sw.L1(1.0), loss="logistic", lambdas=[1e-8], tol=1e-10)
    eta = fitted.predict(X)[0]
    minus_two_log = 2 * np.sum(np.logaddexp(0, eta) - y * eta)
    assert fitted.aic[0] == pytest.approx(minus_two_log + 2 * 13)
    assert 0 < fitted.deviance_explained[0] < 1


@pytest.mark.parametrize("shape", [(40, 8), (12, 30)], ids=["tall", "wide"])
@pytest.mark.parametrize("factors", [None, "unequal", "free"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_leave_one_out_is_what_leaving_one_out_gives(shape, factors, weighted, fit_intercept):
    X, y = random_problem(1, *shape)
    X = X + 3.0
    n, p = X.shape
    weights = {None: None, "unequal": np.linspace(0.5, 2.0, p), "free": np.r_[0.0, np.ones(p - 1)]}[factors]
    s = np.random.default_rng(0).uniform(0.5, 2.0, n) if weighted else np.ones(n)
    fitted = path(X, y, sw.L2(1.0, weights=weights), lambdas=[1.0, 0.01], sample_weight=s, fit_intercept=fit_intercept)
    assert fitted.gaps.max() < 1e-12
    for k, lam in enumerate(fitted.lambdas):
        errors = []
        for i in range(n):
            rest = np.arange(n) != i
            # the same nλ, in a problem whose weights sum to less
            one = path(
                X[rest],
                y[rest],
                sw.L2(1.0, weights=weights),
                lambdas=[lam * s.sum() / s[rest].sum()],
                sample_weight=s[rest],
                fit_intercept=fit_intercept,
            )
            errors.append(s[i] * (y[i] - one.predict(X[[i]])[0, 0]) ** 2)
        assert fitted.loo[k] == pytest.approx(np.sum(errors) / s.sum(), rel=1e-8)


def test_badly_conditioned_ridge_falls_back_to_the_singular_values():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6)) @ np.diag(10.0 ** -np.arange(0, 12, 2)) @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    y = rng.normal(size=40)
    lam = 1e-16
    fitted = path(X, y, sw.L2(1.0), lambdas=[lam])
    centred = X - X.mean(0)
    U, d, _ = np.linalg.svd(centred, full_matrices=False)
    filters = d**2 / (d**2 + 2 * 40 * lam)
    np.testing.assert_allclose(fitted.df[0], filters.sum(), rtol=1e-6)
    np.testing.assert_allclose(fitted.predict(X)[0], y.mean() + U @ (filters * (U.T @ y)), atol=1e-8)


def test_prostate_ridge_to_the_published_digits():
    data = stored("prostate")
    X, y, train = data["X"], data["y"], data["train"].astype(bool)
    X = (X - X.mean(0)) / X.std(0, ddof=1)
    X, y = X[train], y[train]
    fitted = path(X, y, sw.L2(1.0), lambdas=[23.9989 / (2 * len(y)), 10.0 / (2 * len(y))])
    assert fitted.df[0] == pytest.approx(5.0, abs=1e-4)
    assert fitted.df[1] == pytest.approx(6.256803118332796, rel=1e-12)
    assert fitted.loo[1] == pytest.approx(0.5818257364475402, rel=1e-12)
    assert fitted.gcv[1] == pytest.approx(0.5782537873495173, rel=1e-12)


def test_lasso_degrees_of_freedom_on_diabetes_are_the_expected_number_of_inputs():
    X, y = diabetes()
    fitted = path(X, y, sw.L1(1.0), n_lambdas=20)
    np.testing.assert_array_equal(fitted.df, fitted.n_nonzero)


def test_a_pickled_path_leaves_its_data_behind_and_says_so():
    import pickle

    X, y = random_problem(1)
    fitted = path(X, y, sw.L2(1.0), n_lambdas=3)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.coefs, fitted.coefs)
    with pytest.raises(ValueError, match="pickled without its data"):
        copy.loo  # noqa: B018

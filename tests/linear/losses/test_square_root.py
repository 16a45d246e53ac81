"""The square-root lasso against a general optimiser, the lasso it is equivalent to, and its certificates."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.linear_model import Lasso

import shrinkwise as sw
from shrinkwise.linear import path, pivotal_lambda
from shrinkwise.linear.losses import Quantile

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 10)) @ (np.eye(10) + 0.3 * RNG.normal(size=(10, 10)))
Y = X[:, :3] @ np.array([2.0, -1.0, 0.5]) + 3.0 + RNG.normal(size=80)
S = RNG.uniform(0.5, 2.0, 80)


@pytest.mark.parametrize(
    ("penalty", "l1", "l2", "signs"),
    [(sw.L1(1.0), 1.0, 0.0, 2), (sw.ElasticNet(1.0, 0.5), 0.5, 0.25, 2), (sw.L1(1.0) + sw.NonNegative(), 1.0, 0.0, 1)],
    ids=["L1", "ElasticNet", "NonNegative"],
)
def test_fits_are_a_general_optimisers(penalty, l1, l2, signs):
    """With weights and an offset; w = u − v, u, v ≥ 0, makes L1 smooth."""
    offset = np.sin(np.arange(80))
    fitted = path(X, Y, penalty, loss="square_root", n_lambdas=6, sample_weight=S, offset=offset, tol=1e-9)
    assert fitted.solved.all(), fitted.status
    point = fitted[3]

    def smooth(z):
        u, v, b = z[:10], z[10:20], z[20]
        root = np.sqrt(np.average((Y - X @ (u - v) - b - offset) ** 2, weights=S))
        return root + point.lam * (l1 * (u + v).sum() + l2 * ((u - v) ** 2).sum())

    bounds = [(0, None)] * 10 + [(0, None if signs == 2 else 0.0)] * 10 + [(None, None)]
    best = minimize(
        smooth, np.full(21, 0.1), bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "maxiter": 5000}
    )
    w, b = point.coef, point.intercept
    own = smooth(np.concatenate([np.maximum(w, 0), np.maximum(-w, 0), [b]]))
    assert own == pytest.approx(point.objective, rel=1e-12)
    assert own - 1e-9 <= best.fun <= own * (1 + 1e-5)


def test_it_is_the_lasso_at_lambda_times_the_residual():
    fitted = path(X, Y, sw.L1(1.0), loss="square_root", lambdas=[0.5, 0.2, 0.05], tol=1e-12)
    for point in fitted:
        sigma = np.sqrt(np.mean((Y - point.predict(X)) ** 2))
        lasso = Lasso(alpha=point.lam * sigma, tol=1e-13, max_iter=100_000).fit(X, Y)
        np.testing.assert_allclose(point.coef, lasso.coef_, atol=1e-7)


def test_lambda_max_does_not_depend_on_the_scale_of_y():
    for penalty in (sw.L1(1.0), sw.GroupLasso(1.0, np.arange(10) // 2)):
        top = path(X, Y, penalty, loss="square_root", n_lambdas=1).lambdas[0]
        for scale in (1e-100, 1e100):
            fitted = path(X, scale * Y, penalty, loss="square_root", lambdas=[top * 1.0001, top * 0.98])
            assert fitted.solved.all(), fitted.status
            assert fitted.n_nonzero[0] == 0 < fitted.n_nonzero[1]


def test_rows_may_be_reproduced_exactly():
    """With p > n the residual is 0 below some λ: then the fit has the smallest penalty of those that reproduce y."""
    wide = RNG.normal(size=(20, 60))
    y = wide[:, :2].sum(1)
    fitted = path(wide, y, sw.L1(1.0), loss="square_root", lambdas=[0.3, 0.05, 0.01], fit_intercept=False)
    assert fitted.solved.all(), fitted.status
    exact = minimize(
        lambda z: z.sum(),
        np.full(120, 0.1),
        jac=lambda z: np.ones(120),
        bounds=[(0, None)] * 120,
        constraints={
            "type": "eq",
            "fun": lambda z: wide @ (z[:60] - z[60:]) - y,
            "jac": lambda z: np.hstack([wide, -wide]),
        },
        method="SLSQP",
    )
    assert np.abs(fitted.coefs[-1]).sum() == pytest.approx(exact.fun, rel=1e-4)
    assert fitted.losses[-1] < 1e-5


def test_sparse_weighted_and_repeated_rows_agree():
    from scipy.sparse import csr_array

    times = RNG.integers(1, 4, 80)
    one = path(csr_array(X), Y, sw.L1(1.0), loss="square_root", lambdas=[0.1], sample_weight=times, tol=1e-9)
    rows = np.repeat(np.arange(80), times)
    other = path(X[rows], Y[rows], sw.L1(1.0), loss="square_root", lambdas=[0.1], tol=1e-9)
    np.testing.assert_allclose(one.coefs, other.coefs, atol=1e-6)


def test_pivotal_lambda_bounds_the_noise():
    """λ/c exceeds max_j |x_j'ε|/(n σ̂) with a frequency of 1 − alpha or more, up to 3 standard errors."""
    n, p, runs = 100, 30, 600
    Z = RNG.normal(size=(n, p))
    Z /= np.sqrt((Z * Z).mean(0))
    noise = RNG.normal(size=(runs, n)) * RNG.uniform(0.1, 10.0, (runs, 1))
    top = np.abs(noise @ Z).max(1) / n / np.sqrt((noise * noise).mean(1))
    missed = np.mean(top > pivotal_lambda(n, p, alpha=0.2, c=1.0))
    assert missed <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / runs)
    assert pivotal_lambda(n, p) == pytest.approx(1.1 * norm.ppf(1 - 0.05 / 60) / 10)
    for wrong in ({"n": 0}, {"p": 1.5}, {"alpha": 1.0}, {"c": 0.9}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            pivotal_lambda(**{"n": 10, "p": 3, **wrong})


def test_cross_validation_and_refusals():
    model = sw.PenalizedRegressorCV(sw.L1(1.0), loss="square_root", cv=4, n_lambdas=10, standardize=True).fit(X, Y)
    assert model.score(X, Y) > 0.7
    with pytest.raises(ValueError, match="fixed"):
        path(X, Y, sw.L1(1.0) + sw.L2(0.1).fixed(), loss="square_root", n_lambdas=3)
    with pytest.raises(ValueError, match="AIC or BIC"):
        _ = model.path_.aic


@pytest.mark.parametrize("loss", ["square_root", Quantile(0.7)], ids=str)
def test_certificates_do_not_depend_on_the_unit_of_the_target(loss):
    """The gap's allowance for the intercept is in the unit of y."""
    for scale in (1e-100, 1e-20, 1e100):
        fitted = path(X, scale * Y, sw.L1(1.0), loss=loss, n_lambdas=4, lambda_min_ratio=0.05)
        assert fitted.solved.all(), fitted.status


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_what_is_called_solved_has_a_gap_of_at_most_tol_and_the_rest_has_not(tol):
    for steps in (1, 3, 10_000):
        fitted = path(X, Y, sw.L1(1.0), loss="square_root", n_lambdas=20, tol=tol, max_iter=steps)
        assert ((fitted.gaps <= tol) == fitted.solved).all()

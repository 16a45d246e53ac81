"""Options of the estimators: losses, factors, bounds, offset, targets, frames."""

import inspect

import numpy as np
import pytest

import shrinkwise as sw
import shrinkwise.linear.solvers.newton.solver as newton
from linear.data import diabetes, random_problem
from shrinkwise.linear import path
from shrinkwise.linear.losses import LOSSES

REGRESSORS = [sw.PenalizedRegressor, lambda *a, **k: sw.PenalizedRegressorCV(*a, n_lambdas=10, cv=3, **k)]


@pytest.mark.parametrize("make", REGRESSORS, ids=["fit", "cv"])
@pytest.mark.parametrize(
    "penalty", [sw.L1(5.0), sw.ElasticNet(5.0, 0.7), sw.L2(0.5), sw.L1(5.0) + sw.L2(0.1).fixed(), sw.MCP(5.0)], ids=repr
)
def test_factors_multiply_lambda_and_zero_frees_a_column(make, penalty):
    X, y = diabetes()
    factors = np.r_[0.0, np.linspace(0.5, 3.0, 9)]
    fit = make(penalty, penalty_factors=factors, tol=1e-10).fit(X, y)
    g = X.T @ (X @ fit.coef_ + fit.intercept_ - y) / len(y)
    assert abs(g[0]) < 1e-2
    assert np.max(fit.penalty_.violation(fit.coef_, g)) < 1e-2
    plain = make(penalty).fit(X, y)
    assert np.abs(plain.coef_ - fit.coef_).max() > 1.0


def test_factors_leave_bounds_alone_and_refuse_groups():
    X, y = diabetes()
    fit = sw.PenalizedRegressor(sw.L1(1.0) + sw.NonNegative(), penalty_factors=np.ones(10)).fit(X, y)
    assert fit.coef_.min() == 0
    assert fit.duality_gap_ <= 1e-6
    with pytest.raises(TypeError, match="groups use"):
        sw.PenalizedRegressor(sw.GroupLasso(1.0, np.arange(10) // 2), penalty_factors=np.ones(10)).fit(X, y)
    for bad in (np.ones(9), -np.ones(10)):
        with pytest.raises(ValueError, match="penalty_factors to be 10 numbers"):
            sw.PenalizedRegressor(sw.L1(1.0), penalty_factors=bad).fit(X, y)


@pytest.mark.parametrize("make", REGRESSORS, ids=["fit", "cv"])
def test_bounds(make):
    X, y = diabetes()
    fit = make(sw.L1(0.1) + sw.Box(-5.0, 20.0)).fit(X, y)
    assert fit.coef_.min() == -5.0
    assert fit.coef_.max() == 20.0
    assert fit.duality_gap_ <= 1e-6


@pytest.mark.parametrize("make", REGRESSORS, ids=["fit", "cv"])
def test_an_offset_is_a_part_of_the_target_that_is_known(make):
    X, y = diabetes()
    offset = 10.0 * np.sin(np.arange(len(y)))
    fit, shifted = make(sw.L1(1.0)).fit(X, y, offset=offset), make(sw.L1(1.0)).fit(X, y - offset)
    np.testing.assert_allclose(fit.coef_, shifted.coef_, atol=1e-8)
    np.testing.assert_allclose(fit.predict(X, offset=offset), shifted.predict(X) + offset, atol=1e-6)
    with pytest.raises(ValueError, match="offset like y"):
        make(sw.L1(1.0)).fit(X, y, offset=offset[1:])


@pytest.mark.skipif("offset" not in inspect.getsource(newton), reason="waits for the offset in Newton")
def test_an_offset_of_a_classifier_is_a_column_with_weight_one():
    X, y = random_problem(1, n=300, loss="logistic")
    fit = sw.PenalizedClassifier(sw.L2(1e-4), tol=1e-12).fit(X, y)
    offset = fit.coef_[0, 0] * X[:, 0]
    rest = sw.PenalizedClassifier(sw.L2(1e-4), tol=1e-12).fit(X[:, 1:], y, offset=offset)
    np.testing.assert_allclose(rest.coef_[0], fit.coef_[0, 1:], atol=1e-6)
    np.testing.assert_allclose(rest.predict_proba(X[:, 1:], offset), fit.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("make", REGRESSORS, ids=["fit", "cv"])
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.L2(0.1), sw.ElasticNet(1.0, 0.5), sw.L2(0.0)], ids=repr)
def test_several_targets_are_fitted_as_if_alone(make, penalty):
    X, y = diabetes()
    Y = np.column_stack([y, np.roll(y, 1) * 0.3, X[:, 0] * 10 + y])
    if make is sw.PenalizedRegressor:
        fit = make(penalty, tol=1e-12).fit(X, Y)
    else:
        fit = sw.PenalizedRegressorCV(penalty, cv=3, lambdas=[penalty.lam], tol=1e-12).fit(X, Y)
    assert fit.coef_.shape == (3, 10)
    assert fit.predict(X).shape == Y.shape
    for k in range(3):
        alone = sw.PenalizedRegressor(penalty, tol=1e-12).fit(X, Y[:, k])
        np.testing.assert_allclose(fit.coef_[k], alone.coef_, atol=1e-3)
        np.testing.assert_allclose(fit.intercept_[k], alone.intercept_, atol=1e-3)


def test_path_of_several_targets_starts_where_the_last_of_them_is_zero():
    X, y = random_problem(1)
    Y = np.column_stack([y, 10 * y])
    fitted = path(X, Y, sw.L1(1.0), n_lambdas=5)
    assert not fitted.coefs[0].any()
    assert fitted.lambdas[0] == pytest.approx(path(X, 10 * y, sw.L1(1.0), n_lambdas=1).lambdas[0])
    assert fitted.intercepts.shape == (5, 2)
    assert fitted.deviance_explained[-1] == pytest.approx(
        path(X, y, sw.L1(1.0), lambdas=[0.0]).deviance_explained[0], abs=0.1
    )


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("classifier", [False, True])
def test_frames_bring_their_names(kind, classifier):
    library = pytest.importorskip(kind)
    X, y = random_problem(1, loss="logistic" if classifier else "squared")
    names = [f"input {j}" for j in range(X.shape[1])]
    frame = library.DataFrame({name: X[:, j] for j, name in enumerate(names)})
    model = (sw.PenalizedClassifier if classifier else sw.PenalizedRegressor)(sw.L1(0.01), tol=1e-12)
    fit = model.fit(frame, library.Series(y))
    assert list(fit.feature_names_in_) == names
    found = fit.predict_proba(frame) if classifier else fit.predict(frame)
    plain = model.fit(X, y)
    # Columns in another order of memory are summed in another order.
    np.testing.assert_allclose(found, plain.predict_proba(X) if classifier else plain.predict(X), rtol=1e-5)
    np.testing.assert_array_equal(path(frame, y, sw.L1(1.0), loss="squared", n_lambdas=3).coefs[0], 0)


def test_labels_may_be_texts():
    X, y = random_problem(1, loss="logistic")
    fit = sw.PenalizedClassifierCV(sw.L1(1.0), n_lambdas=5, cv=3).fit(X, np.where(y > 0, "yes", "no"))
    assert set(fit.predict(X)) == {"yes", "no"}


@pytest.mark.skipif("poisson" not in LOSSES, reason="waits for the Poisson loss")
def test_counts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    exposure = rng.uniform(0.5, 2.0, 300)
    y = rng.poisson(exposure * np.exp(0.5 + X[:, 0] - 0.5 * X[:, 1]))
    fit = sw.PenalizedRegressor(sw.L1(0.0), loss="poisson").fit(X, y, offset=np.log(exposure))
    np.testing.assert_allclose(fit.coef_, [1.0, -0.5, 0, 0, 0], atol=0.15)
    mean = fit.predict(X, offset=np.log(exposure))
    np.testing.assert_allclose(X.T @ (y - mean) / 300, 0, atol=1e-4)
    assert sw.PenalizedRegressorCV(sw.L1(1.0), loss="poisson", n_lambdas=20, cv=5).fit(X, y).coef_[0] > 0.5


@pytest.mark.skipif("huber" not in LOSSES, reason="waits for the Huber loss")
def test_delta_is_where_huber_stops_following_outliers():
    X, y = random_problem(1, n=200)
    y = y.copy()
    y[:10] += 100.0
    near, far = (sw.PenalizedRegressor(sw.L1(0.001), loss="huber", delta=d).fit(X, y) for d in (1.0, 1e6))
    least = sw.PenalizedRegressor(sw.L1(0.001)).fit(X, y)
    truth = np.r_[1.0, -1.0, 0.5, np.zeros(9)]
    np.testing.assert_allclose(far.coef_, least.coef_, atol=0.05)
    assert np.linalg.norm(near.coef_ - truth) < 0.3 * np.linalg.norm(least.coef_ - truth)

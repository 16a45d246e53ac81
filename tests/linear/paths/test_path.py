"""Paths carry certificates: a gap at every λ, zeros at λ_max, agreement with independent solvers at equal objective."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge

import shrinkwise as sw
from linear.data import concrete, diabetes, random_problem, sonar, stored
from shrinkwise.linear import path

PENALTIES = {
    "L1": sw.L1(1.0),
    "L1 weighted": sw.L1(1.0, weights=np.linspace(0.5, 2.0, 12)),
    "L1 with free columns": sw.L1(1.0, weights=np.r_[0.0, 0.0, np.ones(10)]),
    "elastic net": sw.ElasticNet(1.0, 0.4),
    "L1 + fixed L2": sw.L1(1.0) + sw.L2(0.05).fixed(),
    "L2": sw.L2(1.0),
    "L2 weighted": sw.L2(1.0, weights=np.linspace(0.0, 2.0, 12)),
    "group lasso": sw.GroupLasso(1.0, np.repeat(np.arange(4), 3)),
    "sparse group lasso": sw.L1(0.3) + sw.GroupLasso(0.7, np.repeat(np.arange(4), 3)),
    "group lasso with free columns": sw.GroupLasso(1.0, np.r_[-1, -1, np.repeat(np.arange(5), 2)]),
}
LOSSES = ["squared", "logistic", "multinomial"]


def objective(X, y, w, b, penalty, loss, s=None):
    """The objective written again, from its definition."""
    s = np.ones(len(y)) if s is None else s / np.mean(s)
    if loss == "squared":
        f = 0.5 * (y - X @ w - b) ** 2
    elif loss == "logistic":
        margin = (2 * y - 1) * (X @ w + b)
        f = np.log1p(np.exp(-margin))
    else:
        eta = X @ w.T + b
        f = np.log(np.exp(eta).sum(1)) - eta[np.arange(len(y)), y]
    return np.mean(s * f) + penalty.value(w)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gap_and_stationarity_at_every_lambda(name, loss, fit_intercept):
    penalty = PENALTIES[name]
    X, y = random_problem(1, loss=loss)
    fitted = path(X, y, penalty, loss=loss, n_lambdas=12, lambda_min_ratio=0.02, fit_intercept=fit_intercept)
    assert fitted.solved.all(), fitted.status
    assert fitted.gaps.max() <= 1e-6
    for lam, w, b, value in zip(fitted.lambdas, fitted.coefs, fitted.intercepts, fitted.objectives, strict=True):
        at = penalty.with_lam(lam)
        assert value == pytest.approx(objective(X, y, w, b, at, loss), rel=1e-9)
        # No nearby point is better: the objective is convex, so this is a check of the minimum that uses no duality.
        rng = np.random.default_rng(0)
        for scale in (1e-3, 1e-1):
            nudged = objective(
                X,
                y,
                w + scale * rng.normal(size=w.shape),
                b + scale * fit_intercept * rng.normal(size=b.shape),
                at,
                loss,
            )
            assert nudged >= value - 1e-9 * abs(value)
    if not fit_intercept:
        assert not fitted.intercepts.any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", [k for k in PENALTIES if k not in ("L2", "L2 weighted")])
@pytest.mark.parametrize("weighted", [False, True])
def test_lambda_max_from_both_sides(name, loss, weighted):
    penalty = PENALTIES[name]
    X, y = random_problem(2, loss=loss)
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    top = path(X, y, penalty, loss=loss, n_lambdas=1, sample_weight=s).lambdas[0]
    fitted = path(X, y, penalty, loss=loss, lambdas=[top, 0.99 * top], sample_weight=s, tol=1e-10)
    penalised = ~penalty.unpenalised(fitted.coefs[0].shape)
    assert not fitted.coefs[0][penalised].any()
    assert fitted.coefs[1][penalised].any()


@pytest.mark.parametrize("data", [concrete, diabetes], ids=["concrete", "diabetes"])
def test_lasso_path_agrees_with_scikit_learn_at_equal_objective(data):
    X, y = data()
    check_against_scikit_learn(X, y)


def test_lasso_path_on_prostate_agrees_with_scikit_learn():
    data = stored("prostate")
    X, y = data["X"], data["y"]
    check_against_scikit_learn((X - X.mean(0)) / X.std(0), y)


def check_against_scikit_learn(X, y):
    fitted = path(X, y, sw.L1(1.0), n_lambdas=30, tol=1e-12)
    assert fitted.gaps.max() <= 1e-6
    scale = 0.5 * y.var()
    for lam, w, b in zip(fitted.lambdas, fitted.coefs, fitted.intercepts, strict=True):
        peer = Lasso(alpha=lam, tol=1e-12, max_iter=1_000_000).fit(X, y)
        ours = objective(X, y, w, b, sw.L1(lam), "squared")
        theirs = objective(X, y, peer.coef_, peer.intercept_, sw.L1(lam), "squared")
        assert abs(ours - theirs) <= 1e-6 * scale
        assert ours <= theirs + 1e-12 * scale


@pytest.mark.parametrize("l1_ratio", [0.2, 0.7])
def test_elastic_net_has_scikit_learns_formula(l1_ratio):
    X, y = diabetes()
    ours = sw.PenalizedRegressor(sw.ElasticNet(2.0, l1_ratio), tol=1e-12).fit(X, y)
    peer = ElasticNet(alpha=2.0, l1_ratio=l1_ratio, tol=1e-14, max_iter=1_000_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_)


def test_ridge_has_scikit_learns_solution_at_twice_n_lambda():
    X, y = diabetes()
    ours = sw.PenalizedRegressor(sw.L2(0.3)).fit(X, y)
    peer = Ridge(alpha=2 * len(y) * 0.3).fit(X, y)  # ½‖y−Xw‖²/n + λ‖w‖² is (‖y−Xw‖² + 2nλ‖w‖²) / 2n
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-10)


@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
def test_ridge_logistic_agrees_with_scikit_learn(loss):
    X, y = random_problem(5, n=150, loss=loss)
    ours = sw.PenalizedClassifier(sw.L2(0.02), tol=1e-14).fit(X, y)
    peer = LogisticRegression(C=1 / (2 * 150 * 0.02), tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-6)


def test_l1_logistic_agrees_with_an_independent_solver():
    X, y = sonar()
    lam = 0.02
    ours = sw.PenalizedClassifier(sw.L1(lam), tol=1e-9).fit(X, y)
    peer = LogisticRegression(
        C=1 / (len(y) * lam), l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=100_000, random_state=0
    ).fit(X, y)
    value = objective(X, y, ours.coef_[0], ours.intercept_[0], sw.L1(lam), "logistic")
    other = objective(X, y, peer.coef_[0], peer.intercept_[0], sw.L1(lam), "logistic")
    assert value <= other + 1e-9
    assert other - value <= 1e-6
    assert ours.duality_gap_ <= 1e-6


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
def test_more_columns_than_rows(loss, penalty):
    X, y = random_problem(3, n=30, p=120, loss=loss)
    fitted = path(X, y, penalty, loss=loss, n_lambdas=10)
    assert fitted.solved.all()
    assert fitted.gaps.max() <= 1e-6


def test_unpenalised_least_squares_is_least_squares_and_of_minimum_norm_when_wide():
    X, y = random_problem(4)
    fit = sw.PenalizedRegressor(sw.L2(0.0)).fit(X, y)
    np.testing.assert_allclose(X.T @ (y - fit.predict(X)), 0, atol=1e-9)
    X, y = random_problem(4, n=10, p=30)
    fit = sw.PenalizedRegressor(sw.L2(0.0)).fit(X, y)
    np.testing.assert_allclose(fit.coef_, np.linalg.pinv(X - X.mean(0)) @ (y - y.mean()), atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_duplicate_and_constant_and_zero_columns(loss):
    X, y = random_problem(6, loss=loss)
    X = np.column_stack([X, X[:, 0], np.zeros(len(X)), np.full(len(X), 3.0)])
    for penalty in (sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)):
        fitted = path(X, y, penalty, loss=loss, n_lambdas=8, lambda_min_ratio=1e-2)
        assert fitted.solved.all()
        np.testing.assert_allclose(fitted.coefs[..., -2:], 0, atol=1e-12)


def test_constant_target_gives_zeros_and_not_nan():
    X, _ = random_problem(7)
    fitted = path(X, np.full(len(X), 2.5), sw.L1(1.0))
    assert not fitted.coefs.any()
    np.testing.assert_allclose(fitted.intercepts, 2.5)
    assert fitted.gaps.max() == 0


def test_path_predict_is_the_linear_predictor():
    X, y = random_problem(8, loss="multinomial")
    fitted = path(X, y, sw.L1(1.0), loss="multinomial", n_lambdas=5)
    assert fitted.predict(X).shape == (5, len(X), 3)
    np.testing.assert_allclose(fitted.predict(X)[3], X @ fitted.coefs[3].T + fitted.intercepts[3])


def test_stopping_early_is_said():
    X, y = random_problem(9)
    with pytest.warns(match="increase max_iter or tol"):
        fit = sw.PenalizedRegressor(sw.GroupLasso(0.01, np.repeat(np.arange(4), 3)), max_iter=2).fit(X, y)
    assert fit.status_.startswith("stopped at max_iter=2: relative gap")
    assert fit.duality_gap_ > 1e-6


@pytest.mark.parametrize(
    ("lambdas", "words"), [([], "decreasing"), ([-1.0], "≥ 0"), ([[1.0]], "decreasing"), ([np.nan], "NaN entries")]
)
def test_bad_grids_are_refused(lambdas, words):
    X, y = random_problem(9)
    with pytest.raises(ValueError, match=words):
        path(X, y, sw.L1(1.0), lambdas=lambdas)


@pytest.mark.parametrize("seed", range(4))
def test_separable_classes_and_a_vanishing_penalty_end_where_the_arithmetic_ends(seed):
    """The objective is 1e-9 of the null loss there and its gradient is below rounding: Newton must stop, not wander."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(14, 40))
    y = (X[:, 0] > 0).astype(float)
    for penalty in (sw.L2(1.0), sw.L1(1.0)):
        fitted = path(X, y, penalty, loss="logistic", lambdas=np.geomspace(1, 1e-8, 30))
        assert fitted.solved.all()
        assert fitted.n_iter.max() <= 60


@pytest.mark.parametrize("seed", range(40))
def test_saturated_and_collinear_columns_end_at_the_gap_that_was_asked(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(5, 60), rng.integers(2, 80)
    X = rng.normal(size=(n, p)) @ (np.eye(p) + (seed % 2) * 0.9) + rng.normal(size=(1, p))
    if seed % 3 == 0:
        X[:, 0] = X[:, -1]
    y = X[:, :2].sum(1) + rng.normal(size=n)
    fitted = path(X, y, sw.L1(1.0), n_lambdas=8, lambda_min_ratio=10.0 ** -rng.integers(1, 6), tol=1e-9)
    assert fitted.solved.all()
    w, lam = fitted.coefs[-1], fitted.lambdas[-1]
    g = (X - X.mean(0)).T @ ((X - X.mean(0)) @ w - (y - y.mean())) / n
    assert np.where(w != 0, np.abs(g + lam * np.sign(w)), np.abs(g) - lam).max() <= 1e-3 * np.abs(X.T @ y).max() / n


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_path_of_zeros_alone_predicts_its_intercept(loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    fitted = path(X, y, sw.L1(1.0), loss=loss, n_lambdas=1)
    assert not fitted.coefs.any()
    np.testing.assert_allclose(fitted.predict(X), np.full((1, 30), fitted.intercepts[0]))

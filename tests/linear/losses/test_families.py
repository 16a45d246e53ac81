"""Gamma, Tweedie, negative binomial, quantile and squared hinge fits against scikit-learn, SciPy and certificates."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.linear_model import GammaRegressor, QuantileRegressor, TweedieRegressor
from sklearn.metrics import d2_pinball_score, d2_tweedie_score
from sklearn.svm import LinearSVC

import shrinkwise as sw
from shrinkwise.linear import path
from shrinkwise.linear.losses import Gamma, NegativeBinomial, Quantile, SquaredHinge, Tweedie
from shrinkwise.linear.problem.problem import Problem

RNG = np.random.default_rng(0)
N, P = 160, 8
X = RNG.normal(size=(N, P)) @ (np.eye(P) + 0.3 * RNG.normal(size=(P, P)))
ETA = X[:, :3] @ np.array([0.4, -0.4, 0.2]) + 0.3
MU = np.exp(ETA)
S = RNG.uniform(0.5, 2.0, N)
FAMILIES = {
    "gamma": (Gamma(), RNG.gamma(2.0, MU / 2.0)),
    "tweedie": (Tweedie(1.6), RNG.gamma(2.0, MU / 2.0) * (RNG.random(N) < 0.7)),
    "negative_binomial": (NegativeBinomial(2.0), RNG.negative_binomial(2.0, 2.0 / (2.0 + MU)).astype(float)),
    "quantile": (Quantile(0.8, delta=0.02), ETA + 0.5 * RNG.standard_t(3, size=N)),
    "squared_hinge": (SquaredHinge(), (ETA + RNG.logistic(size=N) > 0).astype(float)),
}
EACH = pytest.mark.parametrize("name", FAMILIES)


def by_definition(name, y, eta):
    """f(y, η) written again."""
    mu = np.exp(np.minimum(eta, 500.0))
    if name == "gamma":
        return y / mu + eta
    if name == "tweedie":
        return mu**0.4 / 0.4 - y * mu**-0.6 / -0.6
    if name == "negative_binomial":  # −log p, up to its value at μ = y
        return -stats.nbinom.logpmf(y, 2.0, 2.0 / (2.0 + mu)) + stats.nbinom.logpmf(y, 2.0, 2.0 / (2.0 + y))
    if name == "quantile":
        r = y - eta
        return 0.02 * np.logaddexp(0.8 * r / 0.02, -0.2 * r / 0.02)
    return np.maximum(0.0, 1.0 - np.where(y == 1, eta, -eta)) ** 2


@EACH
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
def test_fits_are_a_general_optimisers(name, penalty):
    """With weights and an offset; w = u − v, u, v ≥ 0, makes L1 smooth."""
    loss, y = FAMILIES[name]
    offset = 0.1 * np.sin(np.arange(N))
    fitted = path(
        X, y, penalty, loss=loss, n_lambdas=6, lambda_min_ratio=0.02, sample_weight=S, offset=offset, tol=1e-9
    )
    assert fitted.solved.all(), fitted.status
    at, point = penalty.with_lam(fitted.lambdas[3]), fitted[3]

    def objective(w, b):
        return S @ by_definition(name, y, X @ w + b + offset) / S.sum() + at.value(w)

    def smooth(z):
        u, v = z[:P], z[P : 2 * P]
        g = np.concatenate([u, v])
        value = S @ loss.value(y, X @ (u - v) + z[-1] + offset) / S.sum()
        slope = X.T @ (S * loss.gradient(y, X @ (u - v) + z[-1] + offset)) / S.sum()
        ratio = {"L1": 1.0, "ElasticNet": 0.5, "L2": 0.0}[type(penalty).__name__]
        square = at.lam * ((1.0 - ratio) / 2.0 if ratio else 1.0)
        value += at.lam * ratio * g.sum() + square * ((u - v) ** 2).sum()
        slope = slope + 2.0 * square * (u - v)
        whole = np.concatenate([slope, -slope]) + at.lam * ratio
        return value, np.append(whole, S @ loss.gradient(y, X @ (u - v) + z[-1] + offset) / S.sum())

    bounds = [(0, None)] * (2 * P) + [(None, None)]
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 20_000, "maxfun": 50_000}
    z = minimize(smooth, np.zeros(2 * P + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    best = objective(z[:P] - z[P : 2 * P], z[-1])
    assert objective(point.coef, point.intercept) == pytest.approx(best, abs=1e-6)


@EACH
def test_the_value_is_the_definition(name):
    loss, y = FAMILIES[name]
    eta = np.linspace(-2.0, 2.0, N)
    mine = loss.value(y, eta) - (loss.lowest(y) if name == "negative_binomial" else 0.0)
    np.testing.assert_allclose(mine, by_definition(name, y, eta), rtol=1e-9, atol=1e-9)


@EACH
def test_certificates_starts_and_mcp(name):
    loss, y = FAMILIES[name]
    fitted = path(X, y, sw.L1(1.0), loss=loss, n_lambdas=10, lambda_min_ratio=0.01)
    assert fitted.solved.all()
    assert not fitted.coefs[0].any()
    assert path(X, y, sw.L1(1.0), loss=loss, lambdas=[0.99 * fitted.lambdas[0]], tol=1e-9).coefs[0].any()
    assert fitted.deviance_explained[0] == pytest.approx(0.0, abs=1e-9)
    for one in fitted:
        v = loss.gradient(y, X @ one.coef + one.intercept)
        assert one.kkt == pytest.approx(
            max(np.max(sw.L1(one.lam).violation(one.coef, X.T @ v / N)), abs(v.mean())), rel=1e-3, abs=1e-12
        )
    mild = sw.MCP(1.0, gamma=20.0)  # concave less than the losses are convex
    assert path(X, y, mild, loss=loss, n_lambdas=5, lambda_min_ratio=0.1).solved.all()


@EACH
def test_weights_are_repetitions(name):
    loss, y = FAMILIES[name]
    times = np.random.default_rng(5).integers(1, 4, N)
    one = path(X, y, sw.L1(1.0), loss=loss, lambdas=[0.03], sample_weight=times, tol=1e-11)
    other = path(np.repeat(X, times, axis=0), np.repeat(y, times), sw.L1(1.0), loss=loss, lambdas=[0.03], tol=1e-11)
    assert one.objectives[0] == pytest.approx(other.objectives[0], rel=1e-9)
    np.testing.assert_allclose(one.coefs, other.coefs, atol=1e-4)


@pytest.mark.parametrize(("name", "peer"), [("gamma", GammaRegressor), ("tweedie", TweedieRegressor)])
def test_amounts_are_scikit_learns(name, peer):
    loss, y = FAMILIES[name]
    power = {"power": 1.6, "link": "log"} if name == "tweedie" else {}
    theirs = peer(alpha=0.1, tol=1e-10, max_iter=10_000, **power).fit(X, y, sample_weight=S)  # α/2 ‖w‖²
    ours = sw.PenalizedRegressor(sw.L2(0.05), loss=loss, tol=1e-13).fit(X, y, sample_weight=S)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ours.score(X, y, S) == pytest.approx(theirs.score(X, y, S), abs=1e-7)
    d2 = d2_tweedie_score(y, ours.predict(X), power=2.0 if name == "gamma" else 1.6)
    assert ours.score(X, y) == pytest.approx(d2, abs=1e-8)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("delta", [None, 1e-3])
@pytest.mark.parametrize("lam", [0.02, 0.0])
def test_quantiles_are_scikit_learns_within_the_bound_of_the_smoothing(tau, delta, lam):
    y = FAMILIES["quantile"][1]
    loss = Quantile(tau, delta)
    fitted = path(X, y, sw.L1(1.0), loss=loss, lambdas=[0.05, lam], tol=1e-7)
    assert fitted.solved.all()
    width = fitted.data.loss.delta
    constant = loss.score(y, np.quantile(y, tau, method="inverted_cdf")).mean()
    assert width == pytest.approx(0.005 * constant if delta is None else delta)
    theirs = QuantileRegressor(quantile=tau, alpha=lam).fit(X, y)

    def exact(w, eta):
        return loss.score(y, eta).mean() + lam * np.abs(w).sum()

    best, found = exact(theirs.coef_, theirs.predict(X)), exact(fitted.coefs[1], fitted.predict(X)[1])
    tolerance = 1e-7 * fitted.data.null_loss
    assert best - 1e-9 <= found <= best + width * np.log(2.0) + tolerance
    if delta is not None:  # the bound is what any fit keeps; this one is far within it
        assert found <= best + 1e-4


def test_the_smoothed_quantile_lies_above_by_no_more_than_its_bound():
    r = np.linspace(-3.0, 3.0, 10_001)
    loss = Quantile(0.3, delta=0.2)
    above = loss.value(r, 0.0 * r) - np.maximum(0.3 * r, -0.7 * r)
    assert above.min() >= -1e-15
    assert above.max() == pytest.approx(0.2 * np.log(2.0))


def test_the_smoothing_follows_the_unit_of_the_target_and_scores_are_pinball_losses():
    y = FAMILIES["quantile"][1]
    one, other = (sw.PenalizedRegressor(sw.L2(0.0), loss=Quantile(0.9)).fit(X, k * y) for k in (1.0, 1e6))
    np.testing.assert_allclose(other.coef_, 1e6 * one.coef_, rtol=1e-3, atol=1e3)
    assert np.mean(y <= one.predict(X)) == pytest.approx(0.9, abs=0.06)
    assert one.score(X, y) == pytest.approx(d2_pinball_score(y, one.predict(X), alpha=0.9), abs=5e-3)
    assert clone(one).loss == Quantile(0.9)


def test_the_squared_hinge_is_linear_svc():
    y = FAMILIES["squared_hinge"][1]
    lam = 0.02
    for penalty, norm in ((sw.L2(lam), "l2"), (sw.L1(lam), "l1")):
        C = 1.0 / (2.0 * N * lam) if norm == "l2" else 1.0 / (N * lam)
        theirs = LinearSVC(C=C, penalty=norm, dual=False, tol=1e-9, max_iter=100_000, fit_intercept=False).fit(X, y)
        ours = sw.PenalizedClassifier(penalty, loss="squared_hinge", fit_intercept=False, tol=1e-12).fit(X, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
        assert (ours.predict(X) == theirs.predict(X)).all()
    assert not hasattr(ours, "predict_proba")
    assert hasattr(sw.PenalizedClassifier(), "predict_proba")
    with pytest.raises(ValueError, match="got 3 classes"):
        sw.PenalizedClassifier(loss="squared_hinge").fit(X, np.arange(N) % 3)


@EACH
def test_cross_validation_chooses_by_the_loss(name):
    loss, y = FAMILIES[name]
    kind = sw.PenalizedClassifierCV if loss.coded else sw.PenalizedRegressorCV
    model = kind(sw.L1(1.0), loss=loss, n_lambdas=8, cv=3, lambda_min_ratio=0.02).fit(X, y)
    rows = np.flatnonzero(np.arange(N) % 3 == 0)
    again = kind(sw.L1(1.0), loss=loss, lambdas=model.lambdas_, cv=[(np.setdiff1d(np.arange(N), rows), rows)] * 2).fit(
        X, y
    )
    train = np.setdiff1d(np.arange(N), rows)
    eta = path(X[train], y[train], sw.L1(1.0), loss=loss, lambdas=model.lambdas_).predict(X[rows])
    np.testing.assert_allclose(again.cv_losses_[:, 0], loss.score(y[rows], eta).mean(1), rtol=1e-4)
    assert model.cv_mean_.min() < model.cv_mean_[0]


@pytest.mark.parametrize("name", ["gamma", "negative_binomial"])
def test_information_criteria_are_those_of_scipys_densities(name):
    loss, y = FAMILIES[name]
    fitted = path(X, y, sw.L1(1.0), loss=loss, lambdas=[0.05, 0.0], tol=1e-10)
    for i in range(2):
        mu = np.exp(fitted.predict(X)[i])
        if name == "gamma":
            shapes = np.geomspace(0.5, 20.0, 4001)
            log = np.max([stats.gamma.logpdf(y, nu, scale=mu / nu).sum() for nu in shapes])
        else:
            log = stats.nbinom.logpmf(y, 2.0, 2.0 / (2.0 + mu)).sum()
        k = fitted.df[i] + 1 + (name == "gamma")
        assert fitted.aic[i] == pytest.approx(-2.0 * log + 2.0 * k, abs=1e-3)
        assert fitted.bic[i] == pytest.approx(-2.0 * log + np.log(N) * k, abs=1e-3)


def test_what_has_no_likelihood_says_so_and_a_dispersion_needs_rows():
    for name in ("tweedie", "quantile", "squared_hinge"):
        loss, y = FAMILIES[name]
        with pytest.raises(ValueError, match="not a log-likelihood"):
            path(X, y, sw.L1(1.0), loss=loss, n_lambdas=3).aic  # noqa: B018
    with pytest.raises(ValueError, match="two rows per column"):
        path(X[:10], FAMILIES["gamma"][1][:10], sw.L1(1.0), loss="gamma", n_lambdas=3).aic  # noqa: B018


def test_the_limits_of_a_family_are_its_neighbours():
    y = FAMILIES["negative_binomial"][1]
    counts = path(X, y, sw.L1(1.0), loss="poisson", lambdas=[0.05], tol=1e-11)
    wide = path(X, y, sw.L1(1.0), loss=NegativeBinomial(1e8), lambdas=[0.05], tol=1e-11)
    np.testing.assert_allclose(wide.coefs, counts.coefs, atol=1e-5)
    near = path(X, y, sw.L1(1.0), loss=Tweedie(1.0 + 1e-8), lambdas=[0.05], tol=1e-9)
    np.testing.assert_allclose(near.coefs, counts.coefs, atol=1e-4)
    amounts = FAMILIES["gamma"][1]
    gamma, close = (
        path(X, amounts, sw.L1(1.0), loss=loss, lambdas=[0.05], tol=1e-10) for loss in (Gamma(), Tweedie(1.9999))
    )
    np.testing.assert_allclose(close.coefs, gamma.coefs, atol=1e-3)


def test_zero_cells_of_amounts_have_no_finite_optimum_without_a_penalty():
    y = FAMILIES["tweedie"][1].copy()
    cell = (np.arange(N) < 20).astype(float)
    y[:20] = 0.0
    fitted = path(np.column_stack([X, cell]), y, sw.L2(1.0), loss=Tweedie(1.6), lambdas=[0.0])
    assert not fitted.solved[0]
    assert "no finite optimum" in fitted.status[0].lower()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Tweedie(2.0), "power strictly between"),
        (lambda: Tweedie("a"), "power strictly between"),
        (lambda: NegativeBinomial(0.0), "theta"),
        (lambda: Quantile(1.0), "tau"),
        (lambda: Quantile(0.5, delta=-1.0), "delta"),
        (lambda: Problem(X, np.zeros(N), Gamma()), "y > 0"),
        (lambda: Problem(X, -np.ones(N), Tweedie()), "y ≥ 0"),
        (lambda: Problem(X, np.zeros(N), NegativeBinomial()), "above 0"),
    ],
)
def test_what_no_family_takes_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_class_weights_are_weights_of_rows():
    y = FAMILIES["squared_hinge"][1]
    model = sw.PenalizedClassifier(sw.L2(0.01), class_weight={0.0: 1.0, 1.0: 3.0}, tol=1e-12).fit(X, y)
    same = sw.PenalizedClassifier(sw.L2(0.01), tol=1e-12).fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))
    np.testing.assert_allclose(model.coef_, same.coef_, atol=1e-9)
    balanced = sw.PenalizedClassifier(sw.L1(10.0), class_weight="balanced").fit(X, y)
    assert balanced.intercept_[0] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match="factors > 0"):
        sw.PenalizedClassifier(class_weight={0.0: 0.0, 1.0: 1.0}).fit(X, y)

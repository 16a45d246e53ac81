"""Gamma, Tweedie, negative binomial and Poisson fits against glum 3.4.1 (penalised) and statsmodels 0.15.0 (without a penalty).

Their numbers are from GeneralizedLinearRegressor(family, link="log", alpha=0.05, l1_ratio, gradient_tol=1e-11,
scale_predictors=False) and GLM(y, add_constant(X), family with a log link).fit(tol=1e-15), on the data below. Tweedie's power
is 1.5, and alpha of the negative binomial 0.5, which is 1/θ.
"""

import numpy as np
import pytest
from sklearn.linear_model import QuantileRegressor

import shrinkwise as sw
from shrinkwise.linear.losses import NegativeBinomial, Quantile, Tweedie, loss_of

ROW = np.arange(1, 61)
X = np.column_stack([np.sin(ROW * 1.0), np.cos(ROW * 2.0), np.sin(ROW * ROW * 0.5), np.cos(ROW * ROW * 0.3)])
MEAN = np.exp(0.5 * X[:, 0] - 0.4 * X[:, 1] + 0.2)
AMOUNTS = MEAN * (1.0 + 0.8 * np.sin(ROW * 7.0))
COUNTS = np.floor(MEAN * (1.5 + 1.4 * np.cos(ROW * 5.0)))
FAMILIES = {
    "gamma": (loss_of("gamma"), AMOUNTS),
    "tweedie": (Tweedie(1.5), np.where(np.sin(ROW * 11.0) > 0, AMOUNTS, 0.0)),
    "negative_binomial": (NegativeBinomial(theta=2.0), COUNTS),
    "poisson": (loss_of("poisson"), COUNTS),
}
# loss, l1_ratio (None: no penalty), intercept and coefficients
THEIRS = [
    ("gamma", 0.0, [0.20139023, 0.40211128, -0.37019887, 0.03658372, 0.04634434]),
    ("gamma", 0.5, [0.20509726, 0.38696561, -0.35165259, 0.00000000, 0.01341003]),
    ("gamma", 1.0, [0.21003002, 0.36135657, -0.32272417, 0.00000000, 0.00000000]),
    ("tweedie", 0.0, [-0.49860380, 0.27749025, -0.45463933, 0.02607812, -0.30426220]),
    ("tweedie", 0.5, [-0.49483829, 0.23505840, -0.41800123, 0.00000000, -0.24119954]),
    ("tweedie", 1.0, [-0.48844794, 0.18745143, -0.37331826, 0.00000000, -0.17246440]),
    ("negative_binomial", 0.0, [0.32393689, 0.50915240, -0.41983426, -0.15851614, -0.21056012]),
    ("negative_binomial", 0.5, [0.33505765, 0.48271009, -0.38934468, -0.10332906, -0.16446115]),
    ("negative_binomial", 1.0, [0.34708112, 0.45454368, -0.35648347, -0.04148924, -0.11381657]),
    ("poisson", 0.0, [0.31886879, 0.56153890, -0.46502542, -0.18770000, -0.27393575]),
    ("poisson", 0.5, [0.32973315, 0.54831583, -0.44888521, -0.16309661, -0.25440061]),
    ("poisson", 1.0, [0.34057556, 0.53424232, -0.43145264, -0.13669270, -0.23363837]),
    ("gamma", None, [0.19958226, 0.44368934, -0.40848664, 0.02588168, 0.04028676]),
    ("tweedie", None, [-0.50580133, 0.30971843, -0.51853004, 0.03485202, -0.36772724]),
    ("negative_binomial", None, [0.30761113, 0.56472409, -0.46453493, -0.18212131, -0.24226740]),
    ("poisson", None, [0.30086543, 0.59335077, -0.48907416, -0.19857739, -0.29487478]),
]


@pytest.mark.parametrize(("family", "l1_ratio", "theirs"), THEIRS)
def test_the_optimum_is_theirs(family, l1_ratio, theirs):
    loss, y = FAMILIES[family]
    penalty = sw.L2(0.0) if l1_ratio is None else sw.ElasticNet(0.05, l1_ratio)
    model = sw.PenalizedRegressor(penalty, loss=loss, tol=1e-12).fit(X, y)
    w = np.array(theirs[1:])
    objective = np.mean(loss.value(y, X @ w + theirs[0])) + penalty.value(w)
    assert model.objective_ == pytest.approx(objective, abs=1e-9)
    np.testing.assert_allclose([model.intercept_, *model.coef_], theirs, atol=2e-5)
    assert (model.coef_[w == 0] == 0).all()


@pytest.mark.parametrize("tau", [0.5, 0.9])
def test_a_small_delta_gives_scikit_learns_objective_to_1e_6(tau):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8))
    y = X[:, 0] + rng.standard_t(3, 300)
    theirs = QuantileRegressor(quantile=tau, alpha=0.02).fit(X, y)
    ours = sw.PenalizedRegressor(sw.L1(0.02), loss=Quantile(tau, delta=1e-5)).fit(X, y)
    exact, smooth = (
        np.mean(Quantile(tau).score(y, m.predict(X))) + 0.02 * np.abs(m.coef_).sum() for m in (theirs, ours)
    )
    assert exact - 1e-9 <= smooth <= exact + 1e-6
    assert "solved" in ours.status_

"""Several 0/1 targets: equal to logistic regression target by target where nothing ties them, certified where a group does."""

import pickle

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import clone

import shrinkwise as sw
from shrinkwise.linear import MultiTargetClassifier, MultiTargetClassifierCV, path

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 8))
W = np.zeros((3, 8))
W[:, :2] = [[2.0, -1.0], [-1.0, 1.0], [0.5, 2.0]]
Y = (X @ W.T + RNG.logistic(size=(120, 3)) > 0).astype(float)
S = RNG.uniform(0.5, 2.0, 120)
OFFSET = 0.3 * RNG.normal(size=(120, 3))
TIED = sw.GroupLasso(1.0, sw.Groups.columns())


@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
def test_targets_that_nothing_ties_are_fitted_one_by_one(penalty):
    options = {"lambdas": [0.1, 0.03], "sample_weight": S, "tol": 1e-10}
    joint = path(X, Y, penalty, loss="multi_logistic", offset=OFFSET, **options)
    assert joint.solved.all(), joint.status
    for k in range(3):
        one = path(X, Y[:, k], penalty, loss="logistic", offset=OFFSET[:, k], **options)
        np.testing.assert_allclose(joint.coefs[:, k], one.coefs, atol=1e-4)
        np.testing.assert_allclose(joint.intercepts[:, k], one.intercepts, atol=1e-4)


def test_tied_targets_are_a_general_optimisers():
    fitted = path(X, Y, TIED, loss="multi_logistic", n_lambdas=6, lambda_min_ratio=0.05, sample_weight=S, tol=1e-9)
    assert fitted.solved.all(), fitted.status
    assert fitted.n_nonzero[0] == 0
    used = fitted.coefs != 0
    assert (used.any(1) == used.all(1)).all()  # an input is used by all targets or by none
    point = fitted[3]

    def objective(z):
        w, b = z[:24].reshape(3, 8), z[24:]
        eta = X @ w.T + b
        losses, norms = (np.logaddexp(0.0, eta) - Y * eta).sum(1), np.sqrt((w * w).sum(0) + 1e-14)
        pull = S[:, None] / S.sum() * (expit(eta) - Y)
        slope = np.concatenate([(pull.T @ X + point.lam * np.sqrt(3) * w / norms).ravel(), pull.sum(0)])
        return np.average(losses, weights=S) + point.lam * np.sqrt(3) * norms.sum(), slope

    best = minimize(objective, np.zeros(27), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "maxiter": 5000})
    own = objective(np.concatenate([point.coef.ravel(), point.intercept]))[0]
    assert own == pytest.approx(point.objective, rel=1e-6)
    assert own - 1e-6 <= best.fun <= own + 1e-4


def test_estimators_predict_and_refuse():
    model = MultiTargetClassifierCV(cv=3, n_lambdas=6, lambda_min_ratio=0.03).fit(X, Y)
    assert model.coef_.shape == (3, 8)
    assert (model.predict(X) == Y).mean() > 0.75 > max(Y.mean(), 1 - Y.mean())
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert model.lambda_ == model.lambda_1se_ >= model.lambda_best_
    one = pickle.loads(pickle.dumps(clone(MultiTargetClassifier(TIED.with_lam(model.lambda_))).fit(csr_array(X), Y)))
    np.testing.assert_allclose(one.coef_, model.coef_, atol=1e-3)
    for wrong, why in ((Y[:, 0], "shape"), (2 * Y, "numbers 0 and 1"), (np.c_[Y, np.zeros(120)], "column 3")):
        with pytest.raises(ValueError, match=why):
            path(X, wrong, TIED, loss="multi_logistic")
        with pytest.raises(ValueError, match=why):
            MultiTargetClassifier().fit(X, wrong)


def test_a_separated_target_has_no_finite_optimum():
    apart = Y.copy()
    apart[:, 1] = X[:, 0] > 0
    free = {"loss": "multi_logistic", "lambdas": [0.0]}
    assert path(X, Y, sw.L2(0.0), **free).solved.all()
    assert "no finite optimum" in path(X, apart, sw.L2(0.0), **free).status[0]

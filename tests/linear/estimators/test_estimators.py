"""The estimators: attributes, the choice of λ, refusals."""

import threading
import time
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score

import shrinkwise as sw
from linear.data import diabetes, random_problem, sonar
from shrinkwise.linear import is_separable
from shrinkwise.linear.estimators.validation import folds


def test_every_fit_carries_its_certificate():
    X, y = diabetes()
    fit = sw.PenalizedRegressor(sw.L1(1.0)).fit(X, y)
    assert fit.duality_gap_ <= 1e-6
    assert fit.kkt_violation_ <= 1e-6
    assert fit.status_.startswith("solved: relative gap")
    assert fit.penalty_ == sw.L1(1.0)


def test_the_penalty_is_a_hyperparameter_of_grid_search():
    X, y = diabetes()
    search = GridSearchCV(sw.PenalizedRegressor(sw.L1(1.0)), {"penalty__lam": [0.1, 1.0, 1000.0]}, cv=3).fit(X, y)
    assert search.best_params_["penalty__lam"] in (0.1, 1.0)
    assert search.best_estimator_.penalty_.lam == search.best_params_["penalty__lam"]


def test_cv_scores_are_those_of_the_folds_refitted_one_by_one():
    X, y = diabetes()
    cv = KFold(4, shuffle=True, random_state=1)
    fit = sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=12, cv=cv).fit(X, y)
    for k in (0, 5, 11):
        peer = Lasso(alpha=fit.lambdas_[k], tol=1e-10, max_iter=100_000)
        losses = -cross_val_score(peer, X, y, cv=cv, scoring="neg_mean_squared_error")
        assert fit.cv_mean_[k] == pytest.approx(losses.mean(), rel=1e-6)
        assert fit.cv_se_[k] == pytest.approx(losses.std(ddof=1) / 2, rel=1e-5)


@pytest.mark.parametrize("select", ["1se", "best"])
def test_selection_rule(select):
    X, y = diabetes()
    fit = sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=40, select=select).fit(X, y)
    best = np.argmin(fit.cv_mean_)
    limit = fit.cv_mean_[best] + fit.cv_se_[best]
    assert fit.lambda_best_ == fit.lambdas_[best]
    assert fit.lambda_1se_ == fit.lambdas_[fit.cv_mean_ <= limit].max()
    assert fit.lambda_ == (fit.lambda_1se_ if select == "1se" else fit.lambda_best_)
    np.testing.assert_array_equal(fit.coef_, fit.path_.coefs[list(fit.lambdas_).index(fit.lambda_)])


def test_one_standard_error_keeps_fewer_inputs_on_sonar():
    X, y = sonar()
    fit = sw.PenalizedClassifierCV(sw.L1(1.0), n_lambdas=40, cv=5).fit(X, y)
    n = fit.path_.n_nonzero
    assert n[fit.index_1se_] < n[fit.index_best_]
    assert fit.score(X, y) > 0.75


def test_groups_reach_the_splitter():
    X, y = diabetes()
    groups = np.arange(len(y)) % 5
    fit = sw.PenalizedRegressorCV(sw.L2(1.0), n_lambdas=5, cv=GroupKFold(5)).fit(X, y, groups=groups)
    assert fit.cv_losses_.shape == (5, 5)


def test_several_classes():
    X, y = random_problem(1, n=200, loss="multinomial")
    names = np.array(["b", "a", "c"])[y]
    fit = sw.PenalizedClassifier(sw.L1(0.02)).fit(X, names)
    assert list(fit.classes_) == ["a", "b", "c"]
    assert fit.coef_.shape == (3, 12)
    np.testing.assert_allclose(fit.predict_proba(X).sum(1), 1)
    assert fit.score(X, names) > 0.5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sw.PenalizedRegressor(Lasso()).fit(*diabetes()), "an estimator is not a penalty"),
        (lambda: sw.PenalizedRegressor(0.1).fit(*diabetes()), "Expected penalty to be a shrinkwise penalty"),
        (lambda: sw.PenalizedRegressor(sw.L1).fit(*diabetes()), "Expected penalty to be a shrinkwise penalty"),
        (lambda: sw.PenalizedRegressorCV(select="2se").fit(*diabetes()), '"1se" or "best"'),
        (lambda: sw.PenalizedRegressorCV(cv=1).fit(*diabetes()), "cv to be at least 2"),
        (lambda: sw.PenalizedClassifier().fit([[1.0], [2.0]], [1, 1]), "one class"),
    ],
)
def test_wrong_arguments_are_one_sentence(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_separable_classes_have_no_finite_optimum_without_a_penalty_and_it_is_said():
    X, y = sonar()
    assert is_separable(X, y)
    with pytest.warns(ConvergenceWarning, match="no finite optimum"):
        fit = sw.PenalizedClassifier(sw.L2(0.0)).fit(X, y)
    assert fit.status_.startswith("no finite optimum")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sw.PenalizedClassifier(sw.L2(1e-6)).fit(X, y)


def test_is_separable_on_small_truths():
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert is_separable(x, [0, 0, 1, 1])
    assert not is_separable(x, [0, 1, 0, 1])
    assert is_separable(np.array([[0.0], [1.0], [1.0], [2.0]]), [0, 0, 1, 1])  # touching: quasi-complete
    assert is_separable(x, [0, 1, 2, 2])
    X, y = random_problem(3, n=300, loss="multinomial")
    assert not is_separable(X, y)


@pytest.mark.parametrize(
    "penalty",
    [
        sw.NonNegative(),
        sw.L1(0.5) + sw.NonNegative(),
        sw.Box(-20.0, 20.0),
        sw.FusedLasso(2.0),
        sw.FusedLasso(2.0, 0.3),
        sw.SLOPE(1.0),
        sw.SparseGroupLasso(1.0, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        sw.L2(0.1, anchor=np.full(10, 5.0)),
        sw.L1(1.0, anchor=np.full(10, 5.0)),
        sw.L2Ball(30.0),
        sw.L1Ball(40.0),
        sw.L1(1.0).on(slice(0, 5)),
    ],
    ids=repr,
)
def test_every_convex_penalty_is_solved_and_certified(penalty):
    X, y = diabetes()
    fit = sw.PenalizedRegressor(penalty).fit(X, y)
    assert fit.status_.startswith("solved: relative gap"), fit.status_
    rng = np.random.default_rng(0)

    def objective(w):
        return 0.5 * np.mean((y - y.mean() - X @ w) ** 2) + penalty.value(w)

    here = objective(fit.coef_)
    for scale in (1e-3, 1e-2, 1.0):
        for _ in range(10):
            assert objective(fit.coef_ + scale * rng.normal(size=10)) >= here - 1e-6 * 0.5 * y.var()


@pytest.mark.parametrize("penalty", [sw.MCP(1.0), sw.SCAD(1.0), sw.GroupMCP(1.0, np.arange(10) // 2)], ids=repr)
def test_concave_penalties_end_at_a_stationary_point(penalty):
    X, y = diabetes()
    fit = sw.PenalizedRegressor(penalty, tol=1e-10).fit(X, y)
    assert fit.status_.startswith("solved to a stationary point")
    gradient = X.T @ (X @ fit.coef_ - y + y.mean()) / len(y)
    assert np.max(penalty.violation(fit.coef_, gradient)) <= 1e-6


@pytest.mark.parametrize(
    ("penalty", "in_threads"), [(sw.L1(1.0), True), (sw.GroupLasso(1.0, groups=[0, 0, 1, 1]), False)]
)
def test_folds_that_are_one_kernel_run_in_threads_and_others_in_processes(penalty, in_threads, monkeypatch):
    rng, seen, real = np.random.default_rng(0), [], folds.fold_path
    X = rng.normal(size=(60, 4))
    y = X[:, 0] + rng.normal(size=60)
    alone = sw.PenalizedRegressorCV(penalty, cv=4).fit(X, y)
    monkeypatch.setattr(folds, "fold_path", lambda *given: seen.append(threading.current_thread()) or real(*given))
    several = sw.PenalizedRegressorCV(penalty, cv=4, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(several.cv_losses_, alone.cv_losses_)
    assert bool(seen) == in_threads
    assert threading.main_thread() not in seen


def test_scorers_of_several_threads_have_a_model_each():
    """One model for all folds would have the coefficients of another fold while a scorer reads them."""
    rng, seen = np.random.default_rng(0), []
    X = rng.normal(size=(60, 4))
    y = X[:, 0] + rng.normal(size=60)

    def score(model, X, y):
        before = model.coef_
        seen.append(model)
        time.sleep(0.001)  # others have their turn
        assert model.coef_ is before
        return model.score(X, y)

    alone = sw.PenalizedRegressorCV(sw.L1(1.0), cv=4, n_lambdas=10, scoring=score).fit(X, y)
    with parallel_config(backend="threading", n_jobs=4):
        several = sw.PenalizedRegressorCV(sw.L1(1.0), cv=4, n_lambdas=10, scoring=score).fit(X, y)
    assert len(set(map(id, seen))) == 8
    np.testing.assert_array_equal(several.cv_losses_, alone.cv_losses_)

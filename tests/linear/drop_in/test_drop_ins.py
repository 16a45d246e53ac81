"""Swap the import: scikit-learn's coefficients, attributes and shapes."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.sparse import csc_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

from linear.data import diabetes, random_problem
from shrinkwise import linear as ours

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
AS_CLOSE = 1e-5  # a relative gap g leaves fitted values √(2g) of the target's spread apart
RNG = np.random.default_rng(0)
X, _ = random_problem(1, n=70, p=12)
X = X + 1.0
Y = X[:, :3] @ RNG.normal(size=(3, 2)) + RNG.normal(size=(70, 2))
WEIGHTS = RNG.uniform(0.2, 2.0, 70)
CLASSES = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], np.quantile(Y[:, 0], [0.4, 0.7]))]


def lasso_objective(X, y, model, alpha, s):
    r = y - X @ model.coef_ - model.intercept_
    return np.average(r * r, weights=s) / 2 + alpha * np.abs(model.coef_).sum()


@st.composite
def problems(draw):
    """Shapes, correlation, scales, duplicates and a penalty, from hypothesis; the numbers from a seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p = draw(st.integers(3, 40)), draw(st.integers(1, 40))
    X = rng.normal(size=(n, p)) + draw(st.sampled_from([0.0, 1.0, 10.0]))
    X += draw(st.sampled_from([0.0, 1.0, 5.0])) * rng.normal(size=(n, 1))
    if draw(st.booleans()):
        X[:, -1] = X[:, 0]
    X *= draw(st.sampled_from([1e-3, 1.0, 1e3]))
    y = X @ (rng.normal(size=p) * (rng.random(p) < 0.3)) + draw(st.sampled_from([0.1, 1.0])) * X.std() * rng.normal(
        size=n
    )
    s = rng.uniform(0.1, 2.0, n) if draw(st.booleans()) else None
    top = np.abs((X - X.mean(0)).T @ (y - y.mean())).max() / n
    return X, y, s, top * draw(st.sampled_from([1e-3, 0.03, 0.3, 0.9, 1.1]))


@settings(max_examples=200)
@given(problems())
def test_lasso_has_scikit_learns_objective_on_200_problems(problem):
    X, y, s, alpha = problem
    with warnings.catch_warnings():
        # Said where rounding ends before the gap asked for: both are asked for more than is tested.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = ours.Lasso(alpha, tol=1e-9, max_iter=100_000).fit(X, y, s)
        peer = theirs.Lasso(alpha, tol=1e-12, max_iter=20_000).fit(X, y, s)
    here, there = lasso_objective(X, y, fit, alpha, s), lasso_objective(X, y, peer, alpha, s)
    scale = 0.5 * np.average((y - np.average(y, weights=s)) ** 2, weights=s)
    assert here <= there + 1e-8 * scale
    # Theirs may stop with its own gap left.
    assert here >= there - 1e-8 * scale - peer.dual_gap_


def check_same(fit, peer, attributes, tol=AS_CLOSE):
    for name in attributes:
        mine, other = np.asarray(getattr(fit, name), dtype=float), np.asarray(getattr(peer, name), dtype=float)
        assert mine.shape == other.shape, name
        np.testing.assert_allclose(mine, other, rtol=tol, atol=tol, err_msg=name)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
@pytest.mark.parametrize("name", ["Lasso", "ElasticNet"])
def test_lasso_and_elastic_net(name, options, weights):
    for y in (Y[:, 0], Y):
        fit = getattr(ours, name)(0.1, **TIGHT, **options).fit(X, y, weights)
        peer = getattr(theirs, name)(0.1, **TIGHT, **options).fit(X, y, weights)
        check_same(fit, peer, ["coef_", "intercept_", "dual_gap_"] if options.get("fit_intercept", True) else ["coef_"])
        np.testing.assert_allclose(fit.predict(X), peer.predict(X), atol=AS_CLOSE)
        assert np.max(fit.duality_gap_) <= 1e-12
        assert np.shape(fit.sparse_coef_.toarray()) == np.shape(np.atleast_2d(fit.coef_))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge(fit_intercept, weights):
    for y, alpha in ((Y[:, 0], 2.0), (Y, 2.0), (Y, [0.5, 3.0]), (Y[:, 0], 0.0)):
        fit = ours.Ridge(alpha, fit_intercept=fit_intercept).fit(X, y, weights)
        check_same(fit, theirs.Ridge(alpha, fit_intercept=fit_intercept).fit(X, y, weights), ["coef_"], 1e-9)
    positive = ours.Ridge(2.0, positive=True, tol=1e-12).fit(X, Y[:, 0])
    assert positive.coef_.min() == 0
    check_same(positive, theirs.Ridge(2.0, positive=True, tol=1e-10).fit(X, Y[:, 0]), ["coef_", "intercept_"], 1e-4)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize(
    "options", [{}, {"alphas": [0.5, 0.1, 0.01]}, {"cv": TimeSeriesSplit(3)}, {"positive": True}], ids=str
)
def test_cross_validated_lasso_and_elastic_net(options, weights):
    y = Y[:, 0]
    options = {"alphas": 8, "eps": 0.01, **options}
    same = ["coef_", "intercept_", "alpha_", "alphas_", "mse_path_"]
    check_same(
        ours.LassoCV(**options, **TIGHT).fit(X, y, weights), theirs.LassoCV(**options, **TIGHT).fit(X, y, weights), same
    )
    options = {"l1_ratio": [0.2, 0.9], **options}
    fit, peer = (m.ElasticNetCV(**options, **TIGHT).fit(X, y, weights) for m in (ours, theirs))
    check_same(fit, peer, [*same, "l1_ratio_"])


def test_one_standard_error_is_an_option_of_the_cv_drop_ins():
    X, y = diabetes()
    best, strong = ours.LassoCV().fit(X, y), ours.LassoCV(select="1se").fit(X, y)
    assert strong.alpha_ > best.alpha_
    assert ours.RidgeCV(np.geomspace(1, 1e5, 30), select="1se").fit(X, y).alpha_ > 10 * ours.RidgeCV().fit(X, y).alpha_
    with pytest.raises(ValueError, match='"1se" or "best"'):
        ours.LassoCV(select="2se").fit(X, y)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize(
    "options", [{}, {"scoring": "r2"}, {"alpha_per_target": True}, {"fit_intercept": False}, {"cv": 4}], ids=str
)
@pytest.mark.parametrize("wide", [False, True])
def test_cross_validated_ridge(options, weights, wide):
    data = (X[:20, :], Y[:20]) if not wide else (np.hstack([X, X**2, np.sin(X)])[:20], Y[:20])
    weights = None if weights is None else weights[:20]
    alphas = np.geomspace(0.01, 100, 15)
    for y in (data[1][:, 0], data[1]):
        if y.ndim == 1 and "alpha_per_target" in options:
            continue
        if "cv" in options and weights is not None:
            continue  # their folds do not pass the weights on in the same way
        fit, peer = (m.RidgeCV(alphas, **options).fit(data[0], y, weights) for m in (ours, theirs))
        check_same(fit, peer, ["coef_", "alpha_", "best_score_"])
        if "cv" not in options:
            fit, peer = (
                m.RidgeCV(alphas, store_cv_results=True, **options).fit(data[0], y, weights) for m in (ours, theirs)
            )
            check_same(fit, peer, ["cv_results_"])


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 2.0, "b": 1.0, "c": 0.5}], ids=str)
@pytest.mark.parametrize("classes", [2, 3])
def test_sparse_logistic_regression(classes, class_weight, weights):
    rows = np.ones(70, dtype=bool) if classes == 3 else CLASSES != "c"
    y, s = CLASSES[rows], None if weights is None else weights[rows]
    if isinstance(class_weight, dict) and classes == 2:
        class_weight = {"a": 2.0, "b": 1.0}
    fit = ours.SparseLogisticRegression(C=0.5, class_weight=class_weight, tol=1e-12).fit(X[rows], y, s)
    peer = theirs.LogisticRegression(
        C=0.5, l1_ratio=1.0, solver="saga", class_weight=class_weight, tol=1e-7, max_iter=100_000
    ).fit(X[rows], y, s)
    check_same(fit, peer, ["coef_", "intercept_"], 1e-4)
    np.testing.assert_allclose(fit.predict_proba(X), peer.predict_proba(X), atol=1e-4)
    assert list(fit.classes_) == list(peer.classes_)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_sparse_logistic_regression_cv(scoring):
    y = CLASSES[CLASSES != "c"]
    data = X[CLASSES != "c"]
    fit = ours.SparseLogisticRegressionCV(Cs=[0.1, 0.5, 2.0], scoring=scoring, tol=1e-12).fit(data, y)
    peer = theirs.LogisticRegressionCV(
        Cs=[0.1, 0.5, 2.0],
        l1_ratios=[1.0],
        solver="saga",
        scoring=scoring or "neg_log_loss",
        tol=1e-9,
        max_iter=100_000,
        use_legacy_attributes=False,
    ).fit(data, y)
    assert fit.C_ == peer.C_
    np.testing.assert_allclose(fit.scores_, peer.scores_[:, 0], atol=1e-5)
    check_same(fit, peer, ["coef_"], 1e-5)


def test_group_splits_leave_out_rows_of_weight_zero():
    groups, weights = np.arange(70) % 5, np.where(np.arange(70) < 10, 0.0, 1.0)
    whole = ours.LassoCV(cv=GroupKFold(5), alphas=5).fit(X, Y[:, 0], weights, groups=groups)
    part = ours.LassoCV(cv=GroupKFold(5), alphas=5).fit(X[10:], Y[10:, 0], groups=groups[10:])
    np.testing.assert_allclose(whole.mse_path_, part.mse_path_)


def test_listed_folds_speak_of_all_rows_also_where_some_have_no_weight():
    weights = np.where(np.arange(70) % 7 == 0, 0.0, 1.0)
    folds = [(np.arange(35), np.arange(35, 70)), (np.arange(35, 70), np.arange(35))]
    kept = np.flatnonzero(weights)
    half = int(np.sum(kept < 35))
    among = [(np.arange(half), np.arange(half, len(kept))), (np.arange(half, len(kept)), np.arange(half))]
    whole = ours.LassoCV(cv=folds, alphas=5).fit(X, Y[:, 0], weights)
    part = ours.LassoCV(cv=among, alphas=5).fit(X[kept], Y[kept, 0])
    np.testing.assert_allclose(whole.mse_path_, part.mse_path_)


def test_coefficients_at_the_default_tolerance_are_as_close_as_scikit_learns():
    X, y = np.array([[1.0, 2, 4, 5, 8], [3, 5, 7, 7, 8]]).T, np.array([12.0, 10, 11, 21, 5])
    ridge, almost = (ours.ElasticNetCV(l1_ratio=ratio, alphas=[0.1, 10]).fit(X, y) for ratio in (0, 1e-5))
    np.testing.assert_allclose(almost.coef_, ridge.coef_, atol=1e-5)  # scikit-learn's own test of its class


def test_multi_task_lasso_and_elastic_net():
    for weights in (None, WEIGHTS):
        for name in ("MultiTaskLasso", "MultiTaskElasticNet"):
            fit, peer = (getattr(m, name)(0.3, **TIGHT).fit(X, Y, sample_weight=weights) for m in (ours, theirs))
            check_same(fit, peer, ["coef_", "intercept_"])
            assert fit.duality_gap_ <= 1e-12
    for options in ({}, {"alphas": [0.5, 0.1]}):
        options = {"alphas": 6, "eps": 0.01, **TIGHT, **options}
        same = ["coef_", "intercept_", "alpha_", "alphas_", "mse_path_"]
        check_same(ours.MultiTaskLassoCV(**options).fit(X, Y), theirs.MultiTaskLassoCV(**options).fit(X, Y), same)
        options["l1_ratio"] = [0.2, 0.9]
        fit, peer = (m.MultiTaskElasticNetCV(**options).fit(X, Y) for m in (ours, theirs))
        check_same(fit, peer, [*same, "l1_ratio_"])
    here, there = (m.MultiTaskLasso.path(X, Y, alphas=[0.5, 0.1], tol=1e-12) for m in (ours, theirs))
    np.testing.assert_allclose(here[1], there[1], atol=AS_CLOSE)
    with pytest.raises(ValueError, match="for mono-task outputs, use Lasso"):
        ours.MultiTaskLasso().fit(X, Y[:, 0])


@pytest.mark.parametrize("kind", ["dense", "sparse", "float32", "targets"])
@pytest.mark.parametrize(("name", "options"), [("lasso_path", {}), ("enet_path", {"l1_ratio": 0.3})])
def test_path_functions_return_what_scikit_learn_returns(name, options, kind):
    y = Y if kind == "targets" else Y[:, 0]
    given = {"sparse": csc_array(X), "float32": X.astype(np.float32)}.get(kind, X)
    options = {**options, "alphas": 20, "eps": 0.01, "return_n_iter": True}
    alphas, coefs, gaps, n_iter = getattr(ours, name)(given, y, **options)
    # In float32 scikit-learn computes in it, and whether it converges depends on the processor.
    exact = given.astype(np.float64) if kind == "float32" else given
    there = getattr(theirs, name)(exact, y, **options, tol=1e-12, max_iter=100_000)
    assert_allclose(alphas, there[0], rtol=1e-6)
    assert_allclose(coefs, there[1], atol=1e-5)
    assert (coefs.shape, coefs.dtype) == (there[1].shape, given.dtype)
    assert (gaps <= 1e-11 * np.sum(y * y) / len(y)).all()
    assert len(n_iter) == 20


def test_path_functions_hold_positive_sort_the_grid_and_refuse_what_they_cannot_do():
    options = {"alphas": [0.01, 1.0], "positive": True}
    found, there = ours.lasso_path(X, Y[:, 0], **options), theirs.lasso_path(X, Y[:, 0], **options, tol=1e-12)
    assert_allclose(found[1], there[1], atol=1e-6)
    assert found[0].tolist() == [1.0, 0.01]
    assert (found[1] >= 0).all()
    with pytest.raises(ValueError, match="positive=False for several targets"):
        ours.lasso_path(X, Y, positive=True)
    with pytest.raises(ValueError, match="l1_ratio=0; pass a grid"):
        ours.enet_path(X, Y[:, 0], l1_ratio=0.0)
    with pytest.raises(TypeError, match="bogus"):
        ours.lasso_path(X, Y[:, 0], bogus=3)
    assert not ours.lasso_path(X, np.zeros(len(X)), alphas=3)[1].any()
    with pytest.warns(ConvergenceWarning, match="1 of 1 alphas"):
        ours.enet_path(X, Y, alphas=[1e-6], tol=0.0, max_iter=1)


@pytest.mark.parametrize("several", [False, True])
def test_a_path_function_takes_lists_and_says_what_is_wrong_with_them(several):
    y = Y if several else Y[:, 0]
    found = ours.enet_path(X.tolist(), y.tolist(), alphas=[0.1], tol=1e-10)[1]
    assert_allclose(found, theirs.enet_path(X, y, alphas=[0.1], tol=1e-10)[1], atol=1e-6)
    with pytest.raises(ValueError, match=r"X of shape \(n, p\)"):
        ours.lasso_path(X[:, 0], y)

"""What comes beside X: names of columns, offsets, groups, factors by name; each is matched or refused."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import PoissonRegressor
from sklearn.model_selection import GroupKFold, RepeatedKFold

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise import linear
from shrinkwise.linear import path
from shrinkwise.selection import independent_folds, mean_and_se

X, y = random_problem(1)
NAMES = [f"x{j}" for j in range(12)]
FRAME = pd.DataFrame(X, columns=NAMES)
CLASSES = (y > 0).astype(int)
THREE = np.digitize(y, np.quantile(y, [0.3, 0.6]))


@pytest.mark.parametrize("numbered", [False, True])
def test_a_path_checks_the_columns_it_predicts_from(numbered):
    frame = FRAME.rename(columns=dict(zip(NAMES, range(100, 112), strict=True))) if numbered else FRAME
    fitted = path(frame, y, sw.L1(1.0), n_lambdas=4)
    np.testing.assert_allclose(fitted.predict(frame), fitted.predict(X))
    for bad, words in (
        (X[:, :3], r"shape \(n, 12\)"),
        (np.hstack([X, X]), r"shape \(n, 12\)"),
        (X[0], r"shape \(n, 12\)"),
        (frame[frame.columns[::-1]], "a different order"),
        (frame.rename(columns={frame.columns[2]: "other"}), "is missing"),
    ):
        for predict in (fitted.predict, fitted[1:3].predict, fitted.at(0.1).predict):
            with pytest.raises(ValueError, match=words):
                predict(bad)


def test_estimators_check_numbered_columns_too():
    frame = FRAME.rename(columns=dict(zip(NAMES, range(100, 112), strict=True)))
    for model in (sw.PenalizedRegressor(sw.L1(0.1)), linear.Lasso(0.1), linear.RidgeCV()):
        model.fit(frame, y)
        with pytest.raises(ValueError, match="a different order"):
            model.predict(frame[frame.columns[::-1]])


def test_factors_by_name_go_to_their_columns():
    factors = pd.Series(np.linspace(0.0, 3.0, 12), index=NAMES)
    expected = sw.PenalizedRegressor(sw.L1(0.05), penalty_factors=factors.to_numpy()).fit(FRAME, y).coef_
    shuffled = factors.sample(frac=1, random_state=0)
    found = sw.PenalizedRegressor(sw.L1(0.05), penalty_factors=shuffled).fit(FRAME, y).coef_
    np.testing.assert_allclose(found, expected, atol=1e-12)
    numbered = pd.Series(factors.to_numpy())
    found = sw.PenalizedRegressor(sw.L1(0.05), penalty_factors=numbered).fit(X, y).coef_
    np.testing.assert_allclose(found, expected, atol=1e-12)
    for data, series, words in (
        (X, shuffled, "no column names"),
        (FRAME, factors[:-1], "one label for each of the 12"),
        (FRAME, factors.rename({"x3": "x4"}), "mismatch"),
    ):
        with pytest.raises(ValueError, match=words):
            sw.PenalizedRegressor(sw.L1(0.05), penalty_factors=series).fit(data, y)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("penalty", [sw.L1(0.01), sw.L2(0.01)], ids=repr)
def test_an_infinite_factor_excludes_a_column(convert, penalty):
    factors, kept = np.ones(12), np.setdiff1d(np.arange(12), [0, 4])
    factors[[0, 4]] = np.inf
    fit = sw.PenalizedRegressor(penalty, penalty_factors=factors, tol=1e-12).fit(convert(X), y)
    assert not fit.coef_[[0, 4]].any()
    rest = sw.PenalizedRegressor(penalty, tol=1e-12).fit(X[:, kept], y)
    np.testing.assert_allclose(fit.coef_[kept], rest.coef_, atol=1e-6)
    assert (
        sw.PenalizedClassifierCV(sw.L1(1.0), penalty_factors=factors, cv=3, n_lambdas=5).fit(X, CLASSES).coef_[0, 0]
        == 0
    )


OFFSET_MODELS = [
    (sw.PenalizedRegressor(sw.L1(0.1)), y, (60,)),
    (sw.PenalizedRegressorCV(sw.L1(0.1), cv=3, n_lambdas=5), y, (60,)),
    (sw.PenalizedClassifier(sw.L1(0.01)), CLASSES, (60,)),
    (sw.PenalizedClassifier(sw.L1(0.01)), THREE, (60, 3)),
    (sw.PenalizedRegressor(sw.L1(0.1)), np.column_stack([y, -y]), (60, 2)),
]


@pytest.mark.parametrize(("model", "target", "shape"), OFFSET_MODELS, ids=lambda v: str(getattr(v, "shape", v))[:40])
def test_an_offset_has_the_shape_of_the_linear_predictor_and_is_needed_again(model, target, shape):
    offset = np.random.default_rng(0).normal(size=shape)
    nan = offset.copy()
    nan.flat[3] = np.nan
    wrong = [offset[1:], nan, np.float64(1.0), offset.reshape(60, -1, 1), np.ones((60, 60))]
    wrong += [offset[:, None]] if len(shape) == 1 else [offset[:, 0], offset[:, :1]]
    for bad in wrong:
        with pytest.raises(ValueError, match="offset"):
            model.fit(X, target, offset=bad)
    model.fit(X, target, offset=offset)
    model.score(X, target, offset=offset)
    for call in (lambda o: model.predict(X, offset=o), lambda o: model.score(X, target, offset=o)):
        for bad in [*wrong, None]:
            with pytest.raises(ValueError, match="offset"):
                call(bad)
    with pytest.raises(TypeError):
        model.fit(X, target, None, offset)


def test_an_offset_of_a_path_is_needed_again():
    fitted = path(X, THREE, sw.L1(0.1), loss="multinomial", n_lambdas=3, offset=np.ones((60, 3)))
    with pytest.raises(ValueError, match="pass offset="):
        fitted.predict(X)
    with pytest.raises(ValueError, match="offset like y"):
        path(X, THREE, sw.L1(0.1), loss="multinomial", offset=np.ones(60))


def test_everything_after_sample_weight_is_keyword_only():
    names = [
        name
        for name in linear.__all__
        if inspect.isclass(getattr(linear, name)) and hasattr(getattr(linear, name), "fit")
    ]
    assert len(names) > 8
    for name in names:
        parameters = list(inspect.signature(getattr(linear, name).fit).parameters.values())[4:]
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters), name


@pytest.mark.parametrize("model", [sw.PenalizedRegressorCV(sw.L1(1.0)), linear.LassoCV(), linear.RidgeCV()], ids=repr)
def test_groups_are_one_label_a_row(model):
    for bad in (np.arange(59), np.zeros((60, 1)), np.r_[np.nan, np.zeros(59)]):
        with pytest.raises(ValueError, match="groups"):
            model.fit(X, y, groups=bad)


def test_poisson_is_scored_by_d2_as_in_scikit_learn():
    counts = np.random.default_rng(0).poisson(np.exp(0.3 * X[:, 0]))
    weight = np.random.default_rng(1).uniform(0.5, 2, 60)
    fit = sw.PenalizedRegressor(sw.L2(0.05), loss="poisson", tol=1e-12).fit(X, counts, weight)
    peer = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, counts, weight)
    assert fit.score(X, counts, weight) == pytest.approx(peer.score(X, counts, weight), abs=1e-6)


def test_repeating_folds_does_not_shrink_the_standard_error():
    values = np.random.default_rng(0).normal(size=5)
    once, again = mean_and_se(values), mean_and_se(np.tile(values, 20), 5.0)
    assert again == pytest.approx(once)
    folds = [test for _, test in RepeatedKFold(n_splits=5, n_repeats=20, random_state=0).split(X)]
    assert independent_folds(folds) == pytest.approx(5.0)
    cv = RepeatedKFold(n_splits=5, n_repeats=20, random_state=0)
    fit = sw.PenalizedRegressorCV(sw.L1(1.0), cv=cv, n_lambdas=10).fit(X, y)
    within = [block.std(1, ddof=1) / np.sqrt(5) for block in np.split(fit.cv_losses_, 20, axis=1)]
    np.testing.assert_allclose(fit.cv_se_, np.sqrt(np.mean(np.square(within), axis=0)), rtol=0.2)


@pytest.mark.parametrize(
    "penalty", [sw.TopK(3), sw.Simplex(), sw.L1Ball(1.0), sw.L1(0.1).fixed() + sw.NonNegative()], ids=repr
)
def test_there_is_no_lambda_to_choose_of_a_constraint(penalty):
    for fit in (lambda: sw.PenalizedRegressorCV(penalty).fit(X, y), lambda: path(X, y, penalty)):
        with pytest.raises(ValueError, match="not depend on λ"):
            fit()


def test_the_best_lambda_at_the_end_of_the_grid_is_said():
    exact = X @ np.arange(12.0)
    fit = sw.PenalizedRegressorCV(sw.L1(1.0), cv=3, n_lambdas=5, lambda_min_ratio=0.5).fit(X, exact)
    assert "smallest of the grid" in fit.status_


def test_criteria_do_not_run_to_the_saturated_end():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        wide = rng.normal(size=(40, 100))
        fitted = path(wide, 2 * wide[:, 0] + rng.normal(size=40), sw.L1(1.0))
        assert fitted.n_nonzero[np.argmin(fitted.bic)] < 14
        assert fitted.n_nonzero[np.argmin(fitted.ebic())] < 8
        assert 0.3 < fitted.noise_variance < 1.7
        np.testing.assert_allclose(
            fitted.criterion(2.0, 1.0), fitted.losses * 80 + 40 * np.log(2 * np.pi) + 2 * (fitted.df + 1)
        )


def test_a_class_missing_from_a_fold():
    model = linear.SparseLogisticRegressionCV(
        cv=[(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    )
    with pytest.raises(ValueError, match="missing from the training part"):
        model.fit(X, np.r_[np.zeros(15), np.ones(15), np.full(15, 2), np.ones(15)])
    labels = np.array(["a", "b", "c"])[np.r_[np.arange(50) % 3, np.zeros(10, dtype=int)]]
    fold = [(np.arange(50), np.arange(50, 60)), (np.arange(10, 60), np.arange(10))]
    for scoring in ("neg_log_loss", "accuracy", None):
        fit = linear.SparseLogisticRegressionCV(cv=fold, scoring=scoring, Cs=3).fit(X, labels)
        assert np.isfinite(fit.scores_).all()


def test_every_sparse_format_is_read():
    expected = path(X, y, sw.L1(1.0), n_lambdas=4).coefs
    for kind in ("lil", "dok", "coo", "bsr", "dia"):
        np.testing.assert_allclose(
            path(sp.csr_array(X).asformat(kind), y, sw.L1(1.0), n_lambdas=4).coefs, expected, atol=1e-3
        )
    frame = pd.DataFrame({name: pd.arrays.SparseArray(X[:, j]) for j, name in enumerate(NAMES)})
    np.testing.assert_allclose(path(frame, y, sw.L1(1.0), n_lambdas=4).coefs, expected, atol=1e-9)


@pytest.mark.parametrize("make", [lambda: path(X, y, sw.L1(1.0), n_lambdas=3), lambda: linear.Lasso(0.1).fit(X, y)])
def test_a_pickle_of_another_version_warns(make, monkeypatch):
    stored = pickle.dumps(make())
    pickle.loads(stored)
    from shrinkwise.linear.paths import path as path_module

    monkeypatch.setattr(path_module, "__version__", "9.9")
    with pytest.warns(UserWarning, match="pickled by shrinkwise"):
        pickle.loads(stored)


STORED = ("lambdas", "coefs", "intercepts", "gaps", "kkt", "objectives", "solved", "n_iter", "status", "n_nonzero")
COMPUTED = ("losses", "df", "deviance_explained", "aic", "bic")


@pytest.mark.parametrize("target", [y, np.column_stack([y, -y])], ids=["one target", "two"])
def test_an_index_drops_the_axis_of_lambda(target):
    penalty = sw.L1(1.0) if target.ndim == 1 else sw.L2(1.0)
    fitted = path(X, target, penalty, n_lambdas=8)
    one = fitted[3]
    assert type(one) is type(fitted)
    for name in STORED:
        np.testing.assert_array_equal(getattr(one, name), getattr(fitted, name)[3], name)
        np.testing.assert_array_equal(getattr(one.path, name), getattr(fitted, name)[3:4], name)
    for name in COMPUTED:
        np.testing.assert_allclose(getattr(one, name), getattr(fitted, name)[3], rtol=1e-10, err_msg=name)
        np.testing.assert_allclose(getattr(one.path, name), getattr(fitted, name)[3:4], rtol=1e-10, err_msg=name)
    np.testing.assert_allclose(one.predict(X), fitted.predict(X)[3], atol=1e-12)
    np.testing.assert_allclose(one.ebic(0.2), fitted.ebic(0.2)[3], rtol=1e-10)
    assert isinstance(one.solved, bool)
    assert isinstance(one.n_iter, int)
    assert isinstance(one.status, str)
    assert (one.lam, one.gap, one.objective) == (fitted.lambdas[3], fitted.gaps[3], fitted.objectives[3])
    np.testing.assert_array_equal(one.coef, fitted.coefs[3])
    np.testing.assert_array_equal(one.used, fitted.coefficients.used(3))
    assert one.at(one.lam).coef.tolist() == one.coef.tolist()
    assert [other.lam for other in one] == [one.lam]
    assert one.to_frame().equals(fitted[3:4].to_frame())
    assert pickle.loads(pickle.dumps(one)).coef.tolist() == one.coef.tolist()
    with pytest.raises(AttributeError, match=r"path of 8 λ; use path\[i\]"):
        fitted.coef  # noqa: B018


def test_a_slice_of_a_path_is_a_path():
    fitted = path(X, y, sw.L1(1.0), n_lambdas=8, relaxed=True)
    part = fitted[2:5]
    assert type(part) is type(fitted)
    assert len(part) == 3
    np.testing.assert_array_equal(part.coefs, fitted.coefs[2:5])
    np.testing.assert_array_equal(part.bic, fitted.bic[2:5])
    np.testing.assert_array_equal(part.relaxed().coefs, fitted.relaxed().coefs[2:5])
    np.testing.assert_array_equal(fitted[3].relaxed(0.3).coef, fitted.relaxed(0.3).coefs[3])
    assert fitted[-1].lam == fitted.lambdas[-1]
    assert [point.gap for point in fitted] == fitted.gaps.tolist()
    with pytest.raises(IndexError):
        fitted[8]
    text = repr(fitted)
    assert text.count("\n") == 9
    assert f"{100 * fitted.deviance_explained[-1]:.2f}" in text


FOLDS = [(np.flatnonzero(np.arange(len(y)) % 3 != k), np.flatnonzero(np.arange(len(y)) % 3 == k)) for k in range(3)]


def as_mask(rows):
    return np.isin(np.arange(len(y)), rows)


@pytest.mark.parametrize("written", [as_mask, tuple, lambda rows: rows - len(y)], ids=["mask", "tuple", "from the end"])
@pytest.mark.parametrize("weights", [None, (np.arange(len(y)) % 7 > 0).astype(float)], ids=["", "zeros"])
@pytest.mark.parametrize("model", [sw.PenalizedRegressorCV(n_lambdas=5), linear.LassoCV(), linear.RidgeCV()])
def test_folds_may_be_written_in_any_way_that_numpy_takes_as_rows(model, weights, written):
    folds = [tuple(written(part) for part in fold) for fold in FOLDS]
    found = [model.set_params(cv=cv).fit(X, y, weights) for cv in (FOLDS, folds)]
    scores = [getattr(m, "cv_losses_", getattr(m, "mse_path_", getattr(m, "best_score_", None))) for m in found]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_a_fold_beside_the_rows_is_refused():
    for weights in (None, np.arange(len(y)) % 7):
        with pytest.raises(ValueError, match=f"row numbers below {len(y)}, or masks"):
            sw.PenalizedRegressorCV(cv=[(np.arange(9), [len(y)])]).fit(X, y, weights)


def test_ridge_scores_the_same_by_masks_as_by_row_numbers():
    masks = [tuple(as_mask(part) for part in fold) for fold in FOLDS]
    by_mask, by_number = (linear.RidgeCV([1.0, 100.0], cv=cv).fit(X, y).best_score_ for cv in (masks, FOLDS))
    assert by_mask == by_number


def test_groups_ride_with_a_sparse_matrix_and_wait_for_y():
    events = linear.survival(np.exp(y), event=CLASSES)
    groups = np.arange(len(y)) % 4
    dense, sparse = (
        linear.PenalizedCoxCV(cv=GroupKFold(3), n_lambdas=4).fit(kind(X), events, groups=groups)
        for kind in (np.asarray, sp.csr_array)
    )
    np.testing.assert_allclose(dense.cv_losses_, sparse.cv_losses_, rtol=1e-3)
    with pytest.raises(ValueError, match="requires y"):
        sw.PenalizedRegressorCV().fit(X, None, groups=groups)


def test_a_class_whose_weights_are_all_zero_is_no_class():
    weights, offset = (THREE != 1).astype(float), np.linspace(-1, 1, len(y))
    model = sw.PenalizedClassifier(sw.L1(0.01)).fit(X, THREE, weights, offset=offset)
    kept = THREE != 1
    other = sw.PenalizedClassifier(sw.L1(0.01)).fit(X[kept], THREE[kept], offset=offset[kept])
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-8)
    with pytest.raises(ValueError, match=rf"of shape \({len(y)},\)"):
        sw.PenalizedClassifier(sw.L1(0.01)).fit(X, THREE, weights, offset=np.zeros((len(y), 3)))


def test_what_only_an_earlier_fit_had_is_forgotten():
    model = sw.PenalizedRegressorCV(cv=3, n_lambdas=4, stability=True).fit(X, y)
    model.set_params(stability=False).fit(X[:, :3], y)
    assert not {"stability_", "selection_frequency_", "stable_"} & vars(model).keys()
    model = sw.PenalizedRegressor(sw.L1(0.1)).fit(sw.rows(FRAME.assign(y=y), target="y"))
    assert model.n_passes_ == 1
    assert not hasattr(model.fit(X, y), "n_passes_")

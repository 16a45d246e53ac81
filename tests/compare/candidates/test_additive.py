"""The additive lasso: hinges of the training rows, exact zeros of whole inputs, and tables that are hard for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from shrinkwise.compare.candidates import additive, linear
from shrinkwise.compare.candidates.additive import (
    LASSO,
    _HingedRows,
    hinges_of,
    tune_additive_lasso,
    usual_hinges,
)
from shrinkwise.compare.candidates.base import Features, TrainingRows
from shrinkwise.compare.candidates.linear import cross_validate, tune_lasso, whole_inputs
from shrinkwise.compare.options import Options
from shrinkwise.compare.splits.splits import split_table
from shrinkwise.models.hinges import Hinges
from shrinkwise.models.predictors import LinearPredictor, usage
from shrinkwise.tables import plan_table

QUICK = Options(n_lambdas=12, inner_folds=3, folds=2, n_jobs=1)


def bent(n=300, noise=0.1, classes=0, seed=0) -> TrainingRows:
    """y bends in x0 (a tent), is linear in x1, and does not depend on x2 … x4."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    y = np.minimum(2 * X[:, 0], 1 - X[:, 0]) + X[:, 1] + noise * rng.normal(size=n)
    if classes:
        y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    return TrainingRows(X, y, {0: "regression", 2: "binary"}.get(classes, "multiclass"), classes, seed)


def hinged(problem: TrainingRows) -> TrainingRows:
    return _HingedRows.of(problem, usual_hinges(problem)).problem


def test_terms_are_the_formula_and_zero_at_zero():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    hinges = hinges_of(X, 4)
    X = np.vstack([X, np.zeros((1, 3)), 1e6 * np.ones((1, 3)), -1e6 * np.ones((1, 3))])
    terms, at = hinges.terms(X), dict(zip(range(3), X.T, strict=True))
    for k, (j, knot, top) in enumerate(zip(hinges.sources, hinges.knots, hinges.tops, strict=True)):
        raw = np.clip(at[int(j)], None, top)
        expected = np.where(raw > knot, raw - knot, 0.0) - max(0.0, min(0.0, top) - knot)
        np.testing.assert_allclose(terms[:, k], expected, rtol=1e-14)
    np.testing.assert_array_equal(terms[-3], 0.0)
    np.testing.assert_array_equal(
        hinges.terms(X[:50].max(axis=0, keepdims=True)), terms[-2:-1]
    )  # constant beyond the ends
    np.testing.assert_array_equal(hinges.terms(X[:50].min(axis=0, keepdims=True)), terms[-1:])


def test_sparse_terms_are_the_dense_ones_and_stay_sparse():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 4)) * (rng.random((200, 4)) < 0.1)
    dense, sparse = hinges_of(X, 5), hinges_of(csr_array(X), 5)
    for name in ("sources", "knots", "tops"):
        np.testing.assert_array_equal(getattr(dense, name), getattr(sparse, name))
    np.testing.assert_allclose(sparse.terms(csr_array(X)).toarray(), dense.terms(X), atol=1e-15)
    assert sparse.terms(csr_array(X)).nnz <= np.count_nonzero(X[:, dense.sources])


@pytest.mark.parametrize(
    ("values", "knots"), [(400 * 5 * 33, 32), (400 * 5 * 33 - 1, 16), (400 * 5 * 17 - 1, 8), (1, 8)]
)
def test_more_values_than_allowed_make_the_knots_fewer(monkeypatch, values, knots):
    monkeypatch.setattr(additive, "_KNOT_VALUES", values)
    assert len(usual_hinges(bent(n=400)).knots) == 5 * (1 + knots)


def test_the_linear_terms_alone_are_the_linear_model():
    rng = np.random.default_rng(2)
    X, coef = rng.normal(size=(30, 3)), np.array([1.0, -2.0, 0.5])
    first = Hinges(np.arange(3), X.min(axis=0), X.max(axis=0))
    np.testing.assert_allclose(LinearPredictor(coef, 0.3, first).output(X), X @ coef + 0.3, rtol=1e-12)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_bend_is_found_and_inputs_without_effect_are_exactly_zero(classes):
    problem, fresh = bent(classes=classes), bent(classes=classes, seed=1)
    tuned, linear = tune_additive_lasso(problem, QUICK), tune_lasso(problem, QUICK)

    def loss(output):
        if not classes:
            return float(np.mean((output - fresh.y) ** 2))
        return float(-np.log(output[np.arange(len(fresh.y)), fresh.y]).mean())

    ours, theirs = (loss(each.best.predictor.output(fresh.X)) for each in (tuned, linear))
    assert ours < (0.05 if not classes else 0.75) * theirs
    used = usage(tuned.one_se.predictor, list(range(5)))
    assert used.zeros > used.weights / 3
    sizes = tuned.curve.coefs.reshape(len(tuned.curve.lambdas), -1, 5).max(axis=1)  # one for each feature
    entered = [set(np.flatnonzero(row).tolist()) for row in sizes]
    assert entered[0] == set()
    assert next(each for each in entered if len(each) >= 2) == {0, 1}


def test_the_refit_on_all_rows_is_the_kept_model():
    for problem in (bent(), bent(classes=3, n=150)):
        best = tune_additive_lasso(problem, replace(QUICK, max_features=3)).best
        again = best.refit(problem)
        scale = np.abs(best.predictor.scores(problem.X)).max()
        np.testing.assert_allclose(again.scores(problem.X), best.predictor.scores(problem.X), atol=2e-3 * scale)


def test_factors_and_the_limit_of_inputs_count_whole_inputs():
    problem = replace(bent(), features=Features(np.arange(5), np.array([1.0, 1, 1, 0, 1])))
    used = tune_additive_lasso(problem, QUICK).one_se.predictor.feature_weights() != 0
    assert used[3]  # not penalised
    two = tune_additive_lasso(bent(), replace(QUICK, max_features=1)).best.predictor
    assert (two.feature_weights() != 0).sum() <= 1


@pytest.mark.parametrize("outlier", [1e6, 1e90])
def test_one_outlier_does_not_flatten_the_others(outlier):
    """On the feature as it was, and after standardising, the outlier is not in the range of the hinges."""
    v = np.append(np.linspace(0, 1, 200), outlier)
    hinges = hinges_of(v[:, None], 8)
    assert (hinges.tops < 10).all()
    assert len(hinges.knots) == 9


def test_an_effect_of_the_few_that_are_not_zero_is_found():
    """95 of 100 rows are 0; the class depends on whether the number is above 0.5, where quantiles of the rows have no knot."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((3000, 2)) < 0.05, rng.random((3000, 2)), 0.0)
    chances = np.where(X[:, 0] > 0.5, 0.95, 0.1)
    problem = TrainingRows(X, (rng.random(3000) < chances).astype(int), "binary", 2, 0)
    best = tune_additive_lasso(problem, QUICK).best
    assert best.settings["knots"] == "spread over the values"
    low, high = best.predictor.output(np.array([[0.3, 0.0], [0.8, 0.0]]))[:, 1]
    assert low < 0.25
    assert high > 0.8
    assert len(usual_hinges(problem).knots) == 2  # the linear terms alone


def test_spread_knots_are_those_of_the_rows_where_no_value_is_frequent():
    X = np.random.default_rng(0).normal(size=(200, 3))
    for found in zip(hinges_of(X, 8).knots, hinges_of(X, 8, spread=True).knots, strict=True):
        assert found[0] == found[1]


HARD = {
    "one value, all missing": {"a": [1.0] * 40, "b": [None] * 40},
    "an outlier": {"a": [*np.linspace(0, 1, 39).tolist(), 1e99]},
    "250 levels, sparse": {"a": [f"level {i % 250}" for i in range(1500)]},
    "20 rows, the fewest": {"a": np.linspace(0, 1, 20).tolist()},
}


@pytest.mark.parametrize("case", HARD)
def test_hard_tables_give_a_model_of_finite_numbers(case):
    columns = HARD[case]
    n = len(columns["a"])
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({**columns, "x": rng.normal(size=n), "y": rng.normal(size=n)}, strict=False)
    plan = plan_table(frame, "y", category=("a",) if case == "250 levels, sparse" else ())
    split = split_table(frame, plan, QUICK)[0]
    for fit in LASSO.tune(split.problem, QUICK).choices().values():
        assert np.isfinite(fit.predictor.output(split.X_test)).all()


def test_few_values_have_a_bend_at_each_between_the_lowest_and_the_highest():
    hinges = hinges_of(np.repeat([[0.0], [1.0], [2.5], [3.0]], 20, axis=0), 8)
    assert hinges.knots.tolist() == [0.0, 1.0, 2.5]
    assert set(hinges.tops.tolist()) == {3.0}


def test_a_grid_ends_a_quarter_of_it_after_the_best_lambda(monkeypatch):
    problem = hinged(bent(80, noise=1.0))
    options = Options(n_lambdas=30, inner_folds=2)
    found = cross_validate(whole_inputs(problem), problem, options, lambda_min_ratio=1e-2).curve
    assert len(found.path) == found.index_best + 1 + 8 < 30
    monkeypatch.setattr(linear, "_PATIENCE", 1.0)
    whole = cross_validate(whole_inputs(problem), problem, options, lambda_min_ratio=1e-2).curve
    assert (len(whole.path), whole.index_best) == (30, found.index_best)
    np.testing.assert_allclose(found.path.coefs, whole.path.coefs[: len(found.path)], atol=1e-3)


@pytest.mark.parametrize("n_lambdas", [1, 2])
def test_the_shortest_grids_are_taken_whole(n_lambdas):
    problem = hinged(bent(80))
    found = cross_validate(whole_inputs(problem), problem, Options(n_lambdas=n_lambdas, inner_folds=2)).curve
    assert len(found.path) == n_lambdas

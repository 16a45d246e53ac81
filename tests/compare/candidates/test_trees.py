"""The reference: its depth and number of trees are those that the inner folds choose, and no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from shrinkwise.compare.candidates import trees
from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.trees import tune_trees
from shrinkwise.compare.metrics import row_losses
from shrinkwise.compare.options import Options
from shrinkwise.selection import Rows

OPTIONS = Options(inner_folds=3)
FEW = replace(OPTIONS, most_trees=3)  # so that every number of them can be fitted from nothing; no fold stops before


def made(task: str, n: int = 150, weights: bool = False) -> TrainingRows:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 4))
    signal = X[:, 0] * X[:, 1] + 0.5 * rng.normal(size=n)
    y = signal if task == "regression" else np.digitize(signal, [-0.5, 0.5])
    rows = Rows(weights=rng.integers(1, 4, n).astype(float)) if weights else Rows()
    return TrainingRows(X, y, task, 0 if task == "regression" else 3, seed=1, rows=rows)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
@pytest.mark.parametrize("weights", [False, True])
def test_the_choice_has_the_lowest_loss_of_all_fitted_from_nothing(task, weights):
    """Every (depth, number of trees) is fitted on every fold by scikit-learn alone, without stopping."""
    problem = made(task, weights=weights)
    estimator = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    w = np.ones(len(problem.y)) if problem.rows.weights is None else problem.rows.weights

    def model(depth, n_trees):
        return estimator(max_depth=depth, max_iter=n_trees, early_stopping=False, random_state=problem.seed)

    def loss(depth, n_trees):
        total = 0.0
        for train, test in problem.folds(3):
            fitted = model(depth, n_trees).fit(problem.X[train], problem.y[train], w[train])
            output = fitted.predict(problem.X[test]) if task == "regression" else fitted.predict_proba(problem.X[test])
            total += w[test] @ row_losses(task, problem.y[test], output)
        return total / w.sum()

    losses = {(depth, n): loss(depth, n) for depth in trees.DEPTHS for n in range(1, 4)}
    halved = 2 if task == "regression" else 1  # scikit-learn's curve is of half the squared error
    for depth in trees.DEPTHS:
        curve = trees._curve(problem, problem.X, problem.folds(3), depth, 3)
        np.testing.assert_allclose(halved * curve[1:], [losses[depth, n] for n in range(1, 4)], rtol=1e-9)
    fit = tune_trees(problem, FEW).best
    chosen = (fit.settings["depth"], fit.settings["trees"])
    assert losses[chosen] == pytest.approx(min(losses.values()), rel=1e-9)
    again = model(*chosen).fit(problem.X, problem.y, w)
    expected = again.predict(problem.X) if task == "regression" else again.predict_proba(problem.X)
    np.testing.assert_allclose(fit.predictor.output(problem.X), expected, rtol=1e-9)


def test_noise_alone_takes_few_trees_and_a_clear_signal_many():
    noise = made("regression")
    noise = replace(noise, y=np.random.default_rng(0).normal(size=len(noise.y)))
    clear = replace(noise, y=np.sin(3 * noise.X[:, 0]) + noise.X[:, 1])
    assert tune_trees(noise, OPTIONS).best.settings["trees"] <= 10
    assert tune_trees(clear, OPTIONS).best.settings["trees"] >= 50


def test_the_end_of_the_grid_is_said():
    clear = made("regression")
    clear = replace(clear, y=np.sin(3 * clear.X[:, 0]))
    assert tune_trees(clear, FEW).best.note == "the largest number of trees tried, 3, was chosen"
    noise = replace(clear, y=np.random.default_rng(0).normal(size=len(clear.y)))
    assert tune_trees(noise, FEW).best.note == ""


@pytest.mark.parametrize("present", [[2, 2, 2], [0, 2, 2], [0, 1, 1], [1, 1, 1]])
def test_a_class_that_no_training_row_has_gets_no_probability(present):
    problem = made("multiclass")
    lacking = replace(problem, y=np.array(present)[problem.y])
    output = tune_trees(lacking, FEW).best.predictor.output(problem.X)
    assert output.shape == (150, 3)
    np.testing.assert_allclose(output.sum(axis=1), 1.0)
    np.testing.assert_array_equal(np.delete(output, present, axis=1), 0.0)


def test_a_class_of_one_row_is_missing_from_a_fold_and_costs_no_error(monkeypatch):
    problem = made("multiclass")
    rare = replace(problem, y=np.where(np.arange(150) == 7, 2, np.minimum(problem.y, 1)))
    rows = np.arange(150)
    splits = [(np.delete(rows, rows[i::3]), rows[i::3]) for i in range(3)]
    monkeypatch.setattr(TrainingRows, "folds", lambda self, n: splits)
    assert np.isfinite(tune_trees(rare, FEW).best.predictor.output(rare.X)).all()


def test_where_folds_hold_out_many_rows_the_last_alone_is_used(monkeypatch):
    problem = made("regression")
    assert len(trees._splits(problem, problem.X, FEW)) == 3
    monkeypatch.setattr(trees, "_MANY_ROWS", 50)
    ((train, test),) = trees._splits(problem, problem.X, FEW)
    np.testing.assert_array_equal(test, problem.folds(3)[-1][1])
    assert not set(train) & set(test)


def test_a_run_of_rows_is_a_sample_only_where_rows_are_shuffled(monkeypatch):
    """Wide tables of few inputs are not dealt at random: sorted by the target, a first tenth says nothing of the others."""
    problem = made("regression")
    monkeypatch.setattr(trees, "_MANY_VALUES", 0)
    assert len(trees._splits(problem, problem.X, FEW)) == 3
    ((train, test),) = trees._splits(replace(problem, shuffled=True), problem.X, FEW)
    assert np.shares_memory(problem.X[train], problem.X)
    assert np.shares_memory(problem.X[test], problem.X)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_trees_fitted_once_are_those_of_nine_tenths_of_the_rows(task):
    problem = made(task, weights=True)
    fit = tune_trees(problem, replace(FEW, trees_fitted_once=True)).best
    train, _ = problem.folds(10)[-1]
    estimator = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    model = estimator(max_iter=fit.settings["trees"], early_stopping=False, random_state=problem.seed)
    model.fit(problem.X[train], problem.y[train], problem.rows.weights[train])
    expected = model.predict(problem.X) if task == "regression" else model.predict_proba(problem.X)
    np.testing.assert_allclose(fit.predictor.output(problem.X), expected, rtol=1e-9)
    assert fit.settings["depth"] is None


def test_trees_fitted_once_stop_when_the_held_out_loss_no_longer_falls():
    noise = made("regression", n=400)
    noise = replace(noise, y=np.random.default_rng(0).normal(size=len(noise.y)))
    once = replace(OPTIONS, most_trees=100, trees_fitted_once=True)
    assert tune_trees(noise, once).best.settings["trees"] <= 25
    clear = replace(noise, y=np.sin(3 * noise.X[:, 0]) + noise.X[:, 1])
    assert tune_trees(clear, once).best.note == "the largest number of trees tried, 100, was chosen"


def test_rows_without_weights_get_none(monkeypatch):
    """Weights of 1 give the same trees in up to four times the time, in which scikit-learn finds weighted bins."""
    given, real = [], HistGradientBoostingRegressor.fit

    def fit(self, X, y, sample_weight=None, **held):
        given.extend((sample_weight, held.get("sample_weight_val")))
        return real(self, X, y, sample_weight, **held)

    monkeypatch.setattr(HistGradientBoostingRegressor, "fit", fit)
    tune_trees(made("regression"), FEW)
    assert given
    assert all(weights is None for weights in given)


def test_few_rows_have_one_depth(monkeypatch):
    rng, tried = np.random.default_rng(0), []
    monkeypatch.setattr(trees, "_curve", lambda problem, X, splits, depth, most: tried.append(depth) or np.arange(3.0))
    for n, depths in ((319, [3]), (320, [3, None])):
        tried.clear()
        trees.tune_trees(TrainingRows(rng.normal(size=(n, 2)), rng.normal(size=n), "regression", 0, seed=0), Options())
        assert tried == depths

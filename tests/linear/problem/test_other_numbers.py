"""Values that NumPy turns into real numbers in silence, and names that a penalty cannot match."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise import linear
from shrinkwise.linear import path, stability_selection

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = X[:, 0] + RNG.normal(size=30)
FRAME = pd.DataFrame(X, columns=list("abc"))
DAYS = pd.date_range("2000", periods=30)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (X + 0j, "complex"),
        ((X + 0j).tolist(), "complex"),
        (np.ma.masked_greater(X, 1.0), "masked"),
        (FRAME.assign(a=DAYS), "dates"),
        (FRAME.assign(a=DAYS - DAYS[0]), "durations"),
        (pl.DataFrame(X).with_columns(pl.Series("column_0", DAYS)), "dates"),
    ],
)
def test_complex_numbers_times_and_masked_entries_are_refused(wrong, what):
    with pytest.raises(ValueError, match=rf"Expected X .*{what}"):
        path(wrong, Y, sw.L1(1.0))
    if not isinstance(wrong, list):
        with pytest.raises(ValueError, match=rf"Expected X .*{what}"):
            sw.PenalizedRegressor(sw.L1(0.1)).fit(wrong, Y)


@pytest.mark.parametrize("wrong", [Y + 0j, pd.Series(DAYS), pl.Series(DAYS - DAYS[0]), np.ma.masked_greater(Y, 1.0)])
def test_in_the_target_too(wrong):
    for fit in (lambda: path(X, wrong, sw.L1(1.0)), lambda: sw.PenalizedRegressor(sw.L1(0.1)).fit(X, wrong)):
        with pytest.raises(ValueError, match="Expected y"):
            fit()


def test_an_array_without_masked_entries_is_read():
    assert path(np.ma.masked_array(X), Y, sw.L1(1.0), n_lambdas=2).solved.all()


@pytest.mark.parametrize(
    "make",
    [
        lambda values: sw.L1(0.1, weights=values),
        lambda values: sw.Box(values, np.inf),
        lambda values: sw.Box(-np.inf, values),
        lambda values: sw.GroupLasso(0.1, values.astype(int)),
    ],
)
def test_a_penalty_refuses_labels_that_it_cannot_match(make):
    with pytest.raises(ValueError, match="labels such as 'c'"):
        make(pd.Series([1.0, 2.0, 3.0], index=["c", "b", "a"]))
    make(pd.Series([1.0, 2.0, 3.0]))


def test_half_samples_need_two_rows_of_a_class():
    with pytest.raises(ValueError, match="single row"):
        stability_selection(X, np.arange(30) == 3, sw.L1(0.1), loss="logistic", pairs=2)


def test_the_square_root_loss_refuses_penalties_that_do_not_scale():
    """The residual times MCP is no MCP with a larger λ."""
    with pytest.raises(ValueError, match="convex penalties"):
        path(X, Y, sw.MCP(1.0), loss="square_root")
    assert path(X, Y, sw.TopK(2), loss="square_root", lambdas=[1.0]).solved.all()


@pytest.mark.parametrize(
    "fit",
    [
        lambda: linear.Lasso(fit_intercept="no").fit(X, Y),
        lambda: linear.Lasso(positive="no").fit(X, Y),
        lambda: linear.LassoCV(selection="wild", cv=3).fit(X, Y),
        lambda: linear.ElasticNet(precompute="wild").fit(X, Y),
        lambda: linear.RidgeCV(gcv_mode="wild").fit(X, Y),
        lambda: linear.Ridge(solver="wild").fit(X, Y),
        lambda: linear.SparseLogisticRegression(solver="wild").fit(X, Y > 0),
        lambda: linear.SparseLogisticRegressionCV(solver="wild", cv=3).fit(X, Y > 0),
        lambda: linear.SparseLogisticRegression(class_weight="wild").fit(X, Y > 0),
        lambda: sw.PenalizedRegressor(standardize="no").fit(X, Y),
        lambda: sw.PenalizedRegressorCV(stability="no", cv=3).fit(X, Y),
        lambda: sw.PenalizedClassifier(fit_intercept=None).fit(X, Y > 0),
        lambda: path(X, Y, sw.L1(1.0), fit_intercept="no"),
    ],
)
def test_switches_are_true_or_false_and_choices_are_known(fit):
    """A text is true in Python, so that "no" would switch something on."""
    with pytest.raises(ValueError, match=r"to be (True or False|one of)"):
        fit()


@pytest.mark.parametrize("where", ["X", "y", "sample_weight", "offset"])
def test_whole_numbers_beyond_floats_are_refused(where):
    huge = [10**400] * len(Y)
    given = {"X": X, "y": Y} | {where: [huge] if where == "X" else huge}
    with pytest.raises(ValueError, match=f"Expected {where} to contain numbers"):
        path(given.pop("X"), given.pop("y"), sw.L1(1.0), **given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sw.L1(10**400),
        lambda: sw.L1(1.0).with_lam(10**400),
        lambda: sw.ElasticNet(1.0, 10**400),
        lambda: sw.MCP(1.0, 10**400),
        lambda: sw.L1Ball(10**400),
        lambda: linear.Lasso(alpha=10**400).fit(X, Y),
        lambda: linear.Lasso(tol=10**400).fit(X, Y),
    ],
)
def test_a_setting_beyond_floats_is_refused(make):
    with pytest.raises(ValueError, match="Expected"):
        make()


@pytest.mark.parametrize(
    "estimator", [linear.LassoCV, linear.RidgeCV, linear.SparseLogisticRegressionCV, sw.PenalizedRegressorCV]
)
def test_a_fold_without_rows_is_named(estimator):
    rows, y = np.arange(30), np.arange(30) % 2
    for name, bad in (("training", (rows[:0], rows)), ("test", (rows, rows[:0]))):
        with pytest.raises(ValueError, match=f"Fold 1 of cv has no {name} rows"):
            estimator(cv=[(rows[:15], rows[15:]), bad]).fit(X, y)
    weight = (rows < 15) * 1.0  # the second fold has weight 0 in all its training rows
    with pytest.raises(ValueError, match="Fold 1 of cv has no training rows"):
        estimator(cv=[(rows[:10], rows[10:]), (rows[15:], rows[:15])]).fit(X, y, sample_weight=weight)

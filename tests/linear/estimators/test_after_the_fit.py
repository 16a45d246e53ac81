"""What a fitted model tells: frames, names, a summary, measures of given rows, the cross-validation curve."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import metrics

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise.linear import path
from shrinkwise.linear.losses import Tweedie

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
Y = X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=80)
S = rng.uniform(0.5, 2.0, 80)
NAMES = ["age", "gap", "x", "height"]


@pytest.mark.parametrize(("backend", "kind"), [("polars", pl.DataFrame), ("pandas", pd.DataFrame)])
def test_a_path_is_a_frame_with_a_column_for_each_input(backend, kind):
    fitted = path(pd.DataFrame(X, columns=NAMES), Y, sw.L1(1.0), n_lambdas=7)
    frame = fitted.to_frame(backend)
    assert isinstance(frame, kind)
    assert list(frame.columns) == [
        "lambda", "n_nonzero", "deviance_explained", "gap", "solved", "intercept", "age", "gap_", "x", "height"
    ]  # fmt: skip
    np.testing.assert_array_equal(np.asarray(frame[["age", "gap_", "x", "height"]]), fitted.coefs)
    np.testing.assert_array_equal(np.asarray(frame["lambda"]), fitted.lambdas)


def test_a_path_of_several_classes_has_a_row_for_each_of_them():
    X3, y3 = random_problem(0, n=60, loss="multinomial")
    fitted = path(X3, y3, sw.L1(1.0), loss="multinomial", n_lambdas=4)
    frame = fitted.to_frame()
    assert frame["output"].to_list() == [0, 1, 2] * 4
    assert frame.row(7, named=True)["x2"] == fitted.coefs[2, 1, 2]
    assert frame.row(7, named=True)["intercept"] == fitted.intercepts[2, 1]
    with pytest.raises(ValueError, match="polars"):
        fitted.to_frame("excel")


def test_coefficients_have_names_and_the_summary_lists_the_largest_first():
    model = sw.PenalizedRegressorCV(sw.L1(1.0), cv=3, n_lambdas=20).fit(pl.DataFrame(X, schema=NAMES), Y)
    assert model.named_coefficients() == dict(zip(NAMES, model.coef_, strict=True))
    text = model.summary()
    assert text.index(" gap ") < text.index(" age ")
    assert f"{np.count_nonzero(model.coef_)} of 4 coefficients are not zero" in text
    assert f"λ = {model.lambda_:.4g}, within one standard error" in text
    assert model.status_ in text
    classes = sw.PenalizedClassifier(sw.L2(0.1)).fit(X, np.arange(80) % 3)
    assert list(classes.named_coefficients()) == [0, 1, 2]
    assert classes.named_coefficients()[2]["x1"] == classes.coef_[2, 1]
    assert "for 2" in classes.summary()


@pytest.mark.parametrize(
    ("loss", "deviance"),
    [
        ("squared", metrics.mean_squared_error),
        ("poisson", metrics.mean_poisson_deviance),
        ("gamma", metrics.mean_gamma_deviance),
        (Tweedie(1.5), lambda *a, **k: metrics.mean_tweedie_deviance(*a, power=1.5, **k)),
    ],
)
def test_the_deviance_is_scikit_learns(loss, deviance):
    y = Y if loss == "squared" else np.exp(Y / 3) + (loss == "gamma")
    model = sw.PenalizedRegressor(sw.L1(0.05), loss=loss).fit(X, y, S)
    found = model.assess(X, y, S)
    assert found.deviance == pytest.approx(deviance(y, model.predict(X), sample_weight=S), rel=1e-9)
    null = np.full(80, np.average(y, weights=S))
    assert found.deviance_explained == pytest.approx(1 - found.deviance / deviance(y, null, sample_weight=S), rel=1e-6)
    assert found.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(y, model.predict(X), sample_weight=S))
    assert "deviance explained" in str(found)


def test_classes_are_assessed_at_the_stated_threshold():
    y = np.where(Y > 0, "yes", "no")
    model = sw.PenalizedClassifier(sw.L1(0.02)).fit(X, y, S)
    found, p = model.assess(X, y, S, threshold=0.3), model.predict_proba(X)[:, 1]
    assert found.deviance == pytest.approx(2 * metrics.log_loss(y, p, sample_weight=S), rel=1e-9)
    assert found.auc == pytest.approx(metrics.roc_auc_score(y, p, sample_weight=S))
    np.testing.assert_allclose(
        found.confusion, metrics.confusion_matrix(y, np.where(p >= 0.3, "yes", "no"), sample_weight=S)
    )
    assert "yes predicted at 0.3 or more" in str(found)
    assert model.assess(X, y).accuracy == model.score(X, y)
    with pytest.raises(ValueError, match="classes of the fit"):
        model.assess(X, np.where(Y > 0, "maybe", "no"))


def test_several_classes_are_assessed_without_a_threshold():
    X3, y3 = random_problem(0, n=60, loss="multinomial")
    model = sw.PenalizedClassifier(sw.L1(0.02)).fit(X3, y3)
    found = model.assess(X3, y3)
    assert found.deviance == pytest.approx(2 * metrics.log_loss(y3, model.predict_proba(X3)), rel=1e-9)
    assert found.accuracy == model.score(X3, y3)
    assert found.auc is None
    with pytest.raises(ValueError, match="two classes"):
        model.assess(X3, y3, threshold=0.5)


def test_the_cross_validation_curve_is_drawn():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    model = sw.PenalizedRegressorCV(sw.L1(1.0), cv=3, n_lambdas=20, scoring="r2").fit(X, Y)
    ax = model.plot()
    curve = next(line for line in ax.lines if len(line.get_xdata()) == 20)
    np.testing.assert_array_equal(curve.get_ydata(), model.cv_mean_)
    assert sorted(line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2) == sorted(
        [model.lambda_best_, model.lambda_1se_]
    )
    assert ax.get_ylabel() == "minus the held-out score (r2)"
    matplotlib.pyplot.close("all")

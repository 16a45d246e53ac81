"""Large tables of numbers: fits from triangular factors are those of the rows, and rows are copied only when needed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shrinkwise.compare.candidates import linear
from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.comparison import compare_table
from shrinkwise.compare.options import Options
from shrinkwise.compare.splits import splits as module
from shrinkwise.compare.splits.splits import split_table
from shrinkwise.tables import Encoder, plan_table

N, QUICK = 6000, Options(network=None, n_lambdas=12, n_jobs=1, stability_pairs=4)
RNG = np.random.default_rng(0)


@pytest.fixture
def frame(monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 0)
    a, b, c = RNG.normal(size=(3, N)) * [[1], [30], [0.01]] + [[0], [2000], [5]]
    return pl.DataFrame({"a": a, "b": b, "c": c, "y": a + 0.05 * b + 40 * c + RNG.normal(size=N) - 300})


def split_of(frame, options=QUICK, number=1, **wishes):
    splits = split_table(frame, plan_table(frame, "y", **wishes), options)
    return splits, splits[number]


@pytest.mark.parametrize(
    "candidate", [linear.NONE, linear.RIDGE, linear.LASSO, linear.ELASTIC_NET, linear.CONCAVE], ids=lambda c: c.slug
)
def test_fits_are_those_of_the_rows(frame, monkeypatch, candidate):
    splits, split = split_of(frame)
    inner = splits.table.inner[np.random.default_rng([0, 1]).permutation(splits.folds[1][0])]
    folds = [(np.flatnonzero(inner != k), np.flatnonzero(inner == k)) for k in range(5)]
    monkeypatch.setattr(TrainingRows, "folds", lambda *_: folds)
    found = candidate.tune(split.problem, QUICK).choices()
    expected = candidate.tune(split.problem.with_rows(), QUICK).choices()
    X = split.problem.with_rows().X
    for choice, fit in found.items():
        assert fit.settings == pytest.approx(expected[choice].settings, rel=1e-8)
        np.testing.assert_allclose(fit.predictor.output(X), expected[choice].predictor.output(X), rtol=1e-5)
        np.testing.assert_allclose(fit.predictor.output(split.X_test), fit.predictor.output(split.X_test[:]), rtol=1e-9)


def test_a_fold_is_standardised_by_its_training_rows(frame):
    splits, split = split_of(frame)
    train, test = splits.folds[1]
    expected = Encoder(splits.plan).fit(frame, train)
    X = split.problem.with_rows().X
    np.testing.assert_allclose([X.mean(axis=0), X.std(axis=0)], [[0] * 3, [1] * 3], atol=1e-9)
    np.testing.assert_allclose(split.X_test.toarray(), expected.transform(frame, test), rtol=1e-7, atol=1e-9)


def test_the_comparison_is_close_to_that_by_rows(frame, monkeypatch):
    plan = plan_table(frame, "y")
    methods = ("ridge", "lasso", "additive-lasso")  # the last needs the rows
    options = Options(network=None, n_lambdas=5, n_jobs=1, stability_pairs=4, methods=methods, folds=2, inner_folds=2)
    tall = compare_table(frame, plan, options)
    monkeypatch.setattr(module, "_LARGE", 1 << 40)
    by_rows = compare_table(frame, plan_table(frame, "y"), options)
    for one, other in zip(tall.rows, by_rows.rows, strict=True):
        assert one.best.score == pytest.approx(other.best.score, rel=5e-3)
    np.testing.assert_allclose(tall.model.predict(frame), by_rows.model.predict(frame), atol=0.2)
    assert tall.stable.selected.shape == (8, 3)
    assert tall.stable.selected.all()


def test_a_target_on_a_log_scale(frame):
    y = np.exp(frame["y"].to_numpy() / 8)
    frame = frame.with_columns(y=pl.Series(y))
    plan = plan_table(frame, "y")
    plan.log_target = True
    splits = split_table(frame, plan, QUICK)
    found = linear.RIDGE.tune(splits[1].problem.fitted, QUICK).best.predictor.output(splits[1].X_test)
    assert np.corrcoef(found, np.log(splits[1].y_test))[0, 1] > 0.8
    assert np.abs(found - np.log(splits[1].y_test)).mean() < 0.2


@pytest.mark.parametrize("wish", [{"group": "g"}, {"time": "g"}, {"weight": "g"}, {"category": ("g",)}, "gap", "few"])
def test_other_tables_are_encoded_by_fold(frame, wish):
    frame = frame.with_columns(g=pl.Series(RNG.integers(1, 50, N)))
    if isinstance(wish, str):
        frame = frame.head(900) if wish == "few" else frame.with_columns(a=frame["a"].set(frame["g"] < 3, None))
        wish = {}
    splits, split = split_of(frame, **wish)
    assert not splits.tall
    assert split.problem.factors is None

"""With `patience` the grid of λ ends where the cross-validation curve has turned."""

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.linear.estimators.samples import Samples
from shrinkwise.linear.estimators.validation import folds
from shrinkwise.linear.estimators.validation.curve import turned

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 30))
ETA = X[:, 0] - 0.5 * X[:, 1]
NUMBERS = ETA + rng.normal(size=120)
CLASSES = np.where(ETA + rng.logistic(size=120) > 0, "yes", "no")
COUNTS = rng.poisson(np.exp(0.5 * ETA)).astype(float)


def _models(**settings):
    settings["n_lambdas"] = 40
    return {
        "numbers": (sw.PenalizedRegressorCV(sw.L1(1.0), cv=4, **settings), NUMBERS),
        "groups": (sw.PenalizedRegressorCV(sw.GroupLasso(1.0, np.arange(30) // 3), cv=4, **settings), NUMBERS),
        "counts": (sw.PenalizedRegressorCV(sw.L1(1.0), loss="poisson", cv=4, **settings), COUNTS),
        "classes": (sw.PenalizedClassifierCV(sw.ElasticNet(1.0, 0.5), cv=4, **settings), CLASSES),
        "relaxed": (sw.PenalizedClassifierCV(sw.L1(1.0), cv=4, relaxed=[0.5, 1.0], **settings), CLASSES),
        "scored": (sw.PenalizedClassifierCV(sw.L1(1.0), cv=4, scoring="roc_auc", **settings), CLASSES),
    }


@pytest.mark.parametrize("name", _models())
def test_the_grid_ends_where_the_loss_has_not_fallen_for_so_many_lambdas(name):
    fits = [
        model.fit(X, y) for model, y in (_models(**asked)[name] for asked in ({}, {"patience": 6}, {"patience": 1000}))
    ]
    whole, short, never = fits
    for long, cut in zip(whole.curves_, short.curves_, strict=True):
        last = min(len(cut.path) - 1, len(long.path) - 1)
        np.testing.assert_allclose(cut.losses, long.losses[: last + 1], rtol=1e-9)
    waited = min(len(curve.path) - 1 - curve.index_best for curve in short.curves_)
    assert waited == 6, "one blend has waited for 6 λ, the others for longer"
    assert short.lambda_best_ == whole.lambda_best_
    np.testing.assert_array_equal(short.lambdas_, whole.lambdas_[: len(short.lambdas_)])
    np.testing.assert_allclose(short.coef_, whole.coef_, rtol=1e-6, atol=1e-9)
    assert len(never.lambdas_) == len(whole.lambdas_)


@pytest.mark.parametrize("name", ["numbers", "classes"])
def test_the_number_of_processes_changes_nothing(name):
    alone, beside = (model.fit(X, y) for model, y in (_models(patience=12, n_jobs=jobs)[name] for jobs in (None, 2)))
    np.testing.assert_allclose(alone.cv_losses_, beside.cv_losses_, rtol=1e-9)


def test_no_smaller_lambda_is_solved(monkeypatch):
    solved, real = [], folds.paths_along

    def counted(*args, **asked):
        for part in real(*args, **asked):
            solved.append(len(part))
            yield part

    monkeypatch.setattr(folds, "paths_along", counted)
    model = sw.PenalizedClassifierCV(sw.L1(1.0), cv=4, patience=12).fit(X, CLASSES)
    assert 4 * len(model.lambdas_) <= sum(solved) < 4 * (len(model.lambdas_) + 4)
    assert len(model.lambdas_) < 80


def test_held_out_rows_are_copied_once_and_not_at_every_lambda(monkeypatch):
    taken = []
    take = Samples.take
    monkeypatch.setattr(Samples, "take", lambda self, rows: taken.append(len(rows)) or take(self, rows))
    model, y = _models(patience=1000)["classes"]
    model.fit(X, y)
    assert sorted(taken) == [30] * 4 + [90] * 4


def test_a_loss_that_joins_rows_copies_no_rows_to_be_scored(monkeypatch):
    taken = []
    take = Samples.take
    monkeypatch.setattr(Samples, "take", lambda self, rows: taken.append(len(rows)) or take(self, rows))
    times = np.column_stack([np.exp(-ETA) * rng.exponential(size=120), rng.random(120) < 0.8])
    sw.PenalizedCoxCV(sw.L1(1.0), cv=4, n_lambdas=10).fit(X, times)
    assert taken == [90] * 4


def test_a_curve_has_turned_where_no_mean_has_fallen():
    losses = np.array([[5.0, 4.0, 4.5, 4.4, 3.9, 4.0, 4.0, 4.0]])
    assert turned(losses[..., None], 3) == 8
    assert turned(losses[..., None], 2) == 4
    assert turned(losses[..., None], 4) is None
    assert turned(losses[..., None], None) is None
    falling = np.vstack([losses, np.linspace(9, 1, 8)])
    assert turned(falling[..., None], 2) is None, "another blend still falls"
    assert turned(np.full((1, 8, 1), np.nan), 3) == 4


def test_rows_in_blocks_end_the_grid_too():
    columns = {f"x{j}": X[:, j] for j in range(5)} | {"y": NUMBERS}
    source = sw.rows(pl.DataFrame(columns), target="y")
    whole, short = (sw.PenalizedRegressorCV(sw.L1(1.0), cv=4, patience=patience).fit(source) for patience in (None, 12))
    assert len(short.lambdas_) == short.index_best_ + 13 < len(whole.lambdas_)
    assert short.index_best_ == whole.index_best_


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "ten"])
def test_patience_is_a_number_of_lambdas(bad):
    with pytest.raises(ValueError, match="patience"):
        sw.PenalizedRegressorCV(sw.L1(1.0), patience=bad).fit(X, NUMBERS)

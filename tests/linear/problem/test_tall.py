"""Losses other than squared on many rows: X is read where it lies, in blocks, and folds share it."""

from __future__ import annotations

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear import PenalizedClassifierCV, PenalizedRegressorCV
from shrinkwise.linear.estimators import cross_validation as cv_module
from shrinkwise.linear.problem import working_columns as columns_module
from shrinkwise.linear.problem.design import Design

PENALTIES = {
    "lasso": sw.L1(1.0),
    "ridge": sw.L2(1.0),
    "free columns": sw.L1(1.0, weights=[0, 1, 1, 1, 1, 1]),
    "groups": sw.GroupLasso(1.0, [0, 0, 1, 1, 2, 2]),
    "MCP": sw.MCP(1.0, gamma=12.0),
}


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(columns_module, "_MANY", 0)
    monkeypatch.setattr(columns_module, "_BLOCK", 1)
    return monkeypatch


@pytest.fixture
def rows():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(600, 6)) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6))) + 5.0
    score = X @ [1, -1, 0, 0.5, 0, 0] - 2.5 + 0.5 * rng.normal(size=600)
    return X, score, rng.integers(0, 3, 600).astype(float)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", ["two classes", "three classes", "counts"])
@pytest.mark.parametrize("name", PENALTIES)
def test_the_same_as_with_copies(rows, request, name, target, weighted):
    X, score, s = rows
    settings = {"n_lambdas": 6, "lambda_min_ratio": 0.05, "tol": 1e-9, "cv": 3, "random_state": 0}
    if target == "counts":
        y = np.random.default_rng(0).poisson(np.exp(np.clip(score, -3, 2)))
        model = PenalizedRegressorCV(PENALTIES[name], loss="poisson", **settings)
    else:
        y = np.digitize(score, [0.0] if target == "two classes" else [-0.7, 0.7])
        model = PenalizedClassifierCV(PENALTIES[name], **settings)
    if name == "MCP" and target != "two classes":
        pytest.skip("a concave penalty may end in another local minimum")
    weights = s if weighted else None
    plain = model.fit(X, y, weights)
    expected, losses = plain.path_.coefs.copy(), plain.cv_losses_.copy()
    request.getfixturevalue("always")
    model.fit(X, y, weights)
    np.testing.assert_allclose(model.cv_losses_, losses, rtol=2e-5)
    found = model.path_.coefs
    if name == "free columns" and target == "three classes":  # softmax does not see what all classes share
        found, expected = (w - w.mean(axis=1, keepdims=True) for w in (found, expected))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert model.path_.solved.all()


def test_no_copy_of_the_rows_is_made(rows, always):
    X, score, _ = rows
    model = PenalizedClassifierCV(sw.L1(1.0), n_lambdas=5, cv=3)
    take = cv_module.Samples.take

    def few(self, index):
        assert len(index) <= 200, "a training part was copied"
        return take(self, index)

    always.setattr(cv_module.Samples, "take", few)
    always.setattr(columns_module, "DenseColumns", lambda *_: pytest.fail("the columns were copied"))
    model.fit(X, (score > 0).astype(int))


def test_rows_that_a_fold_has_twice_count_twice(rows, always):
    X, score, _ = rows
    y = (score > 0).astype(int)
    folds = [(np.concatenate([np.arange(400), np.arange(100)]), np.arange(400, 600))]
    tall = PenalizedClassifierCV(sw.L2(1.0), n_lambdas=4, cv=folds, select="best").fit(X, y)
    always.setattr(columns_module, "_MANY", 10**9)
    copied = PenalizedClassifierCV(sw.L2(1.0), n_lambdas=4, cv=folds, select="best").fit(X, y)
    np.testing.assert_allclose(tall.cv_losses_, copied.cv_losses_, rtol=1e-6)


@pytest.mark.parametrize("far", [0.0, 1e7])
@pytest.mark.parametrize("order", ["C", "F"])
def test_products_are_those_of_the_centred_columns(rows, always, order, far):
    X, _, s = rows
    X = np.asarray(X + far, order=order)  # of columns this far from 0, products with X itself would lose seven digits
    design = Design(np.asarray(X, order=order), s / s.mean(), True)
    tall, dense = columns_module.TallColumns(design), columns_module.DenseColumns(design)
    rng = np.random.default_rng(0)
    for found in (tall, dense):
        found.add(np.array([0, 2, 3, 5, 1]))
        found.promote(np.array([5, 0, 3]))
    v, d, weights = rng.normal(size=(600, 2)), rng.normal(size=(2, 3)), rng.random((3, 600))
    np.testing.assert_allclose(tall.times(d), dense.times(d), rtol=1e-10)
    np.testing.assert_allclose(tall.transposed(v, 5, 1), dense.transposed(v, 5, 1), rtol=1e-9)
    left, right = np.array([2, 0]), np.array([1, 0, 2])
    for a, b in zip(
        tall.gram(left, [right, left], weights[:2], np.float64),
        dense.gram(left, [right, left], weights[:2], np.float64),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    np.testing.assert_allclose(tall.sums(left, weights.T), dense.sums(left, weights.T), rtol=1e-9)

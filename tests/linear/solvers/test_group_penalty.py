"""Groups with losses of curvature: which groups a gradient moves, and paths on working columns beside those on all columns."""

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear import path
from shrinkwise.linear.losses import LOSSES, survival
from shrinkwise.linear.solvers.quadratic.group_penalty import GroupPenalty
from shrinkwise.linear.solvers.quadratic.inner import GroupInner
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty

N, P = 60, 96
LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(32), 3))  # no group lies together
LABELS[LABELS == 31] = -1  # and some columns are in none
FACTORS = np.where(np.arange(31) == 4, 0.0, 1.0 + np.arange(31) % 3)
PENALTIES = {
    "group": sw.GroupLasso(1.0, LABELS),
    "factors": sw.GroupLasso(1.0, LABELS, weights=FACTORS),
    "L2": sw.GroupLasso(1.0, LABELS) + sw.L2(0.3),
    "sparse group": sw.SparseGroupLasso(1.0, LABELS, 0.4),
    "sparse group by sum": sw.GroupLasso(0.5, LABELS) + sw.L1(0.5, weights=1.0 * (LABELS % 4 > 0)),
}
SETTINGS = {
    "plain": {},
    "weights, some zero": {"sample_weight": np.arange(N) % 4 / 2.0},
    "offset": {"offset": np.linspace(-1.0, 1.0, N)},
    "no intercept": {"fit_intercept": False},
    "standardize": {"standardize": True},
}


def design():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) + 0.3 * rng.normal(size=(N, 1))
    X[:, 8], X[:, 20], X[:, 31] = X[:, 3], 1.0, X[:, 1] + X[:, 2]
    return X, 0.5 * X @ np.where(rng.random(P) < 0.1, rng.normal(size=P), 0.0), rng


def target(loss):
    X, signal, rng = design()
    if loss == "multinomial":
        return X, np.argmax(np.outer(signal, [1.0, -0.5, 0.0]) + rng.gumbel(size=(N, 3)), axis=1)
    if loss == "cox":
        return X, survival(rng.exponential(np.exp(-signal)).round(1), rng.random(N) < 0.7)
    return X, 1.0 * (signal + rng.logistic(size=N) > 0) if loss == "logistic" else rng.poisson(np.exp(signal))


@pytest.mark.parametrize("l1", [0.0, 0.3])
def test_a_pull_of_one_is_where_the_group_starts_to_move(l1):
    rng = np.random.default_rng(1)
    g = rng.normal(size=P)
    inner = GroupInner.of(LABELS, 0.2 + rng.random(31), np.full(P, l1) * (LABELS % 3 > 0), np.zeros(P))
    pull, w = inner.pull(g), np.zeros(P)
    held = inner.thresholds[inner.blocks] + inner.l1 > 0
    assert np.array_equal(pull[held] > 1.0, inner.violation(w, g)[held] > 0)
    for j in np.flatnonzero(held):  # with strengths of that share it is just held
        share = GroupInner(inner.blocks, pull[j] * inner.thresholds, pull[j] * inner.l1, inner.ridge)
        assert share.violation(w, g)[j] <= 1e-9
        share = GroupInner(inner.blocks, 0.999 * pull[j] * inner.thresholds, 0.999 * pull[j] * inner.l1, inner.ridge)
        assert share.violation(w, g)[j] > 0
    assert not pull[~held].any()


@pytest.mark.parametrize("name", PENALTIES)
def test_values_and_violations_on_some_columns_are_those_on_all(name):
    rng = np.random.default_rng(2)
    inner = inner_penalty(PENALTIES[name], (P,))
    assert isinstance(inner, GroupPenalty)
    assert inner.screens
    ids = rng.permutation(np.flatnonzero(LABELS % 3 == 0))
    w, g = np.zeros((1, P)), rng.normal(size=(1, P))
    w[0, ids] = rng.normal(size=len(ids)) * (LABELS[ids] % 2)
    every = np.arange(P)
    assert inner.value(w[:, ids], ids) == pytest.approx(float(PENALTIES[name].value(w[0])), rel=1e-12)
    assert np.allclose(inner.violation(w[:, ids], g[:, ids], ids), inner.violation(w, g, every)[:, ids], rtol=1e-12)
    assert np.allclose(inner.pull(g[:, ids], ids), inner.pull(g, every)[:, ids], rtol=1e-12)


CURVED = ("logistic", "poisson", "multinomial", "cox")
EVERY = [(loss, name, settings) for loss in CURVED for name in PENALTIES for settings in SETTINGS]
# Each loss with each penalty as it is, and in one of the other settings in turn.
FEWER = [
    (loss, name, list(SETTINGS)[k])
    for i, loss in enumerate(CURVED)
    for j, name in enumerate(PENALTIES)
    for k in (0, 1 + (i + j) % 4)
]


@pytest.mark.parametrize(
    ("loss", "name", "settings"),
    [*FEWER, *(pytest.param(*each, marks=pytest.mark.thorough) for each in EVERY if each not in FEWER)],
)
def test_working_columns_end_where_all_columns_do(loss, name, settings, monkeypatch):
    X, y = target(loss)
    given = SETTINGS[settings]
    if loss in ("multinomial", "cox") and settings == "offset":
        pytest.skip("an offset of one number a row")
    if loss == "multinomial" and "sparse" in name:
        pytest.skip("solved on all columns")
    given = {**given, "loss": LOSSES[loss], "n_lambdas": 12, "lambda_min_ratio": 0.03, "tol": 1e-7}
    fitted = path(X, y, PENALTIES[name], **given)
    assert fitted.solved.all(), fitted.status
    assert np.nanmax(fitted.gaps) <= 1e-7
    everywhere = property(lambda self: False, lambda self, value: None)
    monkeypatch.setattr(GroupPenalty, "screens", everywhere, raising=False)
    every = path(X, y, PENALTIES[name], **given)
    assert np.allclose(fitted.objectives, every.objectives, rtol=0, atol=1e-6 * max(1.0, every.objectives[0]))

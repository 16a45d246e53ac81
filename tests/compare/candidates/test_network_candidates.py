from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.network import tune_plain
from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.options import NetworkOptions, Options

torch = pytest.importorskip("torch")

from shrinkwise.compare.candidates.stacked_networks import Setting, _batches, train_networks  # noqa: E402

OPTIONS = NetworkOptions(hidden=8, steps=150)


def train_network(problem, setting, options):
    return train_networks([problem], setting, options)[0]


@pytest.fixture(params=["regression", "multiclass"])
def problem(request):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    signal = 3 + 10 * X[:, 0]
    y = signal if request.param == "regression" else np.digitize(signal, [0, 6]).astype(float)
    return TrainingRows(X, y, request.param, 0 if request.param == "regression" else 3, seed=5)


def test_training_learns_is_repeatable_and_leaves_the_callers_random_state(problem):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, again = (train_network(problem, Setting(keep=0.8), OPTIONS) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(one.output(problem.X), again.output(problem.X))
    plain = train_network(problem, Setting(), OPTIONS).output(problem.X)
    if problem.task == "regression":
        assert np.corrcoef(plain, problem.y)[0, 1] > 0.95
    else:
        assert (plain.argmax(axis=1) == problem.y).mean() > 0.9


def test_every_setting_acts(problem):
    outputs = [
        train_network(problem, setting, OPTIONS).output(problem.X)
        for setting in (
            Setting(),
            Setting(lam=0.01),
            Setting(keep=0.5),
            Setting(keep=0.5, drops_inputs=True),
            Setting(keep=0.7),
        )
    ]
    for i, one in enumerate(outputs):
        assert all(np.abs(one - other).max() > 1e-6 for other in outputs[:i])


def test_l2_shrinks_the_weights_it_names(problem):
    def size(lam):
        weights = train_network(problem, Setting(lam=lam), OPTIONS).weights
        return np.square(weights[0]).sum()

    assert size(0.1) < size(0.01) < size(0.0)


def test_the_target_of_a_regression_may_have_any_unit(problem):
    if problem.task != "regression":
        pytest.skip("classes have no unit")
    one = train_network(problem, Setting(), OPTIONS).output(problem.X)
    scaled = train_network(replace(problem, y=1000 * problem.y + 7), Setting(), OPTIONS).output(problem.X)
    np.testing.assert_allclose(scaled, 1000 * one + 7, rtol=1e-3)


@pytest.mark.parametrize("setting", [Setting(), Setting(lam=0.01)])
def test_a_stack_trains_each_network_as_if_alone(problem, setting):
    """Three problems of equal size, each with its own rows: the same arrays as from three trainings."""
    rng = np.random.default_rng(2)
    parts = [
        replace(problem, X=problem.X[rows], y=problem.y[rows])
        for rows in rng.permuted(np.tile(np.arange(80), (3, 1)), axis=1)[:, :60]
    ]
    options = replace(OPTIONS, steps=25)
    for together, part in zip(train_networks(parts, setting, options), parts, strict=True):
        alone = train_network(part, setting, options)
        for ours, theirs in zip(together.weights, alone.weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def rows_of(n_rows: list[int], options) -> list:
    """For every batch and network the rows it takes; the features are the row's own number."""
    X = [torch.arange(n, dtype=torch.float32)[:, None] for n in n_rows]
    return [
        [set(rows[:, 0].int().tolist()) for rows in batch] for batch, _ in _batches(X, [x[:, 0] for x in X], options)
    ]


def test_batches_cover_all_rows_before_any_comes_again():
    torch.manual_seed(0)
    batches = rows_of([20, 20], NetworkOptions(steps=4, batch_size=10))
    for network in range(2):
        rows = [batch[network] for batch in batches]
        assert [len(r) for r in rows] == [10] * 4
        assert rows[0] | rows[1] == rows[2] | rows[3] == set(range(20))
    assert rows_of([10, 10], NetworkOptions(steps=2, batch_size=10)) == [[set(range(10))] * 2] * 2
    assert [len(r) for batch in rows_of([9, 7], NetworkOptions(steps=3)) for r in batch] == [7] * 6


def test_large_tables_are_passed_over_as_often_as_small_ones():
    network = NetworkOptions(steps=400, passes=20, batch_size=256)
    assert [network.steps_on(n) for n in (100, 5_120, 12_800, 10**6)] == [400, 400, 1000, 4000]


def test_the_kept_network_is_the_mean_of_its_starts_and_scores_no_worse_than_they_do(problem):
    """The mean is taken before the softmax; loss is convex there."""
    tuned = tune_plain(problem, Options(network=replace(OPTIONS, seeds=3)))
    predictor, starts = tuned.best.predictor, tuned.best.starts
    assert len(starts) == 3
    outputs = [start.output(problem.X) for start in starts]
    if problem.has_classes:
        scores = np.mean([np.log(output) for output in outputs], axis=0)
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    else:
        expected = np.mean(outputs, axis=0)
    np.testing.assert_allclose(predictor.output(problem.X), expected, rtol=1e-9)
    single = np.mean([held_out_score(problem.task, problem.y, output) for output in outputs])
    assert held_out_score(problem.task, problem.y, predictor.output(problem.X)) < single

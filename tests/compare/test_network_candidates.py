from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shrinkwise.compare.candidates import Problem
from shrinkwise.compare.options import NetworkOptions

torch = pytest.importorskip("torch")

from shrinkwise.compare.network_candidates import Setting, _batches, train_network  # noqa: E402

OPTIONS = NetworkOptions(hidden=8, steps=150)


@pytest.fixture(params=["regression", "multiclass"])
def problem(request):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    signal = 3 + 10 * X[:, 0]
    y = signal if request.param == "regression" else np.digitize(signal, [0, 6]).astype(float)
    return Problem(X, y, request.param, 0 if request.param == "regression" else 3, seed=5)


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


def test_batches_cover_all_rows_before_any_comes_again():
    options = NetworkOptions(steps=4, batch_size=10)
    torch.manual_seed(0)
    rows = [set(batch.tolist()) for batch in _batches(20, options)]
    assert [len(batch) for batch in rows] == [10] * 4
    assert rows[0] | rows[1] == rows[2] | rows[3] == set(range(20))
    assert [batch for batch in _batches(10, options)] == [slice(None)] * 4

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from shrinkwise.models.predictors import LinearPredictor, NetworkPredictor, Response, Usage, class_probabilities, usage

rng = np.random.default_rng(0)
X = rng.normal(size=(6, 3))


def test_linear_outputs():
    w, b = rng.normal(size=3), 0.7
    np.testing.assert_allclose(LinearPredictor(w, np.float64(b)).output(X), X @ w + b, rtol=1e-14)
    two = LinearPredictor(w[None], np.array([b])).output(X)
    np.testing.assert_allclose(two[:, 1], expit(X @ w + b), rtol=1e-13)
    W, c = rng.normal(size=(4, 3)), rng.normal(size=4)
    np.testing.assert_allclose(LinearPredictor(W, c).output(X), softmax(X @ W.T + c, axis=1), rtol=1e-13)


def test_probabilities_of_huge_scores_are_finite_and_sum_to_one():
    p = class_probabilities(np.array([[1e4, -1e4, 0.0], [-1e308, 1e308, 0.0]]) / 2)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)


@pytest.mark.parametrize("has_classes", [True, False])
def test_a_network_predicts_as_torch_does(has_classes):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2 if has_classes else 1)
    ).double()
    layers = [model[0], model[2]]
    ours = NetworkPredictor(
        [layer.weight.detach().numpy() for layer in layers],
        [layer.bias.detach().numpy() for layer in layers],
        has_classes,
    )
    with torch.no_grad():
        scores = model(torch.tensor(X))
    expected = scores.softmax(dim=1) if has_classes else scores[:, 0]
    np.testing.assert_allclose(ours.output(X), expected.numpy(), rtol=1e-12)


def test_usage_counts_table_inputs_and_exact_zeros():
    # features 0 and 1 encode input 0, feature 2 encodes input 1, feature 3 input 2
    linear = LinearPredictor(np.array([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 1e-300]]), np.zeros(2))
    assert usage(linear, [0, 0, 1, 2]) == Usage(inputs=2, zeros=5, weights=8)
    network = NetworkPredictor([np.array([[0.0, 3.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)], False)
    assert usage(network, [0, 1]) == Usage(inputs=1, zeros=1, weights=3)


def test_a_compact_network_has_no_idle_units_and_the_same_outputs():
    network = NetworkPredictor(
        [rng.normal(size=(6, 3)), rng.normal(size=(5, 6)), rng.normal(size=(2, 5))],
        [rng.normal(size=n) for n in (6, 5, 2)],
        True,
    )
    network.weights[0][[1, 4]] = 0.0  # constant: max(b, 0)
    network.biases[0][:] = [0.3, 1.5, -0.2, 0.4, -1.0, 0.1]
    network.weights[1][:, 2] = 0.0  # read by nothing
    network.weights[2][:, 3] = 0.0
    small = network.compact()
    assert [w.shape for w in small.weights] == [(3, 3), (4, 3), (2, 4)]
    np.testing.assert_allclose(small.output(X), network.output(X), rtol=1e-12)
    empty = NetworkPredictor([np.zeros((4, 3)), np.ones((1, 4))], [np.full(4, 0.5), np.zeros(1)], False)
    assert [w.shape for w in empty.compact().weights] == [(1, 3), (1, 1)]
    np.testing.assert_allclose(empty.compact().output(X), np.full(6, 2.0))


def test_the_smaller_network_keeps_how_it_responds_and_clips():
    rng = np.random.default_rng(0)
    limits = np.array([[-1.0] * 3, [1.0] * 3])
    network = NetworkPredictor(
        [rng.normal(size=(4, 3)), rng.normal(size=(1, 4))],
        [rng.normal(size=4), np.zeros(1)],
        False,
        Response(log=True, high=0.3),
        limits=limits,
    )
    network.weights[0][1] = 0.0
    X = 4 * rng.normal(size=(50, 3))
    np.testing.assert_allclose(network.compact().output(X), network.output(X), rtol=1e-12)
    assert network.output(X).max() == 0.3

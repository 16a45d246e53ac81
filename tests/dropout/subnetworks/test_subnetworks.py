"""Sub-networks: thinned models equal the masked ones, mixtures equal sums written by hand, the adaptive penalty its formula."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from shrinkwise import dropout as sd
from shrinkwise.dropout import count_subnetworks, dropout_penalty, ensemble, exact_ensemble, subnetworks, thinned
from shrinkwise.dropout.bits import apply_mask


def mlp(last=3, keep=0.5):
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Dropout(0.2), nn.Linear(6, 20), nn.Tanh(), sd.Dropout(keep=keep), nn.Linear(20, 9), nn.Sigmoid()),
        *(nn.Dropout(1 - keep), nn.Linear(9, last)),
    ).double()


@pytest.fixture
def x():
    return torch.randn(7, 6, generator=torch.Generator().manual_seed(1)).double()


def test_a_thinned_chain_is_smaller_and_computes_what_the_masks_do(x):
    model = mlp()
    state = copy.deepcopy(model.state_dict())
    small, masked = thinned(model, 5), thinned(model, 5, shrink=False)
    kept = [sd.keep_mask(n, keep=k, seed=5, stream=j) for j, (n, k) in enumerate([(6, 0.8), (20, 0.5), (9, 0.5)])]
    assert (small[1].out_features, small[4].in_features, small[4].out_features, small[7].in_features) == (
        *(int(kept[1].sum()),) * 2,
        *(int(kept[2].sum()),) * 2,
    )
    h = torch.tanh(model[1](x * kept[0] / 0.8)) * kept[1] / 0.5
    expected = model[7](torch.sigmoid(model[4](h)) * kept[2] / 0.5)
    torch.testing.assert_close(masked(x), expected)
    torch.testing.assert_close(small(x), expected)
    torch.testing.assert_close(small.train()(x), expected)  # always the same sub-network
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), state.values(), strict=True))
    assert not torch.equal(thinned(model, 6)(x), small(x))


def test_subnetworks_are_the_draws_of_successive_seeds(x):
    model = mlp()
    for k, network in enumerate(subnetworks(model, 3, seed=10)):
        assert torch.equal(network(x), thinned(model, 10 + k)(x))


def test_where_units_are_not_between_linear_layers_they_are_masked():
    conv = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(2 * 4 * 4, 3))
    x = torch.randn(5, 1, 6, 6)
    kept = sd.keep_mask((2, 4, 4), keep=0.5, seed=3)
    expected = conv[4](conv[3](apply_mask(conv[:2](x), kept, 0.5)))
    torch.testing.assert_close(thinned(conv, 3)(x), expected)
    assert isinstance(thinned(nn.Dropout(0.5), 1), nn.Module)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.noise, self.second = nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)

        def forward(self, x):
            return self.second(self.noise(self.first(x)))

    own, x = Own(), torch.randn(3, 4)
    kept = sd.keep_mask(8, keep=0.5, seed=2)
    torch.testing.assert_close(thinned(own, 2)(x), own.second(own.first(x) * kept * 2))


def test_what_is_no_choice_of_units_is_refused():
    with pytest.raises(TypeError, match=r"got 0 \(DropConnect\), 1 \(Dropout2d\)"):
        thinned(nn.Sequential(sd.DropConnect(nn.Linear(2, 2), keep=0.5), nn.Dropout2d(0.5)), 0)
    with pytest.raises(ValueError, match="found none"):
        thinned(nn.Linear(2, 2), 0)
    with pytest.warns(UserWarning, match="The dropout 0.2 inside LSTM 0 is off"):
        thinned(nn.Sequential(nn.LSTM(2, 2, 2, dropout=0.2), nn.Dropout(0.5)), 0)


def test_a_layer_in_two_places_draws_twice_and_one_that_is_called_twice_is_not_counted(x):
    shared = nn.Dropout(0.5)
    model = nn.Sequential(nn.Linear(6, 8), shared, nn.Linear(8, 8), shared, nn.Linear(8, 1)).double()
    apart = copy.deepcopy(model)
    apart[3] = nn.Dropout(0.5)
    assert torch.equal(thinned(model, 1)(x), thinned(apart, 1)(x))
    with pytest.raises(ValueError, match="1 is called again"):
        count_subnetworks(model, x)


def test_counting(x):
    assert count_subnetworks(mlp(), x) == 2**35
    assert count_subnetworks(nn.Sequential(nn.Linear(6, 4).double(), sd.Dropout(keep=1.0), nn.Dropout(0.3)), x) == 16


def small(last):
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 5),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(5, 3),
        nn.Tanh(),
        sd.Dropout(keep=0.7),
        nn.Linear(3, last),
    ).double()


def by_hand(model, x):
    """Logits of all sub-networks and their probabilities, written out."""
    first, second = sd.enumerate_subnetworks(5, keep=0.6), sd.enumerate_subnetworks(3, keep=0.7)
    logits, probabilities = [], []
    for a, p in zip(*first, strict=True):
        for b, q in zip(*second, strict=True):
            h = model[3](torch.relu(model[0](x)) * a / 0.6)
            logits.append(model[6](torch.tanh(h) * b / 0.7))
            probabilities.append(p * q)
    return torch.stack(logits), torch.stack(probabilities)


@pytest.mark.parametrize("last", [1, 4])
def test_the_exact_ensemble_is_the_sum_over_all_subnetworks(last, x):
    model = small(last)
    logits, weights = by_hand(model, x)
    p = torch.sigmoid(logits) if last == 1 else torch.softmax(logits, -1)
    close = {"atol": 1e-12, "rtol": 0}
    arithmetic = exact_ensemble(model, x, task="classification")
    torch.testing.assert_close(arithmetic, torch.tensordot(weights, p, 1), **close)
    geometric = exact_ensemble(model, x, task="classification", average="geometric")
    if last == 1:
        yes, no = (torch.exp(torch.tensordot(weights, q.log(), 1)) for q in (p, 1 - p))
        torch.testing.assert_close(geometric, yes / (yes + no), **close)
    else:
        products = torch.exp(torch.tensordot(weights, p.log(), 1))
        torch.testing.assert_close(geometric, products / products.sum(1, keepdim=True), **close)
    torch.testing.assert_close(
        exact_ensemble(model, x, task="regression"), torch.tensordot(weights, logits, 1), **close
    )


def test_mc_dropout_estimates_the_exact_ensemble(x):
    model, n = small(1), 4000
    found = sd.mc_predict(model, x, samples=n, task="classification", seed=0, max_rows=7 * n)
    exact = exact_ensemble(model, x, task="classification")
    assert ((found.mean - exact).abs() < 5 * (found.variance / n).sqrt()).all()


def test_one_dropout_before_a_softmax_the_geometric_mean_is_weight_scaling(x):
    model = nn.Sequential(sd.Dropout(keep=0.3), nn.Linear(6, 4)).double()
    geometric = exact_ensemble(model, x, task="classification", average="geometric")
    torch.testing.assert_close(geometric, torch.softmax(model.eval()(x), 1), atol=1e-12, rtol=0)


def test_ensemble_sentences(x):
    networks = lambda: subnetworks(mlp(), 3)  # noqa: E731
    with pytest.raises(ValueError, match="for a regression"):
        ensemble(networks(), x, task="regression", average="geometric")
    with pytest.raises(ValueError, match='average="arithmetic" or "geometric"'):
        ensemble(networks(), x, task="regression", average="median")
    with pytest.raises(ValueError, match=r"each of the 3 networks, got shape \(2,\)"):
        ensemble(networks(), x, task="regression", weights=[0.5, 0.5])
    weighted = ensemble(networks(), x, task="regression", weights=[1.0, 0.0, 0.0])
    torch.testing.assert_close(weighted, thinned(mlp(), 0)(x))


def linear(n_inputs, n_outputs, keep):
    return nn.Sequential(sd.Dropout(keep=keep), nn.Linear(n_inputs, n_outputs)).double()


@pytest.mark.parametrize("keep", [0.2, 0.8])
def test_for_squared_loss_the_penalty_is_what_dropout_adds_exactly(keep):
    # E[1/(2n) Σ‖y − f‖²] over all masks, minus the loss without dropout, for any y; and Wager's closed form.
    torch.manual_seed(1)
    model, x, y = linear(6, 2, keep), torch.randn(4, 6).double(), torch.randn(4, 2).double()
    masks, probabilities = sd.enumerate_subnetworks(6, keep=keep)
    losses = torch.stack([(y - model[1](apply_mask(x, m, keep))).square().sum() / 8 for m in masks])
    added = probabilities @ losses - (y - model[1](x)).square().sum() / 8
    penalty = dropout_penalty(model, x, loss="squared")
    torch.testing.assert_close(penalty, added, atol=1e-12, rtol=1e-12)
    closed = (1 - keep) / keep / 8 * ((x**2).sum(0) * model[1].weight ** 2).sum()
    torch.testing.assert_close(penalty, closed, atol=1e-12, rtol=1e-12)


def test_the_logistic_penalty_is_the_adaptive_ridge():
    model, x = linear(5, 1, 0.6), torch.randn(9, 5).double()
    p = torch.sigmoid(model.eval()(x))
    closed = 0.4 / 0.6 / (2 * 9) * (model[1].weight ** 2 * (p * (1 - p) * x**2).sum(0)).sum()
    torch.testing.assert_close(dropout_penalty(model, x, loss="logistic"), closed)


@pytest.mark.parametrize(("loss", "outputs"), [("logistic", 1), ("logistic", 3), ("softmax", 3)])
def test_the_penalty_is_the_second_order_of_what_dropout_adds(loss, outputs):
    # With keep near 1 the penalty is the first term of an expansion in (1 − keep)/keep·w²: the ratio tends to 1.
    torch.manual_seed(2)
    x = torch.randn(3, 8).double()
    ratios = []
    for size in (1.0, 0.3, 0.1):
        model = linear(8, outputs, 0.5)
        with torch.no_grad():
            model[1].weight.copy_(torch.linspace(-1, 1, 8 * outputs).view(outputs, 8) * size)
        masks, probabilities = sd.enumerate_subnetworks(8, keep=0.5)
        logits = torch.stack([model[1](apply_mask(x, m, 0.5)) for m in masks])
        # The part of the negative log-likelihood that the label does not enter linearly.
        part = (lambda z: nn.functional.softplus(z).sum(-1)) if loss == "logistic" else (lambda z: z.logsumexp(-1))
        added = (torch.tensordot(probabilities, part(logits), 1) - part(model[1](x))).mean()
        ratios.append((dropout_penalty(model, x, loss=loss) / added).item())
    assert abs(ratios[2] - 1) < abs(ratios[1] - 1) < abs(ratios[0] - 1)
    assert abs(ratios[2] - 1) < 0.02


def test_the_penalty_of_a_deep_network_is_that_of_its_linearisation_and_has_a_gradient(x):
    model = nn.Sequential(
        nn.Linear(6, 4), sd.Dropout(keep=0.5), nn.Linear(4, 3), nn.Dropout(0.25), nn.Linear(3, 2)
    ).double()
    w1, w2 = model[2].weight, model[4].weight
    a = model[0](x)
    b = model[2](a)
    closed = ((a**2) @ ((w2 @ w1) ** 2).T).sum() * 1.0 + ((b**2) @ (w2**2).T).sum() * (0.25 / 0.75)
    penalty = dropout_penalty(model, x, loss="squared")
    torch.testing.assert_close(penalty, closed / (2 * len(x)))
    for got, right in zip(*(torch.autograd.grad(v, [w1, w2]) for v in (penalty, closed / 14)), strict=True):
        torch.testing.assert_close(got, right)
    with pytest.raises(ValueError, match="squared, logistic, softmax, got 'hinge'"):
        dropout_penalty(model, x, loss="hinge")


def test_sgd_with_dropout_ends_at_the_closed_form_ridge():
    # Dropout on the inputs of least squares is ridge with (1 − keep)/keep·diag(X'X): trained with noise, 1 % away at most.
    torch.manual_seed(0)
    n, m, keep = 60, 4, 0.7
    x = torch.randn(n, m).double() * torch.tensor([0.5, 1.0, 1.5, 2.0])
    y = x @ torch.tensor([1.0, -1.0, 0.5, 0.25]).double() + 0.1 * torch.randn(n).double()
    gram = x.T @ x
    ridge = torch.linalg.solve(gram + (1 - keep) / keep * torch.diag(gram.diag()), x.T @ y)
    copies, rate = 60, 0.03  # independent draws of the noise for each copy of the data: a less noisy full-batch step
    w, averaged, steps = torch.zeros(m).double(), torch.zeros(m).double(), 3000
    layer, wide = sd.Dropout(keep=keep), x.repeat(copies, 1)
    for step in range(steps):
        noisy = layer(wide)
        w = w - rate * noisy.T @ (noisy @ w - y.repeat(copies)) / len(wide)
        if step >= steps // 5:
            averaged += w / (steps - steps // 5)
    assert (averaged - ridge).norm() < 0.01 * ridge.norm()
    least_squares = torch.linalg.solve(gram, x.T @ y)
    assert (averaged - least_squares).norm() > 0.1 * ridge.norm()

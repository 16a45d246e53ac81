"""Averages that keep zeros, polishing that ends at the exact solution, refitting on the support."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import elastic_net_solution, group_solution, linear, regression, train

LAM = 0.05


def run(penalty, steps=200, outputs=1, lr=0.05, **options):
    model, loss = linear(*regression(outputs=outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    reg = sw.attach(optimizer, model, penalty, **options)
    train(optimizer, loss, steps)
    return model, loss, optimizer, reg


# --- averages ------------------------------------------------------------------------------------------
def test_the_average_is_the_prox_of_the_average_latent():
    model, loss, optimizer, reg = run(sw.L1(LAM), steps=3)
    average, latents, states = reg.averaged(decay=0.5), [], optimizer.state[model.weight]
    for _ in range(3):
        train(optimizer, loss, 1)
        latents.append(states["shrinkwise_z"].clone())
    z = (latents[0] / 4 + latents[1] / 2 + latents[2]) / (1 / 4 + 1 / 2 + 1)
    expected = sw.L1(1.0).prox(z, states["shrinkwise_t"])
    torch.testing.assert_close(average.weights()["weight"], expected, atol=1e-14, rtol=1e-12)


def test_averages_of_noisy_weights_keep_their_zeros():
    torch.manual_seed(0)
    x = torch.randn(400, 30)
    y = x[:, :3].sum(1, keepdim=True) + 0.5 * torch.randn(400, 1)
    model = nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    reg = sw.attach(optimizer, model, sw.L1(0.01))
    average = reg.averaged(decay=0.98)
    plain = [torch.zeros_like(p) for p in model.parameters()]
    for _ in range(500):
        rows = torch.randint(400, (32,))
        optimizer.zero_grad()
        (model(x[rows]) - y[rows]).square().mean().backward()
        optimizer.step()
        for mean, p in zip(plain, model.parameters(), strict=True):
            mean.lerp_(p.detach(), 0.02)
    size = model[0].weight.numel()
    averaged = average.weights()
    zeros = int((averaged["0.weight"] == 0).sum())
    assert zeros > 0.5 * size
    assert zeros > 1.5 * int((plain[0] == 0).sum())
    torch.testing.assert_close(averaged["0.bias"], plain[1], atol=1e-3, rtol=0)
    own = model[0].weight.detach().clone()
    with average as averaged_model:
        assert averaged_model is model
        assert torch.equal(model[0].weight, averaged["0.weight"])
    assert torch.equal(model[0].weight, own)
    assert torch.equal(average.model[0].weight, averaged["0.weight"])
    optimizer.step()  # swapped away and back: no change from outside
    other = reg.averaged(decay=0.98)
    other.load_state_dict(average.state_dict())
    assert torch.equal(other.weights()["0.weight"], average.weights()["0.weight"])
    average.stop()
    updates = average.updates
    optimizer.step()
    assert (average.updates, other.updates) == (updates, updates + 1)


def test_an_average_follows_a_threshold_that_grows():
    model, loss = linear(*regression())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)  # weights as good as constant: so is their average
    reg = sw.attach(optimizer, model, sw.L1(LAM))
    average, state = reg.averaged(decay=0.9), optimizer.state[model.weight]
    train(optimizer, loss, 2, decay=False)
    (term,) = reg.terms
    state["shrinkwise_z"] = term.map.rescaled(state["shrinkwise_z"], state["shrinkwise_t"], 3 * state["shrinkwise_t"])
    state["shrinkwise_t"] *= 3
    train(optimizer, loss, 1, decay=False)
    torch.testing.assert_close(average.weights()["weight"], model.weight.detach(), atol=1e-9, rtol=0)


def test_what_cannot_be_averaged_is_said():
    reg = run(sw.L1(LAM), steps=0)[3]
    for decay in (0.0, 1.0, "x", True):
        with pytest.raises(ValueError, match="decay"):
            reg.averaged(decay)
    with pytest.raises(ValueError, match="has no latents"):
        run(sw.L1(LAM), steps=0, method="metric")[3].averaged()
    average = reg.averaged()
    with pytest.raises(ValueError, match="another model"):
        average.load_state_dict({"updates": 1, "decay": 0.9, "means": {"other": torch.zeros(1)}, "thresholds": {}})
    assert average.updates == 0


# --- polishing -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["normal_map", "metric"])
def test_polishing_ends_at_the_lasso(method):
    X, Y = regression()
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    model, loss, optimizer, reg = run(sw.L1(LAM), steps=20, method=method)
    before = loss().item() + reg.value()
    done = reg.polish(loss, steps=200)
    assert done.before == pytest.approx(before, rel=1e-12)
    assert done.after == pytest.approx(loss().item() + reg.value(), rel=1e-12)
    assert done.zeros_after == reg.zeros()["weight"] == (exact == 0).sum()
    np.testing.assert_allclose(model.weight.detach().numpy()[0], exact, atol=1e-6)
    assert reg.certificate(loss).largest <= 1e-5
    assert "changed from" in str(done)
    train(optimizer, loss, 5)  # no warning of a change from outside


def test_polishing_groups_batch_by_batch_with_all_parameters():
    X, Y = regression(outputs=3)
    model, _, _, reg = run(sw.GroupLasso(0.15, groups=sw.Groups.columns()), steps=5, outputs=3)
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    loader = [(X[:64], Y[:64]), (X[64:], Y[64:])]
    reg.polish(lambda out, y: 0.5 * (out - y).square().sum(1).mean(), loader, steps=200)
    np.testing.assert_allclose(model.weight.detach().numpy(), group_solution(X.numpy(), Y.numpy(), 0.15), atol=1e-6)


def test_polishing_counts_coupled_weight_decay_and_moves_biases():
    X, Y = regression()
    torch.manual_seed(0)
    model = nn.Linear(20, 1).double()
    x, y = torch.from_numpy(X), torch.from_numpy(Y) + 3.0
    optimizer = torch.optim.SGD([{"params": [model.weight], "weight_decay": 0.3}, {"params": [model.bias]}], lr=0.1)
    reg = sw.attach(optimizer, model, sw.L1(LAM))
    reg.polish(nn.MSELoss(), [(x, y)], steps=400)
    centred = X - X.mean(0)
    exact = elastic_net_solution(centred, (Y - Y.mean())[:, 0], LAM / 2, 0.15)  # the mean square is twice ½ of it
    np.testing.assert_allclose(model.weight.detach().numpy()[0], exact, atol=1e-6)
    assert model.bias.item() == pytest.approx(float((Y[:, 0] + 3.0 - X @ exact).mean()), abs=1e-6)


def test_polishing_a_network_lowers_the_objective_and_leaves_the_rest():
    torch.manual_seed(0)
    x = torch.randn(200, 10)
    y = (x[:, :3] + 0.3 * torch.randn(200, 3)).argmax(1)
    model = nn.Sequential(nn.Linear(10, 16), nn.BatchNorm1d(16), nn.ReLU(), sw.Dropout(keep=0.8), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    reg = sw.attach(optimizer, model, sw.L1(1e-3))
    train(optimizer, lambda: nn.functional.cross_entropy(model(x), y), 100)
    running = model[1].running_mean.clone()
    done = reg.polish(nn.CrossEntropyLoss(), [(x, y)], steps=20)
    assert done.after < done.before
    assert done.steps == 20
    assert "Dropout was off" in str(done)
    assert torch.equal(model[1].running_mean, running)
    assert model.training


def test_a_polish_that_fails_leaves_the_weights():
    model, loss, _, reg = run(sw.L1(LAM), steps=5)
    before, calls = model.weight.detach().clone(), []

    def failing():
        calls.append(1)
        if len(calls) > 4:
            raise RuntimeError("no more data")
        return loss()

    with pytest.raises(RuntimeError, match="no more data"):
        reg.polish(failing, steps=10)
    assert torch.equal(model.weight, before)
    for steps in (0, 2.5, True):
        with pytest.raises(ValueError, match="steps to be an integer"):
            reg.polish(loss, steps=steps)


# --- refitting -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["normal_map", "metric"])
def test_refitting_is_least_squares_on_the_support(method):
    X, Y = regression()
    model, loss, optimizer, reg = run(sw.L1(0.2), steps=300, method=method)
    support = (model.weight.detach() != 0).numpy()[0]
    reg.refit()
    train(optimizer, loss, 500)
    w = model.weight.detach().numpy()[0]
    exact = np.linalg.lstsq(X[:, support], Y[:, 0], rcond=None)[0]
    np.testing.assert_allclose(w[support], exact, atol=1e-6)
    assert (w[~support] == 0).all()
    assert 0 < support.sum() < 20
    assert reg.value() == 0.0
    assert reg.method == reg.report().method == "refit"
    assert "support is trained" in str(reg.report())
    with pytest.raises(ValueError, match=r"refit\(\) switched the penalty off"):
        reg.polish(loss)
    reg.detach()
    assert type(optimizer) is torch.optim.Adam


def test_refitting_gives_gradients_back_and_survives_a_checkpoint():
    model, loss, optimizer, reg = run(sw.L1(0.2), steps=100)
    reg.refit()
    optimizer.zero_grad()
    loss().backward()
    gradient = model.weight.grad.clone()
    optimizer.step()
    assert torch.equal(model.weight.grad, gradient)
    saved = copy.deepcopy(optimizer.state_dict())
    other, other_loss, other_optimizer, other_reg = run(sw.L1(0.2), steps=1)
    other.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match=r"call reg.refit\(\) before loading"):
        other_optimizer.load_state_dict(saved)
    other_reg.refit()
    other_optimizer.load_state_dict(saved)
    train(optimizer, loss, 3)
    train(other_optimizer, other_loss, 3)
    assert torch.equal(model.weight, other.weight)

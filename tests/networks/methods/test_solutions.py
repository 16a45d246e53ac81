"""The λ you write is the λ you get: every optimizer ends at the exact solution, zeros included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso

import shrinkwise as sw
from networks.problems import Lion, elastic_net_solution, group_solution, linear, regression, train
from shrinkwise.networks import penalty

LAM = 0.05
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.2),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.02),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.05),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.3),
    "Lion": lambda p: Lion(p, lr=0.02),
}
STEPS = 800


def kkt_residual(X, Y, W, l1, l2=0.0):
    """Largest distance of −∇ to l1 ∂‖·‖₁ + l2 w, by hand."""
    gradient = -(Y - X @ W.T).T @ X / len(X) + l2 * W
    return np.where(W != 0, np.abs(gradient + l1 * np.sign(W)), np.maximum(np.abs(gradient) - l1, 0)).max()


def fitted(name, X, Y, regularizer, steps=STEPS):
    model, loss = linear(X, Y)
    optimizer = OPTIMIZERS[name](model.parameters())
    reg = sw.attach(optimizer, model, regularizer)
    train(optimizer, loss, steps)
    return model.weight.detach().numpy(), reg.certificate(loss)


def test_the_reference_is_scikit_learns():
    X, Y = regression()
    theirs = Lasso(LAM, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(X, Y[:, 0]).coef_
    np.testing.assert_allclose(elastic_net_solution(X, Y[:, 0], LAM), theirs, atol=1e-10)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lasso(name):
    X, Y = regression()
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    W, certificate = fitted(name, X, Y, sw.L1(LAM))
    tolerance = 1e-3 if name == "Lion" else 1e-6  # steps of a sign method end as long as its learning rate
    assert ((W[0] == 0) == (exact == 0)).all()
    assert 5 <= (exact == 0).sum() < 20
    assert kkt_residual(X, Y, W, LAM) / LAM <= tolerance
    assert certificate.largest == pytest.approx(kkt_residual(X, Y, W, LAM) / LAM, abs=1e-10)
    assert certificate.lam_ratio == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize("name", ["momentum", "Adam"])
@pytest.mark.parametrize("as_sum", [False, True])
def test_elastic_net(name, as_sum):
    X, Y = regression()
    exact = elastic_net_solution(X, Y[:, 0], 0.04, 0.06)
    regularizer = sw.L1(0.04) + sw.L2(0.03) if as_sum else sw.ElasticNet(0.1, 0.4)
    W, _ = fitted(name, X, Y, regularizer)
    assert ((W[0] == 0) == (exact == 0)).all()
    assert kkt_residual(X, Y, W, 0.04, 0.06) / 0.04 <= 1e-6


@pytest.mark.parametrize("name", ["momentum", "Adam"])
def test_group_lasso_by_columns(name):
    X, Y = regression(outputs=3)
    lam = 0.15
    exact = group_solution(X, Y, lam)
    W, certificate = fitted(name, X, Y, sw.GroupLasso(lam, groups=sw.Groups.columns()))
    norms = np.linalg.norm(W, axis=0)
    assert ((norms == 0) == (np.linalg.norm(exact, axis=0) == 0)).all()
    assert 0 < (norms == 0).sum() < 20
    gradient = -(Y - X @ W.T).T @ X / len(X)
    kept = norms > 0
    direction = lam * np.sqrt(3) * W[:, kept] / norms[kept]
    assert np.linalg.norm(gradient[:, kept] + direction, axis=0).max() / lam <= 1e-6
    assert (np.linalg.norm(gradient[:, ~kept], axis=0) <= lam * np.sqrt(3)).all()
    assert certificate.largest <= 1e-6


def test_rows_and_columns_are_outputs_and_inputs():
    X, Y = regression(outputs=3)
    Y[:, 1] = 1e-3 * Y[:, 1]
    W, _ = fitted("Adam", X, Y, sw.GroupLasso(0.1, groups=sw.Groups.rows()), steps=600)
    assert (W[1] == 0).all()
    assert (W[[0, 2]] != 0).all()


def test_ridge_is_coupled_weight_decay():
    X, Y = regression()
    W, certificate = fitted("Adam", X, Y, sw.L2.from_weight_decay(0.3))
    exact = np.linalg.solve(X.T @ X / len(X) + 0.3 * np.eye(20), X.T @ Y[:, 0] / len(X))
    np.testing.assert_allclose(W[0], exact, atol=1e-8)
    assert certificate.largest <= 1e-6


def test_weights_of_the_penalty_are_obeyed():
    X, Y = regression()
    factors = np.where(np.arange(20) % 4 == 0, 0.0, 1.0 + np.arange(20) / 10)
    W, certificate = fitted("Adam", X, Y, sw.L1(LAM, weights=factors))
    exact = elastic_net_solution(X, Y[:, 0], LAM * factors)
    np.testing.assert_allclose(W[0], exact, atol=1e-8)
    assert ((W[0] == 0) == (exact == 0)).all()
    assert (W[0][::4] != 0).all()
    assert certificate.largest <= 1e-6


def test_the_loss_term_makes_no_zeros():
    X, Y = regression()
    model, loss = linear(X, Y)
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    train(optimizer, lambda: loss() + penalty(model, sw.L1(LAM)), STEPS)
    assert (model.weight != 0).all()


def test_thresholding_the_weights_enforces_another_lambda():
    # What is usually written: the optimizer's step on the loss, then soft-thresholding at lr·λ. Here λ(1 − momentum).
    X, Y = regression()
    model, loss = linear(X, Y)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        with torch.no_grad():
            model.weight.sub_(model.weight.clamp(-0.05 * LAM, 0.05 * LAM))
    wrong = elastic_net_solution(X, Y[:, 0], 0.1 * LAM)
    np.testing.assert_allclose(model.weight.detach().numpy()[0], wrong, atol=1e-8)


def test_a_layer_that_starts_at_zero_is_trained():
    X, Y = regression()
    model, loss = linear(X, Y)
    torch.nn.init.zeros_(model.weight)
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    reg = sw.attach(optimizer, model, sw.L1(LAM))
    train(optimizer, loss, STEPS)
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    assert ((model.weight.detach().numpy()[0] == 0) == (exact == 0)).all()
    assert reg.certificate(loss).largest <= 1e-6


def test_the_threshold_decides_the_way_and_not_the_goal():
    X, Y = regression()
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    for threshold in (0.01, 0.5):
        model, loss = linear(X, Y)
        optimizer = OPTIMIZERS["momentum"](model.parameters())
        reg = sw.attach(optimizer, model, sw.L1(LAM), threshold=threshold)
        train(optimizer, loss, STEPS)
        np.testing.assert_allclose(model.weight.detach().numpy()[0], exact, atol=1e-8)
        assert reg.report().tensors[0].threshold == threshold


def test_clipping_the_gradient_of_the_sum_leaves_lambda_alone():
    X, Y = regression()
    Y = 10 * Y
    exact = elastic_net_solution(X, Y[:, 0], 10 * LAM)
    norms = []
    for max_norm in (1.0, None):
        model, loss = linear(X, Y)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5)
        sw.attach(optimizer, model, sw.L1(10 * LAM), max_norm=max_norm)
        train(optimizer, loss, 1)
        norms.append(float(model.weight.detach().norm()))
        for group in optimizer.param_groups:
            group["lr"] = 0.3
        train(optimizer, loss, STEPS)
        np.testing.assert_allclose(model.weight.detach().numpy()[0], exact, atol=1e-6)
    assert norms[0] < norms[1] / 3  # the first step was clipped


def test_changing_lambda_moves_nothing_at_once_and_everything_in_time():
    X, Y = regression()
    model, loss = linear(X, Y)
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    reg = sw.attach(optimizer, model, sw.L1(10 * LAM))
    train(optimizer, loss, 400)
    sparse, zeros = model.weight.detach().clone(), reg.zeros()["weight"]
    reg.set_lam(LAM)
    assert torch.equal(model.weight, sparse)
    train(optimizer, loss, STEPS)
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    assert ((model.weight.detach().numpy()[0] == 0) == (exact == 0)).all()
    assert reg.zeros()["weight"] < zeros  # zeros come back to life when λ falls
    assert reg.certificate(loss).largest <= 1e-6

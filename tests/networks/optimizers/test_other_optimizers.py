"""Optimizers that torch does not ship: wrappers, second order, averages, their own words for weight decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import shrinkwise as sw


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimisation in its usual form (Foret et al., arXiv 2010.01412)."""

    def __init__(self, params, base, rho=0.05, **options):
        super().__init__(params, {"rho": rho, **options})
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norm = torch.stack([g.norm() for g in grads]).norm()
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["old"] = p.data.clone()
                p.add_(p.grad, alpha=0.05 / float(norm))

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = self.state[p]["old"]
        self.base_optimizer.step()


class Curvature(torch.optim.Optimizer):
    """Differentiates the gradient, as AdaHessian does."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                (bend,) = torch.autograd.grad(p.grad.sum(), p, retain_graph=True)
                with torch.no_grad():
                    p.sub_(group["lr"] * p.grad / bend.abs().clamp_min(1.0))


class Decoupling(torch.optim.Optimizer):
    """Gradient descent with the keys of AdaBelief and others."""

    def __init__(self, params, lr=0.05, weight_decay=0.1, weight_decouple=True, fixed_decay=False):
        keys = {"lr": lr, "weight_decay": weight_decay, "weight_decouple": weight_decouple, "fixed_decay": fixed_decay}
        super().__init__(params, keys)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                decay, grad = group["weight_decay"], p.grad
                if group["weight_decouple"]:
                    p.mul_(1.0 - decay * (1.0 if group["fixed_decay"] else group["lr"]))
                else:
                    grad = grad + decay * p
                p.sub_(grad, alpha=group["lr"])


def model_and_loss():
    torch.manual_seed(0)
    model, x = nn.Linear(6, 1, bias=False).double(), torch.randn(80, 6).double()
    y = x @ torch.tensor([[1.0, -1.0, 0.5, 0.0, 0.0, 0.0]]).double().T
    return model, lambda: 0.5 * (model(x) - y).square().mean()


def test_a_wrapper_is_refused_by_the_name_of_what_it_wraps():
    model, loss = model_and_loss()
    sam = SAM(model.parameters(), torch.optim.SGD, lr=0.05)
    with pytest.raises(ValueError, match=r"attach to that one: sw.attach\(optimizer.base_optimizer"):
        sw.attach(sam, model, sw.L1(0.1))
    reg = sw.attach(sam.base_optimizer, model, sw.L1(0.1))
    for _ in range(1500):
        for step in (sam.first_step, sam.second_step):
            sam.zero_grad()
            loss().backward()
            step()
    assert reg.zeros() == {"weight": 3}
    assert reg.report().notes == []
    # SAM minimises the loss nearby, whose gradient differs; without the penalty the ratio would be 0.
    assert 0.7 < reg.certificate(loss).lam_ratio < 1.3


def test_a_step_in_two_halves_without_a_base_is_refused():
    class Halves(torch.optim.SGD):
        first_step = second_step = torch.optim.SGD.step

    model, _ = model_and_loss()
    with pytest.raises(ValueError, match=r"first_step\(\) and second_step\(\)"):
        sw.attach(Halves(model.parameters(), lr=0.1), model, sw.L1(0.1))


def test_an_optimizer_that_evaluates_averages_is_refused():
    class ScheduleFree(torch.optim.SGD):
        def train(self):
            pass

        def eval(self):
            pass

    model, _ = model_and_loss()
    with pytest.raises(ValueError, match="average of its weights"):
        sw.attach(ScheduleFree(model.parameters(), lr=0.1), model, sw.L1(0.1))


@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")
def test_an_optimizer_that_differentiates_gradients_is_refused_in_a_sentence():
    model, loss = model_and_loss()
    optimizer = Curvature(model.parameters())
    sw.attach(optimizer, model, sw.L1(0.1))
    before = model.weight.detach().clone()
    loss().backward(create_graph=True)
    with pytest.raises(RuntimeError, match="second-order"):
        optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before)
    model.weight.grad = None


@pytest.mark.parametrize("keys", [{}, {"weight_decouple": False}, {"fixed_decay": True, "weight_decay": 0.002}])
def test_decay_in_the_words_of_other_optimizers(keys):
    model, loss = model_and_loss()
    optimizer = Decoupling(model.parameters(), **keys)
    sw.attach(optimizer, model, sw.L1(0.1))
    for _ in range(1500):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    group = optimizer.param_groups[0]
    per_weight = group["weight_decay"] / (group["lr"] if group["fixed_decay"] else 1.0)
    w = model.weight.detach()
    pull = model.weight.grad + per_weight * w
    assert float((sw.L1(0.1).violation(w, pull)).max()) < 1e-10
    assert int((w == 0).sum()) >= 2


def test_an_attach_that_fails_leaves_the_optimizer_as_it_was():
    class Fragile(torch.optim.SGD):
        def register_load_state_dict_pre_hook(self, hook, prepend=False):
            raise RuntimeError("no such hooks here")

    model, loss = model_and_loss()
    optimizer = Fragile(model.parameters(), lr=0.1)
    with pytest.raises(RuntimeError, match="no such hooks"):
        sw.attach(optimizer, model, sw.L1(0.1))
    assert type(optimizer) is Fragile
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    loss().backward()
    optimizer.step()
    assert set(optimizer.state_dict()["param_groups"][0]) == set(
        torch.optim.SGD([nn.Parameter(torch.ones(1))]).param_groups[0]
    )

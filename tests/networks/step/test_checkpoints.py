"""Saving, loading, pickling and copying: a run that is resumed is the run that was not interrupted, bit for bit."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

import shrinkwise as sw
from shrinkwise.networks import attached
from shrinkwise.networks.methods.normal_map import LATENT, THRESHOLD

LAM = 0.02
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.02),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.02),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.02),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "AdamW fused": lambda p: torch.optim.AdamW(p, lr=0.02, fused=True),
}
DTYPES = [torch.float32, torch.float64, torch.bfloat16]


class Run:
    """A small network, its data, an optimizer, and the penalty on it."""

    def __init__(self, make=OPTIMIZERS["Adam"], dtype=torch.float32, penalty=True, seed=0):
        torch.manual_seed(7)
        x = torch.randn(32, 6)  # two of the six inputs matter
        self.x, self.y = x.to(dtype), (x[:, :1] - x[:, 1:2] + 0.1 * torch.randn(32, 1)).to(dtype)
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)).to(dtype)
        self.optimizer = make(self.model.parameters())
        if penalty:
            groups = sw.rule(sw.GroupLasso(LAM, groups=sw.Groups.columns()), names="0.weight")
            self.reg = sw.attach(self.optimizer, self.model, [groups, sw.rule(sw.L1(LAM))])

    def train(self, steps):
        for _ in range(steps):
            self.optimizer.zero_grad()
            (self.model(self.x) - self.y).square().mean().backward()
            self.optimizer.step()
        return self

    def saved(self):
        stored = io.BytesIO()
        torch.save([self.model.state_dict(), self.optimizer.state_dict()], stored)
        stored.seek(0)
        return torch.load(stored)

    def weights(self):
        return [p.detach().clone() for p in self.model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.weights(), second.weights(), strict=True))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [0, 5])
def test_a_resumed_run_is_bit_equal(make, dtype, steps):
    if make is OPTIMIZERS["NAdam"] and dtype == torch.float64:
        pytest.skip(
            "torch casts NAdam's float32 mu_product to float64 on loading, so it does not resume bit-equal itself"
        )
    whole = Run(make, dtype).train(steps)
    model_state, optimizer_state = whole.saved()
    whole.train(5)
    for model_first in (True, False):
        resumed = Run(make, dtype, seed=1)
        if model_first:
            resumed.model.load_state_dict(model_state)
        resumed.optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        if not model_first:
            resumed.model.load_state_dict(model_state)
        assert same(whole, resumed.train(5))


def test_latents_are_full_precision_whatever_the_weights_are():
    for dtype, full in zip(DTYPES, (torch.float32, torch.float64, torch.float32), strict=True):
        run = Run(dtype=dtype).train(3)
        state = run.optimizer.state[run.model[0].weight]
        assert state[LATENT].dtype == state["exp_avg"].dtype == full
        assert run.model[0].weight.dtype == run.model[0].weight.grad.dtype == dtype
        assert isinstance(state[THRESHOLD], float)


def test_low_precision_weights_come_to_the_lambda_of_full_precision():
    runs = [
        Run(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), dtype) for dtype in (torch.float32, torch.bfloat16)
    ]
    for run in runs:
        run.reg.set_lam(0.1, rule=1)
        run.train(300)
    fine, coarse = (run.model[0].weight.detach().float() for run in runs)
    assert 0 < (fine == 0).sum() < fine.numel()
    assert torch.equal(fine == 0, coarse == 0)
    torch.testing.assert_close(coarse, fine, atol=0.02, rtol=0.05)


def test_the_pull_is_not_rounded_with_low_precision_weights():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(50).bfloat16())
    optimizer = torch.optim.SGD([weight], lr=0.1)
    sw.attach(optimizer, nn.ParameterDict({"w": weight}), sw.L1(1.0), threshold=0.01)
    for _ in range(3):
        z = optimizer.state[weight].get(LATENT, weight.detach().float() + 0.01 * weight.detach().float().sign()).clone()
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
        torch.testing.assert_close(
            optimizer.state[weight][LATENT], z - 0.1 * (z / 0.01).clamp(-1, 1), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("steps", [0, 5])
def test_low_precision_steps_that_move_nothing(steps):
    run = Run(dtype=torch.bfloat16).train(steps)
    before = run.weights()
    run.optimizer.param_groups[0]["lr"] = 0.0
    run.train(2)
    assert all(torch.equal(a, b) for a, b in zip(before, run.weights(), strict=True))
    run.optimizer.param_groups[0]["lr"] = 0.02
    run.train(2)
    assert run.optimizer.state[run.model[0].weight]["exp_avg"].dtype == torch.float32
    run.reg.detach()
    run.train(1)


def test_attaching_to_a_low_precision_run_under_way():
    run = Run(dtype=torch.bfloat16, penalty=False).train(3)
    sw.attach(run.optimizer, run.model, sw.L1(LAM))
    run.train(3)
    assert run.optimizer.state[run.model[0].weight]["exp_avg"].dtype == torch.float32


def test_a_checkpoint_without_the_penalty_starts_it_from_its_weights():
    plain = Run(penalty=False).train(5)
    model_state, optimizer_state = plain.saved()
    run = Run(seed=1).train(2)
    run.model.load_state_dict(model_state)
    with pytest.warns(UserWarning, match="saved without a penalty"):
        run.optimizer.load_state_dict(optimizer_state)
    run.train(1)
    t = run.optimizer.state[run.model[2].weight][THRESHOLD]
    assert t >= float(model_state["2.weight"].abs().mean()) * 0.99


def test_a_checkpoint_with_the_penalty_serves_a_plain_run():
    model_state, optimizer_state = Run().train(5).saved()
    plain = Run(penalty=False, seed=1)
    plain.model.load_state_dict(model_state)
    plain.optimizer.load_state_dict(optimizer_state)
    plain.train(2)


METHODS = {
    "normal_map": [sw.rule(sw.L1(LAM), names="0.*"), sw.rule(sw.L1(3 * LAM))],
    "metric": [sw.rule(sw.L1(LAM), names="0.*"), sw.rule(sw.L1(3 * LAM))],
    "gradient": [sw.rule(sw.L2(LAM), names="0.*"), sw.rule(sw.L2(3 * LAM))],
}


def scheduled(method, seed=0, factor=1.0, threshold=None):
    run = Run(penalty=False, seed=seed)
    rules = [sw.rule(factor * rule.penalty, names=rule.names) for rule in METHODS[method]]
    schedule = sw.networks.ramp(2, 8)
    run.reg = sw.attach(run.optimizer, run.model, rules, method=method, schedule=schedule, threshold=threshold)
    return run


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [0, 4])
def test_lambda_schedule_and_threshold_are_saved_and_resumed(method, steps):
    threshold = 0.5 if method == "normal_map" else None
    whole = scheduled(method, threshold=threshold).train(steps)
    whole.reg.set_lam(torch.full((8, 6), 2 * LAM), rule=1)
    model_state, optimizer_state = whole.saved()
    whole.train(6)
    resumed = scheduled(method, seed=1, factor=7.0)  # another λ, another t: what was saved counts
    resumed.model.load_state_dict(model_state)
    resumed.optimizer.load_state_dict(optimizer_state)
    assert same(whole, resumed.train(6))
    assert resumed.reg.value() == whole.reg.value()
    assert resumed.reg.report().steps == steps + 6
    assert resumed.reg.report().tensors[0].threshold == whole.reg.report().tensors[0].threshold


@pytest.mark.parametrize("steps", [0, 3])
def test_a_checkpoint_of_another_method_or_of_other_rules_is_refused_whole(steps):
    run = scheduled("normal_map").train(2)
    before = [*run.weights(), run.optimizer.state[run.model[0].weight][LATENT].clone()]
    one_rule = Run(penalty=False)
    sw.attach(one_rule.optimizer, one_rule.model, sw.L1(LAM))
    others = {
        "attach with method='metric'": scheduled("metric"),
        r"with the rules \[1\], but \[1, 2\]": one_rule,
    }
    for says, other in others.items():
        state = other.train(steps).saved()[1]
        with pytest.raises(ValueError, match=says):
            run.optimizer.load_state_dict(state)
    after = [*run.weights(), run.optimizer.state[run.model[0].weight][LATENT]]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    run.train(1)


@pytest.mark.parametrize("method", ["normal_map", "metric"])
def test_attaching_after_loading_goes_on_too(method):
    whole = Run(penalty=False)
    whole.reg = sw.attach(whole.optimizer, whole.model, sw.L1(LAM), method=method)
    model_state, optimizer_state = whole.train(4).saved()
    late = Run(penalty=False, seed=1)
    late.model.load_state_dict(model_state)
    late.optimizer.load_state_dict(optimizer_state)
    late.reg = sw.attach(late.optimizer, late.model, sw.L1(LAM), method=method)
    assert same(whole.train(3), late.train(3))
    assert late.reg.report().steps == 7
    other = Run(penalty=False, seed=1)
    other.optimizer.load_state_dict(optimizer_state)
    other.reg = sw.attach(other.optimizer, other.model, sw.L1(LAM), method="metric")
    assert not any(key.startswith("shrinkwise") for state in other.optimizer.state.values() for key in state)


def test_detaching_takes_its_numbers_out_of_the_optimizer():
    run = Run().train(2)
    assert any(key.startswith("shrinkwise") for key in run.optimizer.state_dict()["param_groups"][0])
    run.reg.detach()
    assert not any(key.startswith("shrinkwise") for key in run.optimizer.state_dict()["param_groups"][0])


def test_a_checkpoint_of_other_weights_is_taken_over_with_a_warning():
    optimizer_state = Run().train(5).saved()[1]
    run = Run(seed=1)
    run.optimizer.load_state_dict(optimizer_state)
    with pytest.warns(UserWarning, match="were changed by other code"):
        run.train(1)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("steps", [0, 5])
def test_copies_and_pickles_keep_the_penalty(clone, steps):
    run = Run().train(steps)
    other = copy.copy(run)
    other.model, other.optimizer = clone((run.model, run.optimizer))
    other.reg = attached(other.optimizer, other.model)
    other.reg.set_lam(5 * LAM, rule=2)
    run.train(5)
    assert not same(run, other.train(5))  # the copy has its own λ
    twin = copy.copy(run)
    twin.model, twin.optimizer = clone((run.model, run.optimizer))
    run.train(5)
    assert same(run, twin.train(5))
    assert isinstance(twin.optimizer, torch.optim.Adam)
    assert repr(twin.optimizer).startswith("Adam (")
    schedule = torch.optim.lr_scheduler.StepLR(twin.optimizer, 1)
    twin.train(1)
    schedule.step()


def test_a_regularization_can_be_copied_with_its_model():
    run = Run().train(3)
    model, reg = copy.deepcopy((run.model, run.reg))
    assert reg.model is model
    assert reg.terms[0].param is model[0].weight
    assert reg.value() == pytest.approx(run.reg.value())


def test_a_pickle_opens_in_another_process():
    run = Run().train(3)
    stored = pickle.dumps((run.model, run.optimizer, run.x, run.y))
    run.train(2)
    program = """
import pickle, sys
model, optimizer, x, y = pickle.loads(sys.stdin.buffer.read())
for _ in range(2):
    optimizer.zero_grad()
    (model(x) - y).square().mean().backward()
    optimizer.step()
sys.stdout.buffer.write(pickle.dumps([p.detach().numpy() for p in model.parameters()]))
"""
    out = subprocess.run([sys.executable, "-c", program], input=stored, capture_output=True, check=True).stdout
    for mine, theirs in zip(run.weights(), pickle.loads(out), strict=True):
        torch.testing.assert_close(mine, torch.from_numpy(theirs), atol=1e-6, rtol=0)


def test_a_plain_optimizer_has_no_regularization():
    with pytest.raises(ValueError, match="no penalty attached"):
        attached(Run(penalty=False).optimizer)
    run = Run()
    with pytest.raises(ValueError, match="This needs the model"):
        attached(run.optimizer).certificate(lambda: 0)

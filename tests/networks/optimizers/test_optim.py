"""`shrinkwise.optim`: torch's optimizers to the rounding, and with a penalty what `attach` makes of torch's."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import shrinkwise as sw
from shrinkwise import kernels
from shrinkwise.kernels.networks import optimizer as kernel
from shrinkwise.networks import attached
from shrinkwise.networks.memory.layout import beside
from shrinkwise.networks.optimizers.fused_methods import FusedMetricStepper, FusedNormalMapStepper

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])

OPTIONS = {
    "AdamW": ("AdamW", {"lr": 0.02}),
    "AdamW decay": ("AdamW", {"lr": 0.02, "weight_decay": 0.3, "betas": (0.8, 0.95), "eps": 1e-3}),
    "AdamW fused": ("AdamW", {"lr": 0.02, "weight_decay": 0.1, "fused": True}),
    "AdamW amsgrad": ("AdamW", {"lr": 0.02, "amsgrad": True}),
    "SGD": ("SGD", {"lr": 0.05}),
    "SGD dampening": ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.2}),
    "SGD nesterov": ("SGD", {"lr": 0.02, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
}
PENALTIES = {
    "L1": sw.L1(0.02),
    "weighted L1": sw.L1(0.02, weights=torch.linspace(0, 2, 140).reshape(20, 7).tolist()),
    "elastic net": sw.ElasticNet(0.04, 0.5),
    "L2": sw.L2(0.1),
    "columns": sw.GroupLasso(0.03, groups=sw.Groups.columns()),
    "rows": sw.GroupLasso(0.03, groups=sw.Groups.rows()),
    "MCP": sw.MCP(0.02),
}


class Run:
    """A small network of odd sizes with a convolution, its data, and an optimizer of torch's or of ours."""

    def __init__(self, home, name, options, dtype=torch.float64, penalty=None, **attaching):
        torch.manual_seed(1)
        self.x = torch.randn(12, 7).to(dtype)
        self.model = nn.Sequential(nn.Linear(7, 20), nn.Tanh(), nn.Unflatten(1, (5, 2, 2)), nn.Conv2d(5, 3, 2)).to(
            dtype
        )
        self.model[3].to(memory_format=torch.channels_last)
        with torch.no_grad():  # dense, and not contiguous
            self.model[0].weight.set_(self.model[0].weight.t().contiguous().t())
        self.optimizer = getattr(home, name)(self.model.parameters(), **options)
        if penalty is not None:
            rules = [sw.rule(penalty, names="0.weight"), sw.rule(sw.L1(0.01), names="3.weight")]
            self.reg = sw.attach(self.optimizer, self.model, rules, **attaching)

    def loss(self):
        return (self.model(self.x).flatten(1) - self.x[:, :3]).square().mean()

    def train(self, steps):
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.loss().backward()
            self.optimizer.step()
        return self

    def weights(self):
        return [p.detach().clone() for p in self.model.parameters()]

    def saved(self):
        stored = io.BytesIO()
        torch.save([self.model.state_dict(), self.optimizer.state_dict()], stored)
        stored.seek(0)
        return torch.load(stored)

    def loaded(self, saved):
        model, optimizer = saved
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        return self


def pair(case, **more):
    name, options = OPTIONS[case]
    return [Run(home, name, options, **more) for home in (torch.optim, sw.optim)]


def close(first, second, dtype=torch.float64):
    tolerance = 64 * torch.finfo(dtype).eps
    torch.testing.assert_close(first.weights(), second.weights(), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("case", OPTIONS)
def test_without_a_penalty_it_is_torchs_optimizer(case, dtype, maximize):
    name, options = OPTIONS[case]
    theirs, ours = (
        Run(home, name, {**options, "maximize": maximize}, dtype).train(6) for home in (torch.optim, sw.optim)
    )
    close(theirs, ours, dtype)
    assert isinstance(ours.optimizer, type(theirs.optimizer))
    for p, q in zip(theirs.model.parameters(), ours.model.parameters(), strict=True):
        first, second = theirs.optimizer.state.get(p, {}), ours.optimizer.state.get(q, {})
        assert list(first) == list(second)
        for key, value in first.items():
            assert value.dtype == second[key].dtype
            assert value.stride() == second[key].stride()


@needs_library
def test_the_pass_does_the_steps_and_torch_only_the_rest(monkeypatch):
    done = []
    original = kernel.optimizer
    monkeypatch.setattr(kernel, "optimizer", lambda *a: (done.append(len(a[2])), original(*a))[1])
    model = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2).bfloat16()])
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = sw.optim.AdamW(model.parameters(), lr=0.1)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert done == [2]
    assert all((p != old).all() for p, old in zip(model.parameters(), before, strict=True))
    assert [float(optimizer.state[p]["step"]) for p in model.parameters()] == [1.0] * 4


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", [case for case in OPTIONS if case != "AdamW amsgrad"])
@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("method", ["normal_map", "metric"])
def test_with_a_penalty_it_is_attach_on_torchs(case, penalty, method):
    if method == "metric" and not penalty.convex and case.startswith("AdamW"):
        pytest.skip("refused")
    theirs, ours = (run.train(25) for run in pair(case, penalty=penalty, method=method))
    close(theirs, ours)
    assert theirs.reg.zeros() == ours.reg.zeros()
    assert sum(ours.reg.zeros().values()) > 0 or isinstance(penalty, sw.L2) or case == "SGD"
    assert ours.reg.method == method
    if kernels.status()["available"]:
        assert type(ours.optimizer._shrinkwise) in (FusedNormalMapStepper, FusedMetricStepper)
    first, second = ([(t.threshold, t.zeros) for t in run.reg.report().tensors] for run in (theirs, ours))
    for (t, zeros), (u, others) in zip(first, second, strict=True):
        assert t == u or t == pytest.approx(u, rel=1e-12)
        assert zeros == others


@pytest.mark.parametrize(
    "more", [{"start": "shrink"}, {"max_norm": 0.1}, {"threshold": 0.2}, {"schedule": lambda k: k / 9}]
)
def test_the_options_of_attach(more):
    theirs, ours = (run.train(10) for run in pair("AdamW decay", penalty=sw.L1(0.05), **more))
    close(theirs, ours)
    for run in (theirs, ours):
        run.reg.set_lam(torch.full((20, 7), 0.03, dtype=torch.float64), rule=1)
        run.train(5)
    close(theirs, ours)


def test_averages_and_everything_after_training():
    runs = pair("AdamW", penalty=sw.L1(0.02))
    averages = [run.reg.averaged(0.9) for run in runs]
    for run in runs:
        run.train(20)
    for first, second in zip(*(average.weights().values() for average in averages), strict=True):
        torch.testing.assert_close(first, second, atol=1e-13, rtol=1e-12)
    certificates = [run.reg.certificate(run.loss).largest for run in runs]
    assert certificates[0] == pytest.approx(certificates[1], rel=1e-9)
    for run in runs:
        run.reg.polish(run.loss, steps=3)
        run.train(2)
        run.reg.refit()
        run.train(3)
        run.reg.detach()
        assert type(run.optimizer) in (torch.optim.AdamW, sw.optim.AdamW)
        run.train(2)
    torch.testing.assert_close(runs[0].weights(), runs[1].weights(), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("case", ["AdamW decay", "SGD dampening"])
@pytest.mark.parametrize("penalty", [None, sw.L1(0.02)])
def test_checkpoints_are_torchs_both_ways(case, penalty):
    name, options = OPTIONS[case]
    for first, second in ((torch.optim, sw.optim), (sw.optim, torch.optim)):
        whole = Run(first, name, options, penalty=penalty).train(4)
        other = Run(second, name, options, penalty=penalty).loaded(whole.saved()).train(4)
        close(whole.train(4), other)


@pytest.mark.parametrize("case", ["AdamW decay", "SGD", "SGD nesterov"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_resumed_run_is_bit_equal(case, dtype, steps):
    name, options = OPTIONS[case]
    whole = Run(sw.optim, name, options, dtype, sw.L1(0.02)).train(steps)
    resumed = Run(sw.optim, name, options, dtype, sw.L1(0.02)).loaded(whole.saved()).train(4)
    twin = pickle.loads(pickle.dumps((whole.model, whole.optimizer)))
    copied = copy.deepcopy((whole.model, whole.optimizer))
    whole.train(4)
    for run, (model, optimizer) in ((whole, twin), (whole, copied)):
        attached(optimizer, model)
        for _ in range(4):
            optimizer.zero_grad()
            (model(run.x).flatten(1) - run.x[:, :3]).square().mean().backward()
            optimizer.step()
        assert all(torch.equal(p, w) for p, w in zip(model.parameters(), run.weights(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole.weights(), resumed.weights(), strict=True))


@pytest.mark.parametrize("fused", [None, True])
@pytest.mark.parametrize("penalty", [None, sw.L1(0.02)])
@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_a_grad_scaler(fused, penalty, name):
    options = {"lr": 0.02, "fused": fused, **({"momentum": 0.9, "dampening": 0.5} if name == "SGD" else {})}
    scaled, plain = (Run(sw.optim, name, options, penalty=penalty) for _ in range(2))
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for k in range(5):
        overflow = k in (0, 2)
        scaled.optimizer.zero_grad()
        scaler.scale(scaled.loss() * (float("inf") if overflow else 1.0)).backward()
        before = scaled.weights()
        scaler.step(scaled.optimizer)
        scaler.update()
        if overflow:
            assert all(torch.equal(a, b) for a, b in zip(before, scaled.weights(), strict=True))
        else:
            plain.train(1)
    torch.testing.assert_close(scaled.weights(), plain.weights(), atol=1e-9, rtol=1e-9)


def test_closures_frozen_parameters_and_schedulers():
    runs = pair("AdamW decay", penalty=sw.L1(0.02))
    for run in runs:
        run.model[0].bias.requires_grad_(False)
        run.optimizer.zero_grad()
        rates = torch.optim.lr_scheduler.StepLR(run.optimizer, 2, 0.5)

        def closure(run=run):
            run.optimizer.zero_grad()
            loss = run.loss()
            loss.backward()
            return loss

        for _ in range(5):
            expected = run.loss().item()
            assert run.optimizer.step(closure).item() == expected
            rates.step()
    close(*runs)
    assert runs[1].model[0].bias not in runs[1].optimizer.state


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("case", ["AdamW", "AdamW decay", "SGD", "SGD dampening", "SGD nesterov"])
@pytest.mark.parametrize("penalty", [sw.L1(0.05), sw.MCP(0.05)], ids=["L1", "MCP"])
def test_a_gradient_that_is_not_finite_changes_nothing(case, steps, penalty):
    name, options = OPTIONS[case]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 40), nn.Linear(40, 1)).double()
    optimizer = getattr(sw.optim, name)(model.parameters(), **options)
    sw.attach(optimizer, model, penalty)
    x = torch.randn(20, 300, dtype=torch.float64)

    def gradients():
        optimizer.zero_grad()
        model(x).square().mean().backward()

    for _ in range(steps):
        gradients()
        optimizer.step()
    before = copy.deepcopy([dict(model.named_parameters()), optimizer.state_dict()["state"]])
    gradients()
    model[0].weight.grad[17, 5] = float("nan")
    with pytest.raises(
        FloatingPointError, match=r"gradient of 0.weight has NaN or infinite entries, so the step was not made"
    ):
        optimizer.step()
    after = [dict(model.named_parameters()), optimizer.state_dict()["state"]]
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(
            {k: v for k, v in first.items() if v is not None}, dict(second), atol=1e-12, rtol=1e-9
        )
    gradients()
    optimizer.step()


def test_sparse_gradients_are_torchs_business():
    def run(home, name):
        torch.manual_seed(0)
        model = nn.Embedding(5, 2, sparse=True)
        optimizer = getattr(home, name)(model.parameters(), lr=0.1)
        model(torch.tensor([1, 3])).square().sum().backward()
        optimizer.step()
        return model.weight.detach()

    assert torch.equal(run(torch.optim, "SGD"), run(sw.optim, "SGD"))
    with pytest.raises(RuntimeError, match="sparse gradients"):
        run(sw.optim, "AdamW")


def test_a_subclass_with_a_step_of_its_own_is_followed_from_outside():
    class Counted(sw.optim.AdamW):
        steps = 0

        def step(self, closure=None):
            self.steps += 1
            return super().step(closure)

    options = {"lr": 0.02, "weight_decay": 0.3}
    runs = [Run(torch.optim, "AdamW", options, penalty=sw.L1(0.02))]
    sw.optim.Counted = Counted
    try:
        runs.append(Run(sw.optim, "Counted", options, penalty=sw.L1(0.02)))
    finally:
        del sw.optim.Counted
    for run in runs:
        run.train(5)
    # Its step is announced twice, and the first announcement is taken back by an iteration.
    torch.testing.assert_close(runs[0].weights(), runs[1].weights(), atol=1e-9, rtol=0)
    assert runs[1].optimizer.steps == 5


def test_large_state_begins_apart_from_the_weights_in_a_page():
    p = torch.randn(700, 500).t()
    for place in (1, 2, 3):
        state = beside(p, place)
        assert (state.data_ptr() - p.data_ptr()) % 4096 == place * 1024
        assert state.shape == p.shape
        assert state.stride() == p.stride()
        assert not state.any()


def test_a_step_is_not_traced():
    runs = pair("AdamW", penalty=sw.L1(0.02))
    compiled = torch.compile(lambda run: run.optimizer.step(), backend="eager")
    for run in runs:
        for _ in range(3):
            run.optimizer.zero_grad()
            run.loss().backward()
            compiled(run) if run is runs[1] else run.optimizer.step()
    close(*runs)

"""Groups that span tensors: training is that of one stacked tensor under the plain formula."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

import shrinkwise as sw
from networks.problems import group_solution, regression, train
from shrinkwise.penalties import SpanningGroups

X = torch.randn(60, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = (X[:, :2].sum(1, keepdim=True) - 0.5 * X[:, 2:3] * X[:, :1]).sin()

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.02),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.0),
    "coupled decay": lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.01),
    "decoupled decay": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.005),
    "one pass": lambda p: sw.optim.AdamW(p, lr=0.02, weight_decay=0.1),
}
PENALTIES = {
    "group lasso": lambda groups: sw.GroupLasso(0.03, groups),
    "weighted": lambda groups: sw.GroupLasso(0.05, groups, weights=np.linspace(0.0, 2.0, 13)),
    "group MCP": lambda groups: sw.GroupMCP(0.08, groups),
    "sparse groups": lambda groups: sw.SparseGroupLasso(0.05, groups, 0.3),
    "with L1": lambda groups: sw.GroupLasso(0.02, groups) + sw.L1(0.005),
    "with L2 from the start": lambda groups: sw.GroupLasso(0.03, groups) + sw.L2(0.01, anchor="initial"),
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 1)).double()


@functools.cache
def removable():
    return sw.Groups.removable(network(), X)


class Stacked(nn.Module):
    """The same network with the tensors of the groups in one vector."""

    def __init__(self, tensors):
        super().__init__()
        self.net, self.tensors = network(), tensors
        params = dict(self.net.named_parameters())
        self.vector = nn.Parameter(torch.cat([params[name].detach().reshape(-1) for name in tensors]))
        for name in tensors:
            self.net.get_submodule(name.split(".")[0])._parameters.pop(name.split(".")[1])

    def pieces(self):
        lengths = [int(np.prod(shape)) for shape in self.tensors.values()]
        parts = self.vector.split(lengths)
        return {name: part.reshape(shape) for (name, shape), part in zip(self.tensors.items(), parts, strict=True)}

    def forward(self, x):
        own = dict(self.net.named_parameters())
        return functional_call(TEMPLATE, {**own, **self.pieces()}, (x,))


TEMPLATE = network()


def loss_of(model):
    return lambda: (model(X) - Y).square().mean()


def both(optimizer, penalty, **options):
    """(the network, the stacked one), each with what trains it."""
    groups = removable()
    made = []
    for model, its_groups in ((network(), groups), (Stacked(groups.tensors), sw.Groups(groups.labels))):
        opt = OPTIMIZERS[optimizer](model.parameters())
        rules = [sw.rule(PENALTIES[penalty](its_groups), names="vector" if len(made) else None)]
        made.append((model, opt, sw.attach(opt, model, rules, **options)))
    return made


def difference(model, stacked):
    params = dict(model.named_parameters())
    with torch.no_grad():
        pieces = stacked.pieces()
        assert all(torch.equal(params[name] == 0, w == 0) for name, w in pieces.items())
        return max(float((params[name] - w).abs().max()) for name, w in pieces.items())


CASES = [
    *((optimizer, "group lasso", {}) for optimizer in OPTIMIZERS),
    *(("Adam", penalty, {}) for penalty in PENALTIES if penalty != "group lasso"),
    ("momentum", "group lasso", {"method": "metric"}),
    ("Adam", "group lasso", {"method": "metric"}),
    ("Adam", "sparse groups", {"method": "metric"}),
    ("momentum", "group lasso", {"max_norm": 0.2}),
    ("Adam", "group lasso", {"start": "shrink"}),
    ("Adam", "group lasso", {"schedule": sw.networks.warmup(30)}),
]


SHORT = ("AdamW-group lasso-{}", "decoupled decay-group lasso-{}", "Adam-sparse groups-{'method': 'metric'}")
PARAMS = [
    pytest.param(
        *case, id="-".join(map(str, case)), marks=[] if "-".join(map(str, case)) in SHORT else pytest.mark.thorough
    )
    for case in CASES
]


@pytest.mark.parametrize(("optimizer", "penalty", "options"), PARAMS)
def test_it_is_the_training_of_one_stacked_tensor(optimizer, penalty, options):
    (model, opt, reg), (stacked, its_opt, its_reg) = both(optimizer, penalty, **options)
    for _ in range(60):
        for m, o in ((model, opt), (stacked, its_opt)):
            o.zero_grad()
            loss_of(m)().backward()
            o.step()
    assert difference(model, stacked) < 1e-10
    assert reg.value() == pytest.approx(its_reg.value(), rel=1e-10)
    mine, theirs = reg.report(), its_reg.report()
    assert (mine.zero_groups, mine.groups) == (theirs.zero_groups, theirs.groups)
    one, other = reg.certificate(loss_of(model)), its_reg.certificate(loss_of(stacked))
    assert (one.rms, one.largest) == pytest.approx((other.rms, other.largest), rel=1e-8)
    assert one.objective == pytest.approx(other.objective, rel=1e-10)
    if reg.method == "normal_map":
        assert mine.tensors[0].threshold == pytest.approx(theirs.tensors[0].threshold, rel=1e-10)
        average, its_average = reg.averaged(0.5), its_reg.averaged(0.5)
        for m, o in ((model, opt), (stacked, its_opt)):
            o.zero_grad()
            loss_of(m)().backward()
            o.step()
        assert difference(average.model, its_average.model) < 1e-10
    reg.polish(loss_of(model), steps=3)
    its_reg.polish(loss_of(stacked), steps=3)
    assert difference(model, stacked) < 1e-8


def test_tensors_begin_anew_together_when_one_of_them_was_changed_between_steps():
    made = both("Adam", "group lasso")
    (model, *_), (stacked, *_) = made

    def ten_steps():
        for m, opt, _ in made:
            steps(m, opt, 10)

    ten_steps()
    with torch.no_grad():
        model[2].bias.mul_(3.0)
        stacked.pieces()["2.bias"].mul_(3.0)
    with pytest.warns(UserWarning, match="changed by other code") as warned:
        ten_steps()
    assert difference(model, stacked) < 1e-10
    said = [str(one.message).split(" were")[0] for one in warned]
    assert said == ["The weights of tensors that groups span", "The weights of vector"]


@pytest.mark.parametrize(
    "optimizer", ["Adam", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("SGD", "momentum", "AdamW"))]
)
def test_the_solution_is_that_of_the_stacked_problem_and_lambda_is_the_one_written(optimizer):
    """Two layers beside each other; a group is an input's weights in both, so W is the rows of one below those of the other."""
    inputs, outputs = regression(outputs=3)
    x, y = torch.as_tensor(inputs), torch.as_tensor(outputs)
    exact = group_solution(inputs, outputs, 0.15)
    torch.manual_seed(0)
    model = nn.ModuleDict({"one": nn.Linear(20, 1, bias=False), "two": nn.Linear(20, 2, bias=False)}).double()

    def loss():
        found = torch.cat([model["one"](x), model["two"](x)], 1)
        return 0.5 * (found - y).square().sum(1).mean()

    columns = np.arange(20)[None, :]
    groups = SpanningGroups(
        {"one.weight": columns, "two.weight": columns}, {"one.weight": (1, 20), "two.weight": (2, 20)}, 20
    )
    opt = OPTIMIZERS[optimizer](model.parameters())
    for group in opt.param_groups:
        group["lr"] *= 2.5
    reg = sw.attach(opt, model, sw.GroupLasso(0.15, groups))
    train(opt, loss, 1000)
    found = reg.certificate(loss)
    assert found.lam_ratio == pytest.approx(1.0, abs=1e-6)
    assert found.largest < 1e-6
    reg.polish(loss, steps=200)
    W = torch.cat([model["one"].weight, model["two"].weight]).detach().numpy()
    assert np.abs(W - exact).max() < 1e-10
    assert 0 < reg.report().zero_groups == int((np.linalg.norm(exact, axis=0) == 0).sum())


def test_training_ends_with_a_smaller_network():
    model, opt, reg = begin()
    steps(model, opt, 300)
    small, proof = reg.compact(X)
    zero = reg.report().zero_groups
    assert 0 < zero < 13
    assert small[0].out_features + small[2].out_features == 13 - zero
    assert proof.relative_diff < 1e-12


def begin(penalty=None):
    model = network()
    opt = OPTIMIZERS["Adam"](model.parameters())
    return model, opt, sw.attach(opt, model, penalty or sw.GroupLasso(0.03, removable()))


def steps(model, opt, n):
    for _ in range(n):
        opt.zero_grad()
        loss_of(model)().backward()
        opt.step()


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def assert_same(one, other):
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
def test_a_saved_run_goes_on_bit_by_bit(how):
    model, opt, _ = begin()
    steps(model, opt, 5)
    if how == "state_dict":
        other, its_opt, _ = begin()
        other.load_state_dict(model.state_dict())
        its_opt.load_state_dict(copy.deepcopy(opt.state_dict()))
    elif how == "pickle":
        other, its_opt = pickle.loads(pickle.dumps((model, opt)))
    else:
        other, its_opt = copy.deepcopy((model, opt))
    steps(model, opt, 5)
    steps(other, its_opt, 5)
    assert_same(model, other)


def test_lambda_can_be_changed_also_group_by_group():
    model, opt, reg = begin()
    steps(model, opt, 3)
    reg.set_lam(0.0)
    free = reg.value()
    assert free == 0.0
    each = torch.zeros(13)
    each[4] = 50.0
    reg.set_lam(each)
    steps(model, opt, 60)
    zero = removable().norms(model) == 0
    assert zero.tolist() == [k == 4 for k in range(13)]


def test_a_tensor_out_of_reach_of_a_step_is_penalised_with_the_others():
    model, opt, reg = begin()
    steps(model, opt, 3)
    opt.zero_grad()
    loss_of(model)().backward()
    model[2].bias.grad = None
    before = reg._stepper.steps
    opt.step()
    assert reg._stepper.steps == before + 1
    assert model[2].bias.grad is None
    assert len(opt.state[model[2].bias]) == len(opt.state[model[0].bias])


def test_a_step_with_a_gradient_that_is_not_finite_moves_nothing():
    model, opt, _ = begin()
    steps(model, opt, 3)
    before = weights(model)
    loss_of(model)().backward()
    model[0].bias.grad[0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"0\.bias"):
        opt.step()
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))


def test_groups_with_entries_in_what_is_left_out_are_left_out():
    model = network()
    model[0].bias.requires_grad_(False)
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    reg = sw.attach(opt, model, sw.GroupLasso(0.03, removable()))
    assert reg.report().groups == 5
    assert [t.name for t in reg.report().tensors] == ["2.bias", "2.weight"]
    assert "frozen" in dict(reg.report().left)["0.bias"]
    model = network()
    rules = [sw.rule(None, names="2.bias"), sw.GroupLasso(0.03, removable(), weights=np.arange(13.0))]
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, rules)
    assert reg.report().groups == 8
    kept = reg.terms[0].map.penalty.weights
    assert list(kept) == list(range(8))


def test_what_cannot_be_is_said():
    model, groups = network(), removable()
    opt = torch.optim.Adam(model.parameters())
    with pytest.raises(ValueError, match="rule 1 takes it first; write both penalties"):
        sw.attach(opt, model, [sw.rule(sw.L1(0.1), names="0.weight"), sw.GroupLasso(0.1, groups)])
    with pytest.raises(ValueError, match=r"make them with sw\.Groups\.removable"):
        sw.attach(opt, nn.Linear(6, 8).double(), sw.GroupLasso(0.1, groups))
    with pytest.raises(TypeError, match="cannot act on several tensors at once"):
        sw.attach(opt, model, sw.GroupLasso(0.1, groups) + sw.SLOPE(0.1))
    with pytest.raises(ValueError, match="These groups span 4 tensors of a network"):
        sw.GroupLasso(0.1, groups).value(np.zeros(5))
    with pytest.raises(ValueError, match="Expected one weight per group"):
        sw.attach(opt, model, sw.GroupLasso(0.1, groups, weights=[1.0]))
    sw.attach(opt, model, sw.GroupLasso(0.1, groups))
    steps(model, opt, 1)
    model[0].bias.requires_grad_(False)
    model[0].bias.grad = None
    with pytest.raises(ValueError, match=r"0\.bias is frozen, but its groups have entries in tensors that are trained"):
        steps(model, opt, 1)


def test_the_differentiable_penalty_is_that_of_the_stacked_tensor():
    groups = removable()
    model, stacked = network(), Stacked(groups.tensors)
    value = sw.networks.penalty(model, sw.GroupLasso(0.1, groups))
    value.backward()
    theirs = sw.GroupLasso(0.1, sw.Groups(groups.labels)).value(stacked.vector)
    theirs.backward()
    assert float(value.detach()) == pytest.approx(float(theirs.detach()), rel=1e-12)
    mine = torch.cat([dict(model.named_parameters())[name].grad.reshape(-1) for name in groups.tensors])
    torch.testing.assert_close(mine, stacked.vector.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("as_array", [np.asarray, torch.as_tensor])
def test_spanning_groups_are_labelled_groups_of_the_vector_of_all_entries(as_array):
    labels = {"a": np.array([[0], [-1], [2]]), "b": np.array([[1, 1], [2, 0]])}
    groups = SpanningGroups(labels, {"a": (3, 2), "b": (2, 2)}, 3)
    plain = sw.Groups([0, 0, -1, -1, 2, 2, 1, 1, 2, 0])
    w = as_array(np.random.default_rng(0).standard_normal(10))
    for mine, theirs in (
        (groups.norms(w), plain.norms(w)),
        (groups.gather(w), plain.gather(w)),
        (groups.sizes(w), plain.sizes(w)),
        (groups.spread(w[:3], w, outside=9.0), plain.spread(w[:3], w, outside=9.0)),
    ):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-14)
    inner, numbers = groups.within(["b"])
    assert (list(inner.tensors), list(numbers), inner.n_groups) == (["b"], [1], 1)
    assert list(inner.labels) == [0, 0, -1, -1]

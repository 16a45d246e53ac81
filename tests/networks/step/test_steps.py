"""What happens around a step: acts once a real step, leaves gradients alone, and can always go back."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import Lion, elastic_net_solution, linear, regression, train

LAM = 0.05


def setup(make=lambda p: torch.optim.Adam(p, lr=0.02), regularizer=None, **options):
    model, loss = linear(*regression())
    optimizer = make(model.parameters())
    return model, loss, optimizer, sw.attach(optimizer, model, regularizer or sw.L1(LAM), **options)


def step(optimizer, loss, times=1):
    for _ in range(times):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def latent(optimizer, model):
    return optimizer.state[model.weight]["shrinkwise_z"]


def snapshot(model, optimizer):
    return [model.weight.detach().clone(), latent(optimizer, model).clone()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_nothing_moves_and_nothing_is_stored_before_the_first_step():
    model, _ = linear(*regression())
    before = model.weight.detach().clone()
    optimizer = torch.optim.Adam(model.parameters())
    reg = sw.attach(optimizer, model, sw.L1(LAM))
    assert torch.equal(model.weight, before)
    assert not optimizer.state
    assert reg.value() == pytest.approx(LAM * float(before.abs().sum()))
    assert reg.report().tensors[0].threshold is None


def test_the_term_added_at_the_first_step_is_the_subgradient():
    model, loss, optimizer, _ = setup(lambda p: torch.optim.SGD(p, lr=1e-3))
    w = model.weight.detach().clone()
    t = float(w.abs().mean())
    step(optimizer, loss)
    gradient = model.weight.grad
    torch.testing.assert_close(latent(optimizer, model), w + t * w.sign() - 1e-3 * (gradient + LAM * w.sign()))


def test_the_gradient_stays_as_the_user_had_it():
    model, loss, optimizer, _ = setup()
    step(optimizer, loss, 3)
    loss().backward()
    gradient, values = model.weight.grad, model.weight.grad.clone()
    optimizer.step()
    assert model.weight.grad is gradient
    assert torch.equal(gradient, values)


def test_accumulated_gradients_act_once():
    once, twice = setup(), setup()
    for _ in range(5):
        step(once[2], once[1])
        twice[2].zero_grad()
        (twice[1]() / 2).backward()
        (twice[1]() / 2).backward()
        twice[2].step()
    torch.testing.assert_close(once[0].weight, twice[0].weight, atol=1e-12, rtol=0)


@pytest.mark.parametrize("by_keyword", [False, True])
def test_a_closure_sees_the_weights_and_cannot_erase_the_term(by_keyword):
    model, loss, optimizer, _ = setup()
    other, other_loss, other_optimizer, _ = setup()
    seen = model.weight.detach().clone()

    def closure():
        assert torch.equal(model.weight, seen)
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(4):
        step(other_optimizer, other_loss)
        expected = loss().item()
        value = optimizer.step(closure=closure) if by_keyword else optimizer.step(closure)
        assert value.item() == expected
        seen.copy_(model.weight.detach())
    assert same(snapshot(model, optimizer), snapshot(other, other_optimizer))


def test_frozen_and_gradient_less_parameters_are_left_alone():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1))
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    sw.attach(optimizer, model, sw.L1(1.0))
    before = [layer.weight.detach().clone() for layer in model]
    model[2](torch.ones(2, 3)).sum().backward()
    optimizer.step()
    assert torch.equal(model[0].weight, before[0])
    assert torch.equal(model[1].weight, before[1])
    assert not torch.equal(model[2].weight, before[2])
    assert model[1].weight not in optimizer.state


def test_a_frozen_parameter_outside_the_optimizer_is_said():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.Adam(p for p in model.parameters() if p.requires_grad)
    assert ("0.weight", "frozen") in sw.attach(optimizer, model, sw.L1(1.0)).report().left


def test_a_step_of_learning_rate_zero_does_not_count():
    model, loss, optimizer, _ = setup()
    optimizer.param_groups[0]["lr"] = 0.0
    before = model.weight.detach().clone()
    step(optimizer, loss)
    assert torch.equal(optimizer.state[model.weight]["shrinkwise_z"], before)
    assert optimizer.state[model.weight]["shrinkwise_t"] == 0.0
    optimizer.param_groups[0]["lr"] = 0.02
    step(optimizer, loss, 3)
    seen = snapshot(model, optimizer)
    optimizer.param_groups[0]["lr"] = 0.0
    step(optimizer, loss)
    assert same(snapshot(model, optimizer), seen)
    assert not torch.equal(before, seen[0])


def test_groups_keep_their_own_learning_rate_and_decay():
    X, Y = regression()
    halves = nn.ModuleDict({"a": nn.Linear(10, 1, bias=False), "b": nn.Linear(10, 1, bias=False)}).double()
    data, target = torch.as_tensor(X), torch.as_tensor(Y)
    loss = lambda: 0.5 * (halves["a"](data[:, :10]) + halves["b"](data[:, 10:]) - target).square().mean()  # noqa: E731
    groups = [
        {"params": halves["a"].parameters(), "lr": 0.1, "weight_decay": 0.2},
        {"params": halves["b"].parameters(), "lr": 0.03},
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    rules = [sw.rule(sw.L1(LAM), names="a.*"), sw.rule(sw.L1(2 * LAM), names="b.*")]
    sw.attach(optimizer, halves, rules)
    train(optimizer, loss, 800)
    first = np.arange(20) < 10
    # Coupled decay is ½ wd w² in the objective; rescaled inputs turn differing strengths into one problem.
    exact = elastic_net_solution(X, Y[:, 0], np.where(first, LAM, 2 * LAM), np.where(first, 0.2, 0.0))
    W = torch.cat([halves["a"].weight, halves["b"].weight], 1).detach().numpy()[0]
    np.testing.assert_allclose(W, exact, atol=1e-8)
    assert ((W == 0) == (exact == 0)).all()


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adam, torch.optim.NAdam, torch.optim.RMSprop])
def test_coupled_weight_decay_stays_the_ridge_it_was(make):
    X, Y = regression()
    model, loss, optimizer, reg = setup(
        lambda p: make(p, lr=0.1 if make is torch.optim.SGD else 0.03, weight_decay=0.3)
    )
    train(optimizer, loss, 600)
    exact = elastic_net_solution(X, Y[:, 0], LAM, 0.3)
    np.testing.assert_allclose(model.weight.detach().numpy()[0], exact, atol=1e-7)
    assert ((model.weight.detach().numpy()[0] == 0) == (exact == 0)).all()
    assert reg.certificate(loss).largest <= 1e-5


@pytest.mark.parametrize(
    "make", [torch.optim.AdamW, lambda p, **k: torch.optim.Adam(p, decoupled_weight_decay=True, **k)]
)
def test_decoupled_weight_decay_shrinks_the_weights_and_not_the_latent(make):
    # At rest the step of Adam (with a large eps, so that it depends on the gradient's size) balances wd·w.
    model, loss, optimizer, reg = setup(
        lambda p: make(p, lr=0.05, eps=1.0, betas=(0.9, 0.9), weight_decay=0.3), sw.L1(0.2)
    )
    train(optimizer, loss, 800)
    w = model.weight.detach()
    (gradient,) = torch.autograd.grad(loss(), model.weight)
    kept = w != 0
    assert 0 < kept.sum() < 20
    total = gradient[kept] + 0.2 * w[kept].sign()
    torch.testing.assert_close(total / (total.abs() + 1.0), -0.3 * w[kept], atol=1e-5, rtol=0)
    assert (gradient[~kept].abs() <= 0.2).all()
    assert "decoupled weight decay" in reg.certificate(loss).status


def test_weight_decay_of_an_unknown_kind_is_refused():
    model, loss = linear(*regression())
    with pytest.raises(ValueError, match=r"weight_decay=0.1 of Lion.*from_weight_decay"):
        sw.attach(Lion(model.parameters(), weight_decay=0.1), model, sw.L1(LAM))
    optimizer = Lion(model.parameters())
    sw.attach(optimizer, model, sw.L1(LAM))
    optimizer.param_groups[0]["weight_decay"] = 0.1
    before = model.weight.detach().clone()
    with pytest.raises(ValueError, match="weight_decay"):
        step(optimizer, loss)
    assert torch.equal(model.weight, before)


def test_weights_changed_from_outside_are_taken_over_and_it_is_said():
    model, loss, optimizer, reg = setup()
    step(optimizer, loss, 3)
    threshold = reg.report().tensors[0].threshold
    torch.manual_seed(5)
    new = torch.randn(1, 20, dtype=torch.float64)
    model.load_state_dict({"weight": new})
    loss().backward()
    with pytest.warns(UserWarning, match="weights of weight were changed by other code"):
        optimizer.step()
    assert float((model.weight.detach() - new).abs().max()) <= 0.1
    assert reg.report().tensors[0].threshold == threshold
    assert "changed by other code" in str(reg.report())
    step(optimizer, loss, 2)  # without another warning


def test_weights_swapped_away_and_back_are_no_change():
    model, loss, optimizer, _ = setup()
    reference = setup()
    step(optimizer, loss, 3)
    step(reference[2], reference[1], 6)
    kept = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.zero_()
        model.weight.copy_(kept)
    step(optimizer, loss, 3)
    assert same(snapshot(model, optimizer), snapshot(reference[0], reference[2]))


def test_a_fused_step_that_a_scaler_skips_moves_nothing():
    model, loss, optimizer, _ = setup(lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.3, fused=True))
    step(optimizer, loss, 3)
    seen = snapshot(model, optimizer)
    loss().backward()
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(1.0)
    optimizer.step()
    assert same(snapshot(model, optimizer), seen)


def test_a_fused_step_unscales_the_term_with_the_gradient():
    scaled, plain = (setup(lambda p: torch.optim.AdamW(p, lr=0.02, fused=True)) for _ in range(2))
    for _ in range(4):
        step(plain[2], plain[1])
        scaled[2].zero_grad()
        (1024 * scaled[1]()).backward()
        scaled[2].grad_scale, scaled[2].found_inf = torch.tensor(1024.0), torch.tensor(0.0)
        scaled[2].step()
    torch.testing.assert_close(scaled[0].weight, plain[0].weight, atol=1e-9, rtol=0)  # it unscales in float32


@pytest.mark.parametrize("fused", [False, True])
def test_a_real_grad_scaler(fused):
    model, loss, optimizer, _ = setup(lambda p: torch.optim.SGD(p, lr=0.05, fused=fused))
    reference = setup(lambda p: torch.optim.SGD(p, lr=0.05, fused=fused))
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for k in range(5):
        overflow = k == 2
        optimizer.zero_grad()
        scaler.scale(loss() * (float("inf") if overflow else 1.0)).backward()
        before = model.weight.detach().clone()
        scaler.step(optimizer)
        scaler.update()
        if overflow:
            assert torch.equal(model.weight, before)
        else:
            step(reference[2], reference[1])
    torch.testing.assert_close(model.weight, reference[0].weight, atol=1e-9, rtol=0)


@pytest.mark.parametrize("schedule_first", [False, True])
def test_schedulers_accept_the_optimizer(schedule_first):
    model, loss = linear(*regression())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    make = lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)  # noqa: E731
    schedule = make() if schedule_first else None
    reg = sw.attach(optimizer, model, sw.L1(0.5))
    schedule = schedule or make()
    for _ in range(50):
        step(optimizer, loss)
        schedule.step()
    assert reg.zeros()["weight"] > 0
    assert optimizer.param_groups[0]["lr"] < 1e-9


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # torch's own import
def test_a_compiled_step_gives_the_same_weights():
    model, loss, optimizer, _ = setup(lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9))
    reference = setup(lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9))
    compiled = torch.compile(optimizer.step, backend="eager")
    for _ in range(4):
        optimizer.zero_grad()
        loss().backward()
        compiled()
    step(reference[2], reference[1], 4)
    torch.testing.assert_close(snapshot(model, optimizer), snapshot(reference[0], reference[2]), atol=1e-12, rtol=0)


def test_an_interrupted_step_leaves_the_weights_of_its_latents_and_the_gradient():
    class Interrupted(torch.optim.Optimizer):
        now = False

        @torch.no_grad()
        def step(self, closure=None):
            if self.now:
                raise KeyboardInterrupt
            for p in self.param_groups[0]["params"]:
                p.sub_(0.1 * p.grad)

    model, loss, optimizer, reg = setup(lambda p: Interrupted(p, {}))
    step(optimizer, loss, 20)
    seen = snapshot(model, optimizer)
    loss().backward()
    gradient = model.weight.grad.clone()
    optimizer.now = True
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert same(snapshot(model, optimizer), seen)
    assert torch.equal(model.weight.grad, gradient)
    optimizer.now = False
    step(optimizer, loss, 2)
    assert reg.report().notes == []


def test_a_step_interrupted_half_way_leaves_weights_that_belong_to_their_latents():
    class Interrupted(torch.optim.Optimizer):
        now = False

        @torch.no_grad()
        def step(self, closure=None):
            for p in self.param_groups[0]["params"]:
                p.sub_(0.1 * p.grad)
                if self.now:
                    raise KeyboardInterrupt

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5, bias=False), nn.Linear(5, 1, bias=False))
    x, optimizer = torch.randn(10, 6), Interrupted(model.parameters(), {})
    reg = sw.attach(optimizer, model, sw.L1(LAM))
    step(optimizer, lambda: model(x).square().mean(), 5)
    optimizer.now = True
    with pytest.raises(KeyboardInterrupt):
        step(optimizer, lambda: model(x).square().mean())
    for layer in model:
        state = optimizer.state[layer.weight]
        expected = sw.L1(1.0).prox(state["shrinkwise_z"], state["shrinkwise_t"])
        torch.testing.assert_close(layer.weight.detach(), expected)
    optimizer.now = False
    step(optimizer, lambda: model(x).square().mean(), 2)
    assert reg.report().notes == []


def test_a_step_that_calls_its_parents_step_acts_once():
    class Child(Lion):
        def step(self, closure=None):
            return super().step(closure)

    parent, child = setup(lambda p: Lion(p, lr=0.01)), setup(lambda p: Child(p, lr=0.01))
    for _, loss, optimizer, _ in (parent, child):
        step(optimizer, loss, 10)
    torch.testing.assert_close(snapshot(parent[0], parent[2]), snapshot(child[0], child[2]), atol=1e-12, rtol=0)


def test_a_failing_closure_leaves_everything_as_it_was():
    model, loss, optimizer, _ = setup()
    step(optimizer, loss, 3)
    seen = snapshot(model, optimizer)

    def closure():
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        optimizer.step(closure)
    assert same(snapshot(model, optimizer), seen)


def test_an_optimizer_that_runs_its_closure_twice_is_refused():
    class Twice(torch.optim.Optimizer):
        def step(self, closure):
            closure()
            closure()

    model, loss, optimizer, _ = setup(lambda p: Twice(p, {}))
    before = model.weight.detach().clone()

    def closure():
        loss().backward()

    with pytest.raises(RuntimeError, match="twice per step"):
        optimizer.step(closure)
    torch.testing.assert_close(model.weight, before, atol=1e-15, rtol=1e-15)


def test_detaching_leaves_the_plain_optimizer():
    model, loss, optimizer, reg = setup(regularizer=sw.L1(0.5))
    train(optimizer, loss, 60)
    zeros = reg.zeros()["weight"]
    assert zeros > 0
    reg.detach()
    assert (model.weight == 0).sum() == zeros
    assert type(optimizer) is torch.optim.Adam
    assert not any(key.startswith("shrinkwise") for key in optimizer.state[model.weight])
    copy, copy_loss = linear(*regression())
    copy.load_state_dict(model.state_dict())
    plain = torch.optim.Adam(copy.parameters(), lr=0.02)
    plain.load_state_dict(deepcopy(optimizer.state_dict()))
    step(optimizer, loss, 3)
    step(plain, copy_loss, 3)
    assert torch.equal(model.weight, copy.weight)
    assert reg.report().notes == ["the penalty was detached"]
    with pytest.raises(ValueError, match="already detached"):
        reg.detach()


def test_set_lam_for_one_rule_of_several():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(model.parameters())
    reg = sw.attach(optimizer, model, [sw.rule(sw.L1(0.1), names="0.*"), sw.rule(sw.L2(0.2) + sw.L1(0.1))])
    with pytest.raises(ValueError, match=r"several penalties.*\[1, 2\]"):
        reg.set_lam(1.0)
    with pytest.raises(ValueError, match="Rule 3 penalises no parameter"):
        reg.set_lam(1.0, rule=3)
    with pytest.raises(ValueError, match="finite and ≥ 0"):
        reg.set_lam(-1.0, rule=1)
    reg.set_lam(0.5, rule=1)
    reg.set_lam(2.0, rule=2)
    w0, w1 = model[0].weight, model[1].weight
    value = 0.5 * w0.abs().sum() + 0.4 * w1.square().sum() + 0.2 * w1.abs().sum()
    assert reg.value() == pytest.approx(value.item())


def test_the_lambda_of_a_partly_fixed_sum_is_not_changed():
    _, _, _, reg = setup(regularizer=sw.L1(0.1) + sw.L2(0.1).fixed())
    with pytest.raises(ValueError, match="partly fixed"):
        reg.set_lam(1.0)


def sparse_gradient():
    model = nn.Embedding(5, 2, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sw.attach(optimizer, model, sw.rule(sw.L1(0.1), names="weight"))
    model(torch.tensor([1])).sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda m: sw.attach(torch.optim.LBFGS(m.parameters()), m, sw.L1(1)), ValueError, "LBFGS"),
        (lambda m: sw.attach(torch.optim.SparseAdam(m.parameters()), m, sw.L1(1)), ValueError, "SparseAdam"),
        (lambda m: sw.attach(torch.optim.ASGD(m.parameters()), m, sw.L1(1)), ValueError, "set lambd=0"),
        (
            lambda m: sw.attach(torch.optim.SGD(m.parameters(), maximize=True), m, sw.L1(1)),
            ValueError,
            "negate the loss",
        ),
        (lambda m: sw.attach(m, m, sw.L1(1)), TypeError, r"torch.optim.Optimizer, got Linear"),
        (lambda m: sw.attach(torch.optim.SGD(m.parameters()), "m", sw.L1(1)), TypeError, "torch.nn.Module, got str"),
        (lambda m: sw.attach(torch.optim.SGD(m.parameters()), m, 0.1), TypeError, "got float"),
        (
            lambda m: sw.attach(torch.optim.SGD(m.parameters()), m, sw.L1(1), method="prox"),
            ValueError,
            "'normal_map', 'metric', 'gradient'",
        ),
        (lambda m: sw.attach(torch.optim.SGD(m.parameters()), m, sw.L1(1), threshold=0), ValueError, "threshold"),
        (lambda m: sw.attach(torch.optim.SGD([m.bias]), m, sw.L1(1)), ValueError, "does not train weight"),
        (
            lambda m: sw.attach(torch.optim.SGD(m.parameters()), m, sw.L1(1, weights=[1, 2])),
            ValueError,
            "does not fit weight",
        ),
        (
            lambda m: sw.attach(torch.optim.SGD(m.parameters()), m, sw.GroupLasso(1, [0, 1])),
            ValueError,
            r"does not fit weight of shape \(2, 3\)",
        ),
        (
            lambda m: sw.attach(torch.optim.SGD(m.parameters()), m, sw.rule(sw.L1(1), names="x")),
            ValueError,
            "There is no parameter to penalise",
        ),
        (
            lambda m: sw.attach(
                torch.optim.SGD(m.parameters()), m, sw.GroupLasso(1, sw.Groups.rows()) + sw.GroupLasso(1, [0] * 3)
            ),
            TypeError,
            "no closed-form prox",
        ),
        (lambda m: sparse_gradient(), RuntimeError, "sparse gradient"),
    ],
)
def test_misuse_is_refused_in_a_sentence(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call(nn.Linear(3, 2))
    assert "\n" not in str(caught.value)


def test_attaching_twice_is_refused_and_changes_nothing():
    model, _, optimizer, reg = setup()
    with pytest.raises(ValueError, match="already has a penalty attached"):
        sw.attach(optimizer, model, sw.L2(1.0))
    assert reg.report().tensors[0].penalty == "L1(0.05)"


def test_a_rule_that_matches_nothing_is_said():
    model = nn.Linear(3, 2)
    with pytest.warns(UserWarning, match=r"rule L2\(0.1\) for names wieght matches no parameter"):
        sw.attach(
            torch.optim.SGD(model.parameters()), model, [sw.rule(sw.L2(0.1), names="wieght"), sw.rule(sw.L1(0.1))]
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fused", [False, True])
def test_a_gradient_that_is_not_finite_is_refused_and_changes_nothing(value, steps, dtype, fused):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)).to(dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1, fused=fused)
    sw.attach(optimizer, model, sw.L1(LAM))
    x = torch.randn(20, 6, dtype=dtype)
    step(optimizer, lambda: model(x).square().mean(), steps)
    latents = [optimizer.state[p].get("shrinkwise_z", p.detach()).clone() for p in model.parameters()]
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.zero_grad()
    model(x).square().mean().backward()
    model[2].weight.grad[0, 1] = value
    gradients = [p.grad.clone() for p in model.parameters()]
    with pytest.raises(
        FloatingPointError, match=r"gradient of 2.weight has NaN or infinite entries, so the step was not made"
    ):
        optimizer.step()
    for p, w, z, g in zip(model.parameters(), before, latents, gradients, strict=True):
        tiny = {"atol": 1e-7, "rtol": 1e-6} if dtype == torch.float32 else {"atol": 0, "rtol": 0}
        torch.testing.assert_close(p.detach(), w, **tiny)
        torch.testing.assert_close(optimizer.state[p].get("shrinkwise_z", p.detach()), z, atol=1e-7, rtol=1e-6)
        assert torch.equal(p.grad, g) or p is model[2].weight
    step(optimizer, lambda: model(x).square().mean(), 2)


def test_a_model_made_anew_is_said():
    model, _, optimizer, reg = setup()
    new = nn.Linear(20, 1, bias=False).double()
    new(torch.ones(1, 20, dtype=torch.float64)).sum().backward()
    for _ in range(9):
        optimizer.step()
    with pytest.warns(UserWarning, match="No parameter of the optimizer had a gradient in 10 consecutive steps"):
        optimizer.step()
    model.weight = nn.Parameter(torch.zeros(1, 20))
    with pytest.raises(ValueError, match="weight is no longer a parameter of the model because"):
        reg.report()


def test_a_model_moved_to_another_type_goes_on():
    model, loss, optimizer, reg = setup(lambda p: torch.optim.SGD(p, lr=0.02))
    step(optimizer, loss, 2)
    model.float()
    x = torch.randn(8, 20)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    assert latent(optimizer, model).dtype == model.weight.dtype == torch.float32
    assert reg.report().notes == []


def test_the_normal_map_keeps_one_copy_and_the_others_none():
    for method, copies in {"normal_map": 1, "metric": 0, "gradient": 0}.items():
        model = nn.Linear(300, 200, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        sw.attach(optimizer, model, sw.L2(0.1), method=method)
        address = model.weight.data_ptr()
        for _ in range(2):
            model.weight.grad = torch.randn(200, 300)
            optimizer.step()
        kept = [v for v in optimizer.state.get(model.weight, {}).values() if isinstance(v, torch.Tensor)]
        assert sum(v.numel() for v in kept) == copies * model.weight.numel()
        assert model.weight.data_ptr() == address


def test_weights_in_another_order_of_memory():
    torch.manual_seed(0)
    runs = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(1)
        model = nn.Conv2d(3, 4, 3).to(memory_format=memory_format)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        sw.attach(optimizer, model, sw.GroupLasso(0.1, groups=sw.Groups.channels("in")))
        x = torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(2))
        step(optimizer, lambda model=model, x=x: model(x).square().mean(), 5)
        assert model.weight.is_contiguous(memory_format=memory_format)
        runs.append(model.weight.detach())
    torch.testing.assert_close(*runs)

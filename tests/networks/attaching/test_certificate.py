"""The certificate says what is so: residuals by hand, scale invariance, dropout's noise, and nothing left changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import linear, regression, train
from shrinkwise.networks import penalty


def untrained(regularizer, **optimizer_options):
    model, loss = linear(*regression(outputs=2))
    with torch.no_grad():
        model.weight[:, ::3] = 0
    optimizer = torch.optim.Adam(model.parameters(), **optimizer_options)
    (gradient,) = torch.autograd.grad(loss(), model.weight)
    return model, loss, sw.attach(optimizer, model, regularizer), gradient


def test_residuals_and_effective_lambda_are_those_of_the_formulas():
    model, loss, reg, g = untrained(sw.L1(0.2))
    w = model.weight.detach()
    residual = torch.where(w != 0, (g + 0.2 * w.sign()).abs(), (g.abs() - 0.2).clamp(min=0)) / 0.2
    certificate = reg.certificate(loss)
    (tensor,) = certificate.tensors
    assert tensor.rms == certificate.rms == pytest.approx(residual.square().mean().sqrt().item())
    assert tensor.largest == certificate.largest == pytest.approx(residual.max().item())
    assert tensor.lam_ratio == certificate.lam_ratio == pytest.approx((-(w * g).sum() / (0.2 * w.abs().sum())).item())
    assert (tensor.zeros, tensor.size, tensor.parts) == (14, 40, 40)
    assert certificate.loss == pytest.approx(loss().item())
    assert certificate.objective == pytest.approx(loss().item() + 0.2 * w.abs().sum().item())
    assert "Not converged" in certificate.status


def test_groups_and_sums_are_measured_in_their_own_parts():
    _, loss, reg, _ = untrained(sw.GroupLasso(0.2, groups=sw.Groups.columns()))
    assert reg.certificate(loss).tensors[0].parts == 20
    runs = [untrained(regularizer) for regularizer in (sw.ElasticNet(0.5, 0.4), sw.L1(0.2) + sw.L2(0.15))]
    both = [reg.certificate(loss).tensors[0] for _, loss, reg, _ in runs]
    assert both[0].rms * 0.5 == pytest.approx(both[1].rms * 0.35)  # λ of a sum: the total of its terms
    assert both[0].lam_ratio == pytest.approx(both[1].lam_ratio)


def test_coupled_weight_decay_belongs_to_the_loss():
    model, loss, plain, _ = untrained(sw.L1(0.2))
    _, decayed_loss, decayed, _ = untrained(sw.L1(0.2), weight_decay=0.3)
    w = model.weight.detach()
    extra = -(0.3 * w * w).sum() / (0.2 * w.abs().sum())
    expected = plain.certificate(loss).lam_ratio + extra.item()
    assert decayed.certificate(decayed_loss).lam_ratio == pytest.approx(expected)


def test_a_weight_of_zeros_has_no_effective_lambda():
    model, loss, reg, _ = untrained(sw.L1(1e3))
    with torch.no_grad():
        model.weight.zero_()
    certificate = reg.certificate(loss)
    assert math.isnan(certificate.lam_ratio)
    assert certificate.status.startswith("λ is enforced: KKT residual 0 of λ (rms).")


def test_batches_of_any_size_give_the_gradient_of_the_mean():
    X, Y = (torch.as_tensor(a) for a in regression(outputs=2))
    model, loss, reg, _ = untrained(sw.L1(0.2))
    loader = [(X[:70], Y[:70]), (X[70:], Y[70:])]
    by_batch = reg.certificate(lambda out, y: 0.5 * (out - y).square().sum(1).mean(), loader)
    whole = reg.certificate(loss)
    assert by_batch.rms == pytest.approx(whole.rms, rel=1e-12)
    assert by_batch.loss == pytest.approx(whole.loss, rel=1e-12)
    assert model.weight.grad is None


def classifier(bias=False, dropout=None):
    torch.manual_seed(0)
    layers = [nn.Linear(10, 16, bias=bias), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)]
    if dropout is not None:
        layers.insert(3, dropout)
    model = nn.Sequential(*layers)
    x = torch.randn(120, 10)
    y = (x[:, :3] + 0.3 * torch.randn(120, 3)).argmax(1)
    return model, x, y


def test_tensors_before_a_normalisation_are_named_and_not_counted():
    model, x, y = classifier()
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-3))
    certificate = reg.certificate(nn.CrossEntropyLoss(), [(x[:60], y[:60]), (x[60:], y[60:])])
    assert [t.scale_invariant for t in certificate.tensors] == [True, False]
    assert "scale of 0.weight (a normalisation follows)" in certificate.status
    assert "norm layer" in certificate.status
    assert certificate.rms == certificate.tensors[1].rms
    assert "scale-invariant" in str(certificate)


def test_a_gradient_that_happens_to_be_orthogonal_is_not_taken_for_invariance():
    model, loss, reg, _ = untrained(sw.L1(0.2))
    X, Y = (torch.as_tensor(a) for a in regression(outputs=2))
    with torch.no_grad():
        # Along its own ray the loss is a parabola, and at the bottom of it ⟨∇L, w⟩ = 0.
        output = X @ model.weight.T
        model.weight.mul_((output * Y).sum() / output.square().sum())
    (g,) = torch.autograd.grad(loss(), model.weight)
    assert abs((g * model.weight).sum().item()) <= 1e-10
    assert not reg.certificate(loss).tensors[0].scale_invariant


def test_dropout_is_averaged_with_its_standard_error():
    model, x, y = classifier(bias=True, dropout=sw.Dropout(keep=0.5))
    model[1] = nn.Identity()
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-2))
    loss = lambda: nn.functional.cross_entropy(model(x), y)  # noqa: E731
    noises = [reg.certificate(loss, draws=n).tensors[0].noise for n in (1, 4, 64)]
    assert noises[0] == 0.0
    assert 1.5 <= noises[1] / noises[2] <= 10  # a factor of 4 in expectation
    assert reg.certificate(loss).tensors[0].noise > 0  # eight draws where there is a dropout layer


@pytest.mark.parametrize(
    "noise",
    [
        sw.DropPath(nn.Identity(), keep=0.5),
        type("Noise", (nn.Module,), {"forward": lambda self, x: x + torch.randn_like(x)})(),
        type("Rows", (nn.Module,), {"forward": lambda self, x: x * float(np.random.default_rng().random())})(),
    ],
    ids=["a layer of another name", "torch's random numbers", "numbers from elsewhere"],
)
def test_any_random_model_is_averaged_and_no_other(noise):
    model, x, y = classifier(bias=True, dropout=noise)
    model[1] = nn.Identity()
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-2))
    assert reg.certificate(nn.CrossEntropyLoss(), [(x, y)]).tensors[0].noise > 0
    model[3] = nn.Dropout(0.0)  # never drops, whatever it is called
    assert reg.certificate(nn.CrossEntropyLoss(), [(x, y)]).tensors[0].noise == 0


def test_batches_of_dicts_are_weighted_by_their_rows():
    class Named(nn.Linear):
        def forward(self, x):
            return super().forward(x["a"] + x["b"])

    torch.manual_seed(0)
    model, a, b, y = Named(3, 1), torch.randn(10, 3), torch.randn(10, 3), torch.randn(10, 1)
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-2))
    parts = [slice(0, 9), slice(9, None)]
    batches = [({"a": a[rows], "b": b[rows]}, y[rows]) for rows in parts]
    expected = reg.certificate(lambda: nn.functional.mse_loss(model({"a": a, "b": b}), y))
    found = reg.certificate(nn.MSELoss(), batches)
    assert abs(found.loss - expected.loss) <= 1e-6 * expected.loss
    assert abs(found.rms - expected.rms) <= 1e-5 * expected.rms


def test_everything_is_left_as_it_was():
    model, x, y = classifier(dropout=sw.Dropout(keep=0.5, seed=1))
    optimizer = torch.optim.Adam(model.parameters())
    reg = sw.attach(optimizer, model, sw.L1(1e-3))
    model[1].eval()
    train(optimizer, lambda: nn.functional.cross_entropy(model(x), y), 3)
    model.eval()
    before = {name: value.clone() for name, value in [*model.state_dict().items(), ("draws", model[3].draws)]}
    gradients = [p.grad.clone() for p in model.parameters()]
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    reg.certificate(nn.CrossEntropyLoss(), [(x, y)])
    assert torch.equal(torch.rand(3), expected)
    for name, value in [*model.state_dict().items(), ("draws", model[3].draws)]:
        assert torch.equal(value, before[name]), name
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    model.train()
    train(optimizer, lambda: nn.functional.cross_entropy(model(x), y), 2)  # no warning of a change from outside


@pytest.mark.parametrize(
    ("loss_fn", "loader", "says"),
    [
        (lambda: 0.5, None, "loss to be a tensor with gradients"),
        (nn.MSELoss(), [], "The loader returned no batch"),
        (
            nn.MSELoss(reduction="none"),
            [(torch.ones(2, 20).double(), torch.ones(2, 2).double())],
            "a single number, got shape",
        ),
        (nn.MSELoss(), [torch.ones(2, 8)], r"batches \(x, y\), got a batch of Tensor"),
        (nn.MSELoss(), [{"x": torch.ones(2, 8), "y": torch.ones(2, 1)}], r"batches \(x, y\), got a batch of dict"),
    ],
)
def test_misuse_is_one_sentence(loss_fn, loader, says):
    reg = untrained(sw.L1(0.2))[2]
    with pytest.raises(ValueError, match=says):
        reg.certificate(loss_fn, loader)


def test_the_penalty_of_a_model_is_the_sum_over_its_terms_and_differentiable():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    total = penalty(model, [sw.rule(sw.L1(0.1), names="0.*"), sw.rule(sw.L2(0.2))])
    first, second = model[0].weight, model[1].weight
    by_hand = 0.1 * first.abs().sum() + 0.2 * second.square().sum()
    assert total.item() == pytest.approx(by_hand.item())
    total.backward()
    torch.testing.assert_close(first.grad, 0.1 * first.detach().sign())
    torch.testing.assert_close(second.grad, 0.4 * second.detach())
    assert model[0].bias.grad is None
    with pytest.raises(ValueError, match="match no parameter of this Sequential"):
        penalty(model, sw.rule(sw.L1(0.1), names="nothing"))


def test_normalisations_are_frozen_so_that_batches_do_not_matter():
    model, x, y = classifier(bias=True)
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-3))
    model[1].running_mean.normal_()
    whole = reg.certificate(nn.CrossEntropyLoss(), [(x, y)])
    pieces = reg.certificate(nn.CrossEntropyLoss(), [(x[i : i + 7], y[i : i + 7]) for i in range(0, 120, 7)])
    assert pieces.rms == pytest.approx(whole.rms, rel=1e-4)
    model.eval()
    gradient = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), model[3].weight)[0]
    residual = sw.L1(1e-3).violation(model[3].weight.detach(), gradient) / 1e-3
    assert whole.tensors[1].largest == pytest.approx(float(residual.max()), rel=1e-4)


def test_the_summary_is_one_sentence():
    reg = untrained(sw.GroupLasso(0.2, groups=sw.Groups.columns()))[2]
    text = reg.summary()
    assert text.startswith(
        "14 of 40 penalised weights (35.0 %), 7 of 20 groups in 1 tensor are exactly zero after 0 steps"
    )
    assert "\n" not in text

"""Dropout as a function: which elements drop, derivatives of every kind, transforms, types, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from shrinkwise.dropout import keep_mask
from shrinkwise.dropout.functional import bias_relu_dropout, dropout, dropout_residual


def sample(x, **options):
    return dropout(x, **{"keep": 0.6, "seed": 11, **options})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_kept_elements_are_divided_by_keep_and_the_others_are_zero(dtype):
    x = torch.randn(301).to(dtype)
    y, kept = sample(x), keep_mask(301, keep=0.6, seed=11)
    assert y.dtype == dtype
    assert (y[~kept] == 0).all()
    torch.testing.assert_close(y[kept], x[kept] / 0.6, rtol=2 * torch.finfo(dtype).eps, atol=0)


def test_infinite_and_nan_elements_are_zero_where_dropped():
    kept = keep_mask(200, keep=0.6, seed=11)
    for value in (float("nan"), float("inf")):
        x = torch.full((200,), value, requires_grad=True)
        y = sample(x)
        assert not y[kept].isfinite().any()
        assert (y[~kept] == 0).all()
        assert (torch.autograd.grad(y.sum(), x)[0][~kept] == 0).all()


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x.T, lambda x: x[:, ::2]])
def test_in_place_writes_the_same_numbers_and_gradients(view):
    x = torch.randn(8, 9)
    expected = sample(view(x))
    z = x.clone()
    assert (out := sample(target := view(z), inplace=True)) is target
    assert torch.equal(out, expected)
    assert torch.equal(view(z), expected)
    leaf = x.clone().requires_grad_()
    got = torch.autograd.grad(sample(view(leaf * 1), inplace=True).square().sum(), leaf)[0]
    assert torch.equal(got, torch.autograd.grad(sample(view(leaf)).square().sum(), leaf)[0])


def test_autograd_hears_of_a_change_in_place():
    w = torch.randn(5, requires_grad=True)
    x = torch.randn(5)
    y = (w * x).sum()  # keeps x for its backward
    sample(x, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        sample(torch.ones(3, requires_grad=True), inplace=True)
    with torch.inference_mode():
        z = torch.ones(50)
        assert torch.equal(sample(z, inplace=True), sample(torch.ones(50)))


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_empty_tensors_and_scalars(shape):
    x = torch.ones(shape, requires_grad=True)
    y = sample(x)
    assert y.shape == x.shape
    assert torch.autograd.grad(y.sum(), x)[0].shape == x.shape
    assert keep_mask(shape, keep=0.5, seed=0).shape == shape


def test_evaluation_and_keep_1_do_nothing_and_a_vanishing_keep_drops_everything():
    x = torch.randn(10, requires_grad=True)
    assert dropout(x, keep=0.5, training=False) is x
    assert dropout(x, keep=1) is x
    y = dropout(x, keep=1e-30)
    assert (y == 0).all()
    assert (torch.autograd.grad(y.sum(), x)[0] == 0).all()


def test_torch_seed_rules_and_draws_differ():
    x = torch.ones(500)
    torch.manual_seed(3)
    first, second = dropout(x, keep=0.5), dropout(x, keep=0.5)
    torch.manual_seed(3)
    assert torch.equal(dropout(x, keep=0.5), first)
    assert not torch.equal(first, second)
    own = [dropout(x, keep=0.5, generator=torch.Generator().manual_seed(8)) for _ in range(2)]
    assert torch.equal(*own)
    assert not torch.equal(sample(x), sample(x, stream=1))


def test_a_transposed_input_gets_the_same_mask_in_storage_order():
    x = torch.randn(6, 7, 8)
    for order in [(2, 0, 1), (1, 0, 2), (2, 1, 0)]:
        assert torch.equal(sample(x.permute(order)), sample(x).permute(order))


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x.T, lambda x: x[:, ::2], lambda x: x[:, :1].expand(-1, 9)])
def test_the_gradient_is_masked_as_the_output_whatever_its_strides(view):
    x = torch.randn(8, 9, requires_grad=True)
    y = sample(view(x))
    for upstream in (torch.ones(y.shape), torch.ones(y.shape[::-1]).T):
        (gradient,) = torch.autograd.grad(y, view_input := x, upstream, retain_graph=True)
        mask = sample(torch.empty_like(view(x)).fill_(1.0))
        (expected,) = torch.autograd.grad(view(view_input), view_input, mask)
        assert torch.equal(gradient, expected)


def test_no_mask_is_kept_for_backward():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        dropout(torch.randn(1000, requires_grad=True), keep=0.5).sum().backward()
    assert sum(saved) <= 2  # seed and stream


def test_vmap_draws_as_its_randomness_says():
    x = torch.ones(4, 200)
    draw = lambda x: dropout(x, keep=0.3)  # noqa: E731
    different = torch.func.vmap(draw, randomness="different")(x)
    assert not torch.equal(different[0], different[1])
    same = torch.func.vmap(draw, randomness="same")(x)
    assert torch.equal(same[0], same[1])
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(draw)(x)


def test_an_own_generator_under_checkpointing_is_refused_instead_of_wrong():
    x, own = torch.ones(5, requires_grad=True), torch.Generator()
    loss = checkpoint(lambda x: dropout(x, keep=0.5, generator=own).tanh(), x, use_reentrant=False).sum()
    with pytest.raises(RuntimeError, match="use generator=None"):
        loss.backward()


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda x: dropout(x, 0.8), TypeError, r"dropping 80 %.*keep=0\.2"),
        (lambda x: dropout(x), TypeError, "keep= is missing"),
        (lambda x: dropout(x, keep=1.5), ValueError, r"\(0, 1\], got 1.5"),
        (lambda x: dropout(x, keep=0), ValueError, r"\(0, 1\], got 0.0; keep=0 would drop every unit"),
        (lambda x: dropout(x, keep=-0.1), ValueError, r"\(0, 1\]"),
        (lambda x: dropout(x, keep=float("nan")), ValueError, r"\(0, 1\], got nan"),
        (lambda x: dropout(x, keep="0.8"), TypeError, "to be a number, got str"),
        (lambda x: dropout(x, keep=True), TypeError, "to be a number, got bool"),
        (lambda x: dropout(x.long(), keep=0.8), TypeError, "got torch.int64"),
        (lambda x: dropout(x.cfloat(), keep=0.8), TypeError, "got torch.complex64"),
        (lambda x: dropout([1.0], keep=0.8), TypeError, "got list"),
        (lambda x: dropout(x, keep=0.8, seed=1, generator=torch.Generator()), ValueError, "not both"),
        (lambda x: dropout(x, keep=0.8, generator=7), TypeError, "torch.Generator, got int"),
        (
            lambda x: dropout(x.to("meta"), keep=0.8, generator=torch.Generator()),
            ValueError,
            "device of x .meta., got one on cpu",
        ),
        (lambda x: dropout(x, keep=0.8, seed=1.5), TypeError, "seed to be an integer, got float"),
        (lambda x: dropout(x, keep=0.8, seed=True), TypeError, "seed to be an integer, got bool"),
        (lambda x: dropout(x, keep=0.8, seed=torch.ones(2)), TypeError, "int64 scalar tensor, got torch.float32"),
        (lambda x: dropout(x.to_sparse(), keep=0.8), TypeError, "dense tensor, got layout torch.sparse_coo"),
        (
            lambda x: dropout(x.expand(4, 3), keep=0.8, inplace=True),
            ValueError,
            r"share memory, got one of shape \(4, 3\)",
        ),
        (lambda x: dropout(x.as_strided((2, 2), (1, 1)), keep=0.8, inplace=True), ValueError, "share memory"),
        (
            lambda x: bias_relu_dropout(x, torch.ones(4), keep=0.8),
            ValueError,
            r"bias of shape \(features,\).*got \(4,\)",
        ),
        (lambda x: bias_relu_dropout(x, 2.0, keep=0.8), ValueError, "got float"),
        (lambda x: bias_relu_dropout(x, x, 0.8), TypeError, "dropping 80 %"),
        (lambda x: dropout_residual(x, torch.ones(2, 3), keep=0.8), ValueError, r"shape and type of x.*got \(2, 3\)"),
        (lambda x: dropout_residual(x, x.double(), keep=0.8), ValueError, "got .*float64"),
        (lambda x: keep_mask(3, keep=0, seed=0), ValueError, "drop every unit"),
    ],
)
def test_misuse_is_one_sentence(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call(torch.ones(3))
    assert "\n" not in str(caught.value)

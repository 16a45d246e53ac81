"""Fused forms against their parts, in every type: the same mask, one rounding where the parts round twice."""

from __future__ import annotations

import pytest
import torch

from shrinkwise.dropout.functional import bias_relu_dropout, dropout, dropout_residual
from shrinkwise.kernels.networks import dropout as kernel

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
OPTIONS = {"keep": 0.7, "seed": 5}


def parts_bias_relu(x, bias, **options):
    return dropout(torch.relu(x + bias), **options)


def parts_residual(x, residual, **options):
    return residual + dropout(x, **options)


def close(got, want, terms):
    """Equal but for one rounding of each of so many terms, which are below 8."""
    torch.testing.assert_close(got, want, rtol=0, atol=8 * terms * torch.finfo(got.dtype).eps)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(37,), (5, 37), (2, 3, 129), (0, 4)])
def test_bias_relu_dropout_is_its_parts(shape, dtype):
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    x, bias = torch.randn(shape).to(dtype).requires_grad_(), torch.randn(shape[-1:]).to(dtype).requires_grad_()
    y = bias_relu_dropout(x, bias, **OPTIONS)
    expected = parts_bias_relu(x.to(wide), bias.to(wide), **OPTIONS).to(dtype)
    assert torch.equal(y, expected)
    upstream = torch.randn(shape).to(dtype)
    for got, want in zip(
        torch.autograd.grad(y, (x, bias), upstream), torch.autograd.grad(expected, (x, bias), upstream), strict=True
    ):
        close(got, want, x.numel() // max(1, want.numel()))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "view", [lambda x: x, lambda x: x.mT, lambda x: x[:, ::2], lambda x: x[:, :1].expand(-1, 4, -1)]
)
def test_dropout_residual_is_its_parts(view, dtype):
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    x, residual = (torch.randn(3, 4, 5).to(dtype).requires_grad_() for _ in range(2))
    y = dropout_residual(view(x), view(residual), **OPTIONS)
    expected = parts_residual(view(x.to(wide)), view(residual.to(wide)), **OPTIONS).to(dtype)
    assert torch.equal(y, expected)
    other_layout = dropout_residual(view(x), view(residual).contiguous(), **OPTIONS)
    assert torch.equal(other_layout, expected)
    upstream = torch.randn(y.shape[::-1]).permute(2, 1, 0).to(dtype)
    for got, want in zip(
        torch.autograd.grad(y, (x, residual), upstream),
        torch.autograd.grad(expected, (x, residual), upstream),
        strict=True,
    ):
        close(got, want, 4)


@pytest.mark.parametrize(("fused", "parts"), [(bias_relu_dropout, parts_bias_relu), (dropout_residual, parts_residual)])
def test_the_seed_training_and_keep_1_mean_the_same(fused, parts):
    x, other = torch.randn(6, 9), torch.randn(9) if fused is bias_relu_dropout else torch.randn(6, 9)
    torch.manual_seed(3)
    got = fused(x, other, keep=0.5)
    torch.manual_seed(3)
    assert torch.equal(got, parts(x, other, keep=0.5))
    own = [f(x, other, keep=0.5, generator=torch.Generator().manual_seed(2), stream=4) for f in (fused, parts)]
    assert torch.equal(*own)
    for options in ({"keep": 0.5, "training": False}, {"keep": 1.0}):
        assert torch.equal(fused(x, other, **options), parts(x, other, **options))


@pytest.mark.skipif(kernel.compiled() is None, reason="no kernel is built: the parts keep what they keep")
def test_backward_of_bias_relu_keeps_the_output_and_nothing_else():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        y = bias_relu_dropout(torch.randn(20, 30, requires_grad=True), torch.zeros(30), **OPTIONS)
    assert [t.data_ptr() for t in saved] == [y.data_ptr()]


def test_a_bias_of_another_type_is_cast_and_gets_its_gradient():
    bias = torch.zeros(8, requires_grad=True)
    y = bias_relu_dropout(torch.ones(4, 8, dtype=torch.bfloat16), bias, **OPTIONS)
    assert y.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(y.sum(), bias)
    assert gradient.dtype == torch.float32
    torch.testing.assert_close(gradient, y.detach().float().sum(0), rtol=2**-7, atol=0)


def test_compiled_and_transformed_forms_have_the_same_mask():
    x, other = torch.randn(5, 6), torch.randn(6)
    f = lambda x, b: dropout_residual(bias_relu_dropout(x, b, **OPTIONS), x, keep=0.5, seed=9)  # noqa: E731
    torch.testing.assert_close(torch.compile(f, fullgraph=True, backend="aot_eager")(x, other), f(x, other))
    torch.testing.assert_close(torch.func.vmap(f, (0, None))(x, other)[0], f(x[0], other))
    grad = torch.func.grad(lambda x: f(x, other).sum())(x)
    y = x.clone().requires_grad_()
    torch.testing.assert_close(grad, torch.autograd.grad(f(y, other).sum(), y)[0])

"""Attention in blocks against the formula with all weights in memory, by the same mask."""

from __future__ import annotations

import importlib

import pytest
import torch
import torch.nn.functional as F

from shrinkwise.dropout import attention
from shrinkwise.dropout.functional import dropout

module = importlib.import_module("shrinkwise.dropout.attention")
torch_warns = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


def formula(q, k, v, *, keep, seed, mask=None, scale=None, stream=0):
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        nowhere = (scores == -torch.inf).all(-1, keepdim=True)
        scores = torch.where(nowhere, 0.0, scores)
        weights = torch.where(nowhere, 0.0, scores.softmax(-1))
    else:
        weights = scores.softmax(-1)
    return dropout(weights.contiguous(), keep=keep, seed=seed, stream=stream) @ v


def inputs(lead=(2, 3), n_queries=11, n_keys=13, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = ((*lead, n_queries, 4), (*lead, n_keys, 4), (*lead, n_keys, 5))
    return [torch.randn(s, dtype=dtype, generator=generator).requires_grad_() for s in shapes]


MASKS = {
    "none": None,
    "bool": torch.rand(11, 13, generator=torch.Generator().manual_seed(1)) < 0.6,
    "per head": torch.rand(3, 1, 13, generator=torch.Generator().manual_seed(2)) < 0.6,
    "nowhere": torch.arange(11)[:, None] > torch.arange(13),
    "added": torch.randn(2, 1, 11, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(3)),
}


@pytest.fixture(params=[1, 500, 2**20], ids=["one row a block", "few rows", "one block"])
def block_bytes(request, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("lead", [(2, 3), (), (2,)])
def test_blocks_give_the_formula_and_its_gradients(mask, lead):
    if mask is not None and mask.dim() > 2 + len(lead):
        pytest.skip("this mask has more dimensions than the batch")
    q, k, v = inputs(lead if mask is None or mask.dim() < 3 else (2, 3))
    options = {"keep": 0.7, "seed": 4, "mask": mask, "stream": 2}
    got, expected = attention(q, k, v, **options), formula(q, k, v, **options)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    upstream = torch.randn_like(expected)
    for a, b in zip(*(torch.autograd.grad(y, (q, k, v), upstream) for y in (got, expected)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("n_keys", [1, 13, 300])
def test_blocks_in_single_precision(n_keys):
    q, k, v = inputs((2, 3), 11, n_keys, torch.float32)
    got = attention(q, k, v, keep=0.7, seed=4)
    expected = formula(*(t.double() for t in (q, k, v)), keep=0.7, seed=4)
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(got)
    for a, b in zip(
        torch.autograd.grad(got, (q, k, v), upstream),
        torch.autograd.grad(expected, (q, k, v), upstream.double()),
        strict=True,
    ):
        torch.testing.assert_close(a, b.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_keys", [1, 5, 13, 300])
def test_causal_blocks_skip_later_keys_and_give_the_formula(n_keys, dtype):
    q, k, v = inputs((2, 3), 11, n_keys, dtype)
    q2, k2, v2 = (t.detach().double().requires_grad_() for t in (q, k, v))
    got = attention(q, k, v, keep=0.7, seed=4, stream=2, causal=True)
    expected = formula(q2, k2, v2, keep=0.7, seed=4, stream=2, mask=torch.ones(11, n_keys, dtype=torch.bool).tril())
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-11, "atol": 1e-12}
    torch.testing.assert_close(got.double(), expected, **tolerance)
    upstream = torch.randn_like(got)
    ours = torch.autograd.grad(got, (q, k, v), upstream)
    for a, b in zip(ours, torch.autograd.grad(expected, (q2, k2, v2), upstream.double()), strict=True):
        torch.testing.assert_close(a.double(), b, **tolerance)


def test_a_causal_query_does_not_look_at_what_comes_later():
    q, k, v = (t.detach().float() for t in inputs((), 64, 64))
    before = attention(q, k, v, keep=0.7, seed=4, causal=True)
    k[40:], v[40:] = 1e3, 1e6
    after = attention(q, k, v, keep=0.7, seed=4, causal=True)
    assert torch.equal(after[:40], before[:40])


def test_no_keys_and_no_queries():
    q, k, v = inputs((2,), 3, 0, torch.float32)
    assert torch.equal(attention(q, k, v, keep=0.5), torch.zeros(2, 3, 5))
    q, k, v = inputs((2,), 0, 4, torch.float32)
    assert attention(q, k, v, keep=0.5).shape == (2, 0, 5)


def test_the_mask_is_that_of_dropout_on_the_weights():
    q, k, _ = inputs((), 6, 7)
    eye = torch.eye(7, dtype=torch.float64)  # values that show the weights
    weights = attention(q, k, eye, keep=0.5, seed=8)
    assert torch.equal(weights == 0, dropout(torch.ones(6, 7), keep=0.5, seed=8) == 0)


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"mask": MASKS["bool"]}, {"scale": 0.3}])
def test_evaluation_is_attention_without_dropout_and_training_its_expectation(options):
    q, k, v = inputs()
    theirs = {{"causal": "is_causal", "mask": "attn_mask"}.get(name, name): value for name, value in options.items()}
    expected = F.scaled_dot_product_attention(q, k, v, **theirs)
    torch.testing.assert_close(attention(q, k, v, keep=0.5, training=False, **options), expected)
    torch.testing.assert_close(attention(q, k, v, keep=1 - 1e-14, **options), expected)
    draws = torch.stack([attention(q, k, v, keep=0.8, seed=s, **options).detach() for s in range(400)])
    error = draws.std(0) / 20
    assert ((draws.mean(0) - expected).abs() <= 5.5 * error + 1e-12).all()


@torch_warns
def test_derivatives_of_every_kind():
    q, k, v = inputs((2,), 3, 4)
    f = lambda q, k, v: attention(q, k, v, keep=0.7, seed=1)  # noqa: E731
    assert torch.autograd.gradcheck(f, (q, k, v), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(f, (q, k, v))
    causal = lambda q, k, v: attention(q, k, v, keep=0.7, seed=1, causal=True)  # noqa: E731
    assert torch.autograd.gradcheck(causal, (q, k, v), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(causal, (q, k, v))
    bias = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: attention(q, k, v, keep=0.7, seed=1, mask=b), bias)


def test_compiled_and_mapped_over():
    q, k, v = (t.detach() for t in inputs())
    f = lambda q, k, v: attention(q, k, v, keep=0.7, seed=1)  # noqa: E731
    torch.testing.assert_close(torch.compile(f, fullgraph=True, backend="aot_eager")(q, k, v), f(q, k, v))
    torch.testing.assert_close(torch.func.vmap(f)(q, k, v)[1], f(q[1], k[1], v[1]))


def test_half_precision_layouts_and_shared_heads():
    q, k, v = inputs()
    expected = attention(q, k, v, keep=0.7, seed=1)
    half = attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), keep=0.7, seed=1)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected, rtol=0.05, atol=0.05)
    strided = [t.transpose(1, 2).contiguous().transpose(1, 2) for t in (q, k, v)]
    torch.testing.assert_close(attention(*strided, keep=0.7, seed=1), expected)
    one_head = attention(q, k[:, :1], v[:, :1], keep=0.7, seed=1)
    torch.testing.assert_close(
        one_head, attention(q, *(t[:, :1].expand(2, 3, -1, -1) for t in (k, v)), keep=0.7, seed=1)
    )


def test_torch_seed_rules():
    q, k, v = inputs()
    torch.manual_seed(2)
    first = attention(q, k, v, keep=0.5)
    assert not torch.equal(attention(q, k, v, keep=0.5), first)
    torch.manual_seed(2)
    assert torch.equal(attention(q, k, v, keep=0.5), first)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda q, k, v: attention(q, k, v, 0.9), TypeError, "bare number 0.9"),
        (lambda q, k, v: attention(q, k, v, keep=0), ValueError, "drop every unit"),
        (lambda q, k, v: attention(q, k.float(), v, keep=0.9), TypeError, "k to be a tensor of q's type"),
        (lambda q, k, v: attention(q, k, v[..., 1:, :], keep=0.9), ValueError, r"Expected q \(..., L, E\)"),
        (lambda q, k, v: attention(q, k, v, keep=0.9, causal=True, mask=MASKS["bool"]), ValueError, "not both"),
    ],
)
def test_misuse_is_one_sentence(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call(*inputs())
    assert "\n" not in str(caught.value)

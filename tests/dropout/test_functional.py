"""Dropout as a function: which elements drop, derivatives of every kind, transforms, types, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from shrinkwise.dropout import keep_mask
from shrinkwise.dropout.functional import dropout

# Loading torch's own forward-mode formulas warns that torch.jit.script is deprecated.
torch_warns = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


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
    assert sum(saved) <= 1


@torch_warns
def test_derivatives_of_both_modes_and_second_order():
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sample(x.T) ** 2, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda x: sample(x.T) ** 3, x)


@torch_warns
def test_torch_func_transforms():
    x = torch.randn(12)
    mask = sample(torch.ones(12))
    assert torch.equal(torch.func.grad(lambda x: sample(x).sum())(x), mask)
    assert torch.equal(torch.func.grad(lambda x: sample(x, keep=1e-30).sum())(x), torch.zeros(12))
    assert torch.equal(torch.func.jacrev(sample)(x), torch.diag(mask))
    assert torch.equal(torch.func.jvp(sample, (x,), (torch.ones(12),))[1], mask)
    assert torch.equal(torch.func.vmap(sample)(x.expand(3, -1)), sample(x).expand(3, -1))
    assert torch.equal(torch.func.vmap(torch.func.grad(lambda x: sample(x).sum()))(x.expand(3, -1)), mask.expand(3, -1))


def test_vmap_draws_as_its_randomness_says():
    x = torch.ones(4, 200)
    draw = lambda x: dropout(x, keep=0.3)  # noqa: E731
    different = torch.func.vmap(draw, randomness="different")(x)
    assert not torch.equal(different[0], different[1])
    same = torch.func.vmap(draw, randomness="same")(x)
    assert torch.equal(same[0], same[1])
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(draw)(x)


def test_a_compiled_function_gives_the_same_bits():
    x = torch.randn(33, 7, requires_grad=True)
    compiled = torch.compile(lambda x: sample(x, keep=0.3), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), sample(x, keep=0.3))
    got, expected = (torch.autograd.grad(f(x).sum(), x)[0] for f in (compiled, lambda x: sample(x, keep=0.3)))
    assert torch.equal(got, expected)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_repeats_the_mask(reentrant):
    x = torch.randn(200, requires_grad=True)
    run = lambda x: dropout(x * 1.0, keep=0.5) ** 2  # noqa: E731
    torch.manual_seed(0)
    (expected,) = torch.autograd.grad(run(x).sum(), x)
    torch.manual_seed(0)
    checkpoint(run, x, use_reentrant=reentrant).sum().backward()
    assert torch.equal(x.grad, expected)


def test_autocast_leaves_the_type_alone():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = torch.randn(4, 4) @ torch.randn(4, 4)
        assert dropout(x, keep=0.5).dtype == x.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda x: dropout(x, 0.8), TypeError, r"dropping 80 %.*keep=0\.2"),
        (lambda x: dropout(x), TypeError, "keep= is missing"),
        (lambda x: dropout(x, keep=1.5), ValueError, r"\(0, 1\], got 1.5"),
        (lambda x: dropout(x, keep=0), ValueError, r"\(0, 1\], got 0.0; keep=0 would drop every unit"),
        (lambda x: dropout(x, keep=-0.1), ValueError, r"\(0, 1\]"),
        (lambda x: dropout(x, keep=float("nan")), ValueError, r"\(0, 1\], got nan"),
        (lambda x: dropout(x, keep="0.8"), TypeError, "as a number, got str"),
        (lambda x: dropout(x, keep=True), TypeError, "as a number, got bool"),
        (lambda x: dropout(x.long(), keep=0.8), TypeError, "got torch.int64"),
        (lambda x: dropout(x.cfloat(), keep=0.8), TypeError, "got torch.complex64"),
        (lambda x: dropout([1.0], keep=0.8), TypeError, "got list"),
        (lambda x: dropout(x, keep=0.8, seed=1, generator=torch.Generator()), ValueError, "not both"),
    ],
)
def test_misuse_is_one_sentence(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call(torch.ones(3))
    assert "\n" not in str(caught.value)

"""Every route gives the same bits and the same derivatives: eager, recorded, transformed, differentiated twice."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from shrinkwise.dropout import Dropout, bits, keep_mask, routes
from shrinkwise.dropout.functional import bias_relu_dropout, dropout, dropout_residual
from shrinkwise.kernels.networks import dropout as kernel

torch_warns = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
compiled_kernel = pytest.mark.skipif(kernel.compiled() is None, reason="no kernel is built")
KEEP, SEED = 0.6, 11


def sample(x, **options):
    return dropout(x, **{"keep": KEEP, "seed": SEED, **options})


def mask_of(x):
    """What dropout multiplies x by, from the specification: element i of its dense storage."""
    order = bits.storage_order(x)
    return bits.lay_out(bits.keep_mask(x.numel(), keep=KEEP, seed=SEED), x.shape, order) / KEEP


LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(1, 3),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "sliced": lambda x: x[:, ::2],
    "expanded": lambda x: x[:, :1].expand(-1, 5, -1, -1),
    "one": lambda x: x[:1, :1, :1, :1],
}


@pytest.mark.parametrize("view", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_kernel_operator_and_formula_agree_in_every_layout(view, dtype):
    x = view(torch.randn(3, 4, 5, 6).to(dtype))
    order = bits.storage_order(x)
    expected = routes.formula(x, KEEP, SEED, 0, order)
    assert torch.equal(sample(x), expected)
    through = torch.ops.shrinkwise.dropout(x, torch.tensor(SEED), torch.tensor(0), KEEP, order)
    assert torch.equal(through, expected)
    upstream = torch.randn(x.shape[::-1]).permute(3, 2, 1, 0).to(dtype)
    leaf = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(sample(view_like(leaf, x)), leaf, upstream)
    assert torch.equal(gradient, routes.formula(upstream, KEEP, SEED, 0, order))


def view_like(leaf, x):
    """leaf (dense) with the strides that x has, without gaps: what an operation between them would hand on."""
    return leaf.permute(order := bits.storage_order(x)).contiguous().permute([order.index(d) for d in range(x.dim())])


@compiled_kernel
def test_the_eager_route_is_the_kernel(monkeypatch):
    calls = []
    for door in ("compiled", "small"):
        real = getattr(kernel, door)()
        monkeypatch.setattr(kernel, door, lambda real=real: lambda *a: calls.append(a) or real(*a))
    for n in (5, 70_000):
        sample(torch.randn(n, requires_grad=True)).sum().backward()
    assert len(calls) == 4


def test_without_a_kernel_the_formula_gives_the_same(monkeypatch):
    x = torch.randn(50, 9)
    expected, mask = sample(x), keep_mask((50, 9), keep=KEEP, seed=SEED)
    both = bias_relu_dropout(x, x[0], keep=KEEP, seed=SEED), dropout_residual(x, x, keep=KEEP, seed=SEED)
    monkeypatch.setattr(kernel, "compiled", lambda: None)
    y = x.clone().requires_grad_()
    assert torch.equal(sample(y), expected)
    (gradient,) = torch.autograd.grad(sample(y).sum(), y)
    assert torch.equal(gradient, mask_of(x))
    assert torch.equal(keep_mask((50, 9), keep=KEEP, seed=SEED), mask)
    again = bias_relu_dropout(x, x[0], keep=KEEP, seed=SEED), dropout_residual(x, x, keep=KEEP, seed=SEED)
    assert all(torch.equal(a, b) for a, b in zip(both, again, strict=True))


def test_eager_and_recorded_draws_take_the_same_seed_from_torch():
    torch.manual_seed(5)
    first = [routes.draw_seed(), routes.draw_seed()]
    torch.manual_seed(5)
    assert first == [int(routes.seed_tensor("cpu")) for _ in range(2)]
    own = torch.Generator().manual_seed(9)
    assert routes.draw_seed(own) == int(routes.seed_tensor("cpu", torch.Generator().manual_seed(9)))


@torch_warns
def test_opcheck():
    x = torch.randn(3, 4, requires_grad=True)
    for view, order in ((x, [0, 1]), (x.detach().T.requires_grad_(), [1, 0])):
        torch.library.opcheck(torch.ops.shrinkwise.dropout, (view, torch.tensor(3), torch.tensor(0), KEEP, order))


@torch_warns
@pytest.mark.parametrize("function", ["dropout", "bias_relu", "residual"])
def test_gradients_of_first_and_second_order_and_forward_mode(function):
    x = torch.randn(5, 4, dtype=torch.float64)
    other = torch.randn(4 if function == "bias_relu" else (5, 4), dtype=torch.float64)
    f = {
        "dropout": lambda x, b: sample((x * b).T),
        "bias_relu": lambda x, b: bias_relu_dropout(x, b, keep=KEEP, seed=SEED),
        "residual": lambda x, b: dropout_residual(x, b, keep=KEEP, seed=SEED),
    }[function]
    inputs = (x.requires_grad_(), other.requires_grad_())
    assert torch.autograd.gradcheck(f, inputs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(lambda *a: f(*a) ** 3, inputs)


@torch_warns
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")  # linearize's own
def test_torch_func_in_every_nesting():
    x, mask = torch.randn(12), mask_of(torch.empty(12))
    rows = torch.randn(3, 12)
    total = lambda x: (sample(x) ** 2).sum()  # noqa: E731
    assert torch.equal(torch.func.grad(lambda x: sample(x).sum())(x), mask)
    torch.testing.assert_close(torch.func.hessian(total)(x), torch.diag(2 * mask**2))
    assert torch.equal(torch.func.jacrev(sample)(x), torch.diag(mask))
    assert torch.equal(torch.func.jacfwd(sample)(x), torch.diag(mask))
    out, tangent = torch.func.jvp(sample, (x,), (torch.ones(12),))
    assert torch.equal(tangent, mask)
    assert torch.equal(out, sample(x))
    assert torch.equal(torch.func.vmap(sample)(rows), rows * mask)
    assert torch.equal(torch.func.vmap(sample, in_dims=1)(rows.T), rows * mask)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(total))(rows), 2 * rows * mask**2)
    _, pull = torch.func.vjp(sample, x)
    assert torch.equal(pull(torch.ones(12))[0], mask)
    linear = torch.func.linearize(sample, x)[1]
    assert torch.equal(linear(torch.ones(12)), mask)


@torch_warns
def test_forward_mode_tangents_are_masked_and_not_zero():
    x, mask = torch.randn(12), mask_of(torch.empty(12))
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones(12))
        assert torch.equal(forward_ad.unpack_dual(sample(dual)).tangent, mask)
        fused = dropout_residual(dual, dual, keep=KEEP, seed=SEED)
        torch.testing.assert_close(forward_ad.unpack_dual(fused).tangent, 1 + mask)


def test_vmap_over_seeds_draws_a_mask_for_each():
    x, seeds = torch.randn(3, 40), torch.tensor([4, 5, 6])
    expected = torch.stack([sample(row, seed=int(seed)) for row, seed in zip(x, seeds, strict=True)])
    assert torch.equal(torch.func.vmap(lambda x, s: sample(x, seed=s))(x, seeds), expected)
    shared = torch.func.vmap(lambda s: sample(x[0], seed=s))(seeds)
    assert torch.equal(shared[0], sample(x[0], seed=4))
    nested = torch.func.vmap(torch.func.vmap(lambda x, s: sample(x, seed=s), (0, None)), (None, 0))(x, seeds)
    assert torch.equal(nested[2], sample(x[0], seed=6) * 0 + torch.stack([sample(r, seed=6) for r in x]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's own
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.thorough)])
def test_a_compiled_function_gives_the_same_bits(backend):
    x = torch.randn(33, 7, requires_grad=True)

    def f(x):
        return sample(x, keep=0.3).T.contiguous() + sample(x.T, stream=2)

    program = torch.compile(f, fullgraph=True, backend=backend)
    assert torch.equal(program(x), f(x))
    got, expected = (torch.autograd.grad(run(x).square().sum(), x)[0] for run in (program, f))
    torch.testing.assert_close(got, expected)


def test_two_compiled_draws_differ_and_obey_the_seed():
    program = torch.compile(lambda x: (dropout(x, keep=0.5), dropout(x, keep=0.5)), fullgraph=True, backend="aot_eager")
    x = torch.ones(300)
    torch.manual_seed(0)
    first = program(x)
    assert not torch.equal(*first)
    torch.manual_seed(0)
    assert all(torch.equal(a, b) for a, b in zip(first, program(x), strict=True))
    assert not torch.equal(program(x)[0], first[0])


def test_a_compiled_transform_gives_the_same_bits():
    x = torch.randn(20)
    grad = torch.func.grad(lambda x: (sample(x) ** 2).sum())
    assert torch.equal(torch.compile(grad, fullgraph=True, backend="aot_eager")(x), grad(x))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.dropout = torch.nn.Linear(6, 6), Dropout(keep=0.5)

    def forward(self, x):
        return self.dropout(torch.relu(self.linear(x)))


@pytest.mark.parametrize("strict", [True, False])
def test_export_holds_the_operator_in_training_and_nothing_in_evaluation(strict):
    model, x = Block(), torch.randn(4, 6)
    names = lambda program: [str(n.target) for n in program.graph.nodes if n.op == "call_function"]  # noqa: E731
    training = torch.export.export(model, (x,), strict=strict)
    assert any("shrinkwise.dropout" in name for name in names(training))
    torch.manual_seed(1)
    expected = model(x)
    torch.manual_seed(1)
    assert torch.equal(training.module()(x), expected)
    evaluation = torch.export.export(model.eval(), (x,), strict=strict)
    assert not any("dropout" in name or "rand" in name for name in names(evaluation))
    assert torch.equal(evaluation.module()(x), model(x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tracing_records_the_operator_and_not_one_mask():
    from torch.fx.experimental.proxy_tensor import make_fx

    x = torch.randn(40)
    graph = make_fx(lambda x: dropout(x, keep=0.5))(x)
    assert not torch.equal(graph(x), graph(x))
    fixed = make_fx(sample)(x)
    assert torch.equal(fixed(2 * x), sample(2 * x))
    traced = torch.jit.trace(lambda x: dropout(x, keep=0.5), (x,), check_trace=False)
    assert not torch.equal(traced(x), traced(x))
    through_grad = make_fx(torch.func.grad(lambda x: (sample(x) ** 2).sum()))(x)
    assert torch.equal(through_grad(3 * x), torch.func.grad(lambda x: (sample(x) ** 2).sum())(3 * x))


def test_fake_and_meta_tensors_have_shapes_and_strides_only():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.empty(3, 4).T
        assert dropout(x, keep=0.5).stride() == x.stride()
        assert keep_mask((3, 4), keep=0.5, seed=0).shape == (3, 4)
    meta = torch.empty(5, 6, device="meta")
    assert dropout(meta, keep=0.5).shape == (5, 6)


def test_a_negated_view_is_read_as_what_it_means():
    part = torch.randn(30, dtype=torch.complex64).conj().imag
    for x in (part, torch._neg_view(torch.randn(30))):
        assert x.is_neg()
        assert torch.equal(sample(x), routes.formula(x, KEEP, SEED, 0, (0,)))
        assert torch.equal(dropout_residual(x, x, keep=KEEP, seed=SEED), x + sample(x))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("f", [Block(), torch.compile(Block(), backend="aot_eager")], ids=["eager", "compiled"])
def test_activation_checkpointing_repeats_the_mask(reentrant, f):
    x = torch.randn(20, 6, requires_grad=True)
    torch.manual_seed(0)
    (expected,) = torch.autograd.grad((f(x) ** 2).sum(), x)
    torch.manual_seed(0)
    (checkpoint(f, x, use_reentrant=reentrant) ** 2).sum().backward()
    assert torch.equal(x.grad, expected)


def test_selective_checkpointing_repeats_the_mask():
    from functools import partial

    from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

    x, f = torch.randn(20, 6, requires_grad=True), Block()
    torch.manual_seed(0)
    (expected,) = torch.autograd.grad((f(x) ** 2).sum(), x)
    for policy in (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_RECOMPUTE):
        x.grad = None
        contexts = partial(create_selective_checkpoint_contexts, lambda *_, policy=policy, **__: policy)
        torch.manual_seed(0)
        (checkpoint(f, x, use_reentrant=False, context_fn=contexts) ** 2).sum().backward()
        assert torch.equal(x.grad, expected)


def test_gradients_of_a_batch_of_directions():
    x = torch.randn(6, requires_grad=True)
    (rows,) = torch.autograd.grad(sample(x), x, torch.eye(6), is_grads_batched=True)
    assert torch.equal(rows, torch.diag(mask_of(x.detach())))


def test_autocast_keeps_types_and_gradients():
    linear = torch.nn.Linear(6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = dropout(linear(torch.randn(3, 6)), keep=0.5)
        z = bias_relu_dropout(torch.randn(3, 6) @ linear.weight, linear.bias, keep=0.5)
        out = dropout_residual(y, z, keep=0.5)
    assert y.dtype == z.dtype == out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert linear.weight.grad.dtype == linear.bias.grad.dtype == torch.float32


def test_processes_with_streams_of_their_own_draw_different_masks():
    x = torch.ones(500)
    ranks = [Dropout(keep=0.5, seed=1, stream=rank) for rank in range(3)]
    masks = [layer(x) for layer in ranks for _ in range(2)]
    assert len({tuple(mask.tolist()) for mask in masks}) == 6
    assert torch.equal(copy.deepcopy(ranks[2])(x), ranks[2](x))


def test_a_forked_child_draws_the_same_on_its_one_thread():
    code = (
        "import os, torch; from shrinkwise.dropout.functional import dropout\n"
        "x = torch.ones(200_000); torch.set_num_threads(2); a = dropout(x, keep=.5, seed=1)\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if (dropout(x, keep=.5, seed=1).numpy() == a.numpy()).all() else 3)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=dict(os.environ), timeout=120, check=False)
    assert done.returncode == 0

"""How a draw reaches its tensor: one formula, three routes, the same bits.

* A plain tensor on the CPU: the compiled kernel, behind the thinnest autograd function there is.
* A program being recorded (`torch.compile`, `torch.export`, fake tensors), a subclass, another device: the registered
  operator ``shrinkwise::dropout``, which graphs can hold.
* `torch.func` or forward-mode differentiation: an autograd function with rules for jvp and vmap. A registered operator would
  fail there, for jvp even silently (its tangent is zero).

Dropout is linear with a diagonal matrix, so its backward, its jvp and the backward of its backward are the same map again.
"""

from __future__ import annotations

import threading

import torch
from torch.autograd import forward_ad

from shrinkwise.kernels.networks import dropout as kernel
from shrinkwise.kernels.pool import SMALL, threads_for

from . import bits, triton_kernel

CODES = {
    torch.float32: kernel.F32,
    torch.float64: kernel.F64,
    torch.bfloat16: kernel.BF16,
    torch.float16: kernel.F16,
}
_PLAIN = {torch.Tensor, torch.nn.Parameter}
_SEED_LOW, _SEED_HIGH = -(2**63), 2**63 - 1
_transformed = torch._C._are_functorch_transforms_active
_modes = torch._C._len_torch_dispatch_stack
_tracing = torch._C._get_tracing_state
is_batched = torch._C._functorch.is_legacy_batchedtensor  # so are gradients under is_grads_batched=True: no own memory


class _SeedBox(threading.local):
    """One reusable scalar a thread: filling it costs half of making a tensor."""

    def __init__(self):
        self.fill = torch.empty((), dtype=torch.int64, device="cpu").random_


_box = _SeedBox()


def is_transformed() -> bool:
    """Whether torch.func or forward-mode differentiation is at work."""
    return _transformed() or forward_ad._current_level >= 0


def runs_in_c(x: torch.Tensor) -> bool:
    """Whether the kernel may read x from memory now: a plain CPU tensor that nobody records or transforms."""
    return (
        type(x) in _PLAIN
        and x.is_cpu
        and x.dtype in CODES
        and not torch.compiler.is_compiling()
        and not _transformed()
        and forward_ad._current_level < 0
        and not _modes()
        and _tracing() is None
        and not x.is_neg()
        and kernel.compiled() is not None
    )


def draw_seed(generator: torch.Generator | None = None) -> int:
    """A seed from torch's generator of the CPU, or from `generator`: the number that `seed_tensor` draws."""
    if generator is None:
        return int(_box.fill(_SEED_LOW, _SEED_HIGH).item())
    return int(_box.fill(_SEED_LOW, _SEED_HIGH, generator=generator).item())


def seed_tensor(device, generator: torch.Generator | None = None) -> torch.Tensor:
    """A seed that stays on its device, so that there is no synchronization and CUDA graphs replay the draw."""
    return torch.randint(_SEED_LOW, _SEED_HIGH, (), dtype=torch.int64, device=device, generator=generator)


def thinned(x: torch.Tensor, keep: float, seed, stream, *, generator=None, order=None) -> torch.Tensor:
    """Dropout of x by the bits of (seed, stream), differentiable on every route.

    seed : None draws one from `generator`.
    order : dimensions from the outermost to the innermost of the storage that counts the elements; x's own when None.
    """
    if runs_in_c(x) and (order is None or not is_batched(x)):
        seed = draw_seed(generator) if seed is None else int(seed)
        if order is not None:
            return undo_order(thinned(x.permute(order).contiguous(), keep, seed, stream), order)
        if x.requires_grad and torch.is_grad_enabled():
            return _apply_eager(x, keep, seed, int(stream), False)
        return scaled(dense(x), keep, seed, int(stream))
    seed = seed_tensor(x.device, generator) if seed is None else _scalar(seed, x)
    order = bits.storage_order(x) if order is None else tuple(order)
    if not torch.compiler.is_compiling() and is_batched(x):
        return formula(x, keep, seed, stream, order)
    if not is_transformed():
        return torch.ops.shrinkwise.dropout(x, seed, _scalar(stream, x), keep, order)
    if torch.compiler.is_compiling():
        return formula(x, keep, seed, stream, order)
    return _Transformed.apply(x, seed, _scalar(stream, x), keep, order)


def thinned_(x: torch.Tensor, keep: float, seed, stream, *, generator=None) -> torch.Tensor:
    """`thinned`, written into x."""
    if not (runs_in_c(x) and is_dense(x)):
        return x.copy_(thinned(x, keep, seed, stream, generator=generator))
    seed = draw_seed(generator) if seed is None else int(seed)
    if x.requires_grad and torch.is_grad_enabled():
        return _apply_eager(x, keep, seed, int(stream), True)
    if not x.is_inference():  # whoever saved x for a backward pass must hear of the change
        torch.autograd.graph.increment_version(x)
    return scaled(x, keep, seed, int(stream), out=x)


def formula(x: torch.Tensor, keep: float, seed, stream, order) -> torch.Tensor:
    """Dropout as the specification has it, in torch's own operations."""
    kept = bits.keep_mask(x.numel(), keep=keep, seed=seed, stream=stream, device=x.device)
    return bits.apply_mask(x, bits.lay_out(kept, x.shape, order), keep)


def scaled(x: torch.Tensor, keep: float, seed: int, stream: int, out=None) -> torch.Tensor:
    """The kernel on a dense tensor of the CPU; `out`, x itself or new, has the strides of x."""
    out = torch.empty_like(x) if out is None else out
    n = x.numel()
    if n < SMALL:
        kernel.small()(CODES[x.dtype], n, x.data_ptr(), out.data_ptr(), seed, stream, keep)
    else:
        run(kernel.SCALE, x, out, None, keep, seed, stream)
    return out


def run(operation: int, x, out, other, keep: float, seed: int, stream: int, first: int = 0) -> None:
    """One operation of the kernel on dense tensors; see `kernels.dropout`. They are alive here while C reads their memory."""
    n = x.numel()
    if not n:
        return
    threads = 1 if n < SMALL else threads_for(n)
    address, columns = (0, 0) if other is None else (other.data_ptr(), other.numel())
    kernel.compiled()(
        *(operation + CODES[x.dtype], n, first, x.data_ptr(), out.data_ptr(), address, columns, seed, stream, keep, 0),
        *(threads, kernel.openmp() if threads > 1 else 0),
    )


def kept(n: int, keep: float, seed, stream, device: torch.device) -> torch.Tensor:
    """Which of n elements are kept; see `functional.keep_mask`."""
    if device.type != "cpu" or bits.traced(seed, stream) or kernel.compiled() is None:
        return bits.keep_mask(n, keep=keep, seed=seed, stream=stream, device=device)
    out = torch.empty(n, dtype=torch.bool, device=device)
    threads = threads_for(n)
    pool = kernel.openmp() if threads > 1 else 0
    kernel.compiled()(kernel.MASK, n, 0, 0, out.data_ptr(), 0, 0, int(seed), int(stream), keep, 0, threads, pool)
    return out


def is_dense(x: torch.Tensor) -> bool:
    """Whether the elements of x fill a stretch of memory without gaps or overlaps, in any order of dimensions."""
    if x.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(x.stride(), x.shape, strict=True) if size != 1):
        if stride != expected:
            return False
        expected *= size
    return True


def dense(x: torch.Tensor) -> torch.Tensor:
    """x if it is dense, else a copy in the order of its dimensions."""
    return x if is_dense(x) else in_order(x, bits.storage_order(x))


def in_order(x: torch.Tensor, order) -> torch.Tensor:
    """x, copied if need be, so that it is dense in the given order of dimensions."""
    return undo_order(x.permute(order).contiguous(), order)


def undo_order(x: torch.Tensor, order) -> torch.Tensor:
    """The dimensions of x.permute(order) in their first order again."""
    return x.permute([order.index(d) for d in range(len(order))])


def _scalar(value, x: torch.Tensor) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    return torch.full((), bits.signed(value), dtype=torch.int64, device=x.device)


class _Eager(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, keep, seed, stream, inplace):
        ctx.draw = (keep, seed, stream)
        if x.is_contiguous():
            ctx.order = None
        else:
            x = dense(x)
            ctx.order = bits.storage_order(x)
        if inplace:
            ctx.mark_dirty(x)
            return scaled(x, keep, seed, stream, x)
        return scaled(x, keep, seed, stream)

    @staticmethod
    def backward(ctx, grad):
        if (
            ctx.order is None
            and not is_batched(grad)
            and grad.is_contiguous()
            and runs_in_c(grad)
            and not torch.is_grad_enabled()
        ):
            return scaled(grad, *ctx.draw), None, None, None, None
        return thinned_gradient(grad, ctx.draw, ctx.order), None, None, None, None


# Function.apply without its look for transforms, which are not at work where this is called: a twelfth of a small call.
_apply_eager = super(torch.autograd.Function, _Eager).apply


def thinned_gradient(grad: torch.Tensor, draw: tuple, order) -> torch.Tensor:
    """The same draw on a gradient, whatever its strides; `order` is that of the forward input, None: contiguous."""
    if torch.is_grad_enabled() or is_batched(grad) or not runs_in_c(grad):
        return thinned(grad, *draw, order=tuple(range(grad.dim())) if order is None else order)
    return scaled(grad.contiguous() if order is None else in_order(grad, order), *draw)


class _Transformed(torch.autograd.Function):
    @staticmethod
    def forward(x, seed, stream, keep, order):
        # Below all transforms x is plain; a tangent known to be zero has no memory to read, a recorded x none yet.
        if x._is_zerotensor():
            return torch.zeros_like(x)
        if type(x) not in _PLAIN or _modes():
            return formula(x, keep, seed, stream, order)
        return _computed(x, seed, stream, keep, order)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, seed, stream, ctx.keep, ctx.order = inputs
        ctx.save_for_backward(seed, stream)
        ctx.save_for_forward(seed, stream)

    @staticmethod
    def backward(ctx, grad):
        return _Transformed.apply(grad, *ctx.saved_tensors, ctx.keep, ctx.order), None, None, None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _Transformed.apply(tangent, *ctx.saved_tensors, ctx.keep, ctx.order)

    @staticmethod
    def vmap(info, in_dims, x, seed, stream, keep, order):
        x_dim, *draw_dims = in_dims[:3]
        if draw_dims == [None, None]:  # one mask for all
            x = x.movedim(x_dim, 0)
            kept = bits.keep_mask(x[0].numel(), keep=keep, seed=seed, stream=stream, device=x.device)
            return bits.apply_mask(x, bits.lay_out(kept, x.shape[1:], order), keep), 0
        rows = [
            [
                value if dim is None else value.select(dim, row)
                for value, dim in zip((x, seed, stream), in_dims, strict=False)
            ]
            for row in range(info.batch_size)
        ]
        return torch.stack([_Transformed.apply(*row, keep, order) for row in rows]), 0


def _computed(x: torch.Tensor, seed: torch.Tensor, stream: torch.Tensor, keep: float, order) -> torch.Tensor:
    """Dropout of a tensor with memory, on whatever device, by the fastest form there is."""
    ordered = x.resolve_neg().permute(order).contiguous()
    if x.is_cpu and x.dtype in CODES and kernel.compiled() is not None:
        out = scaled(ordered, keep, int(seed), int(stream))
    elif triton_kernel.runs_on(x):
        out = triton_kernel.scaled(ordered, keep, seed, stream)
    else:
        out = formula(ordered, keep, seed, stream, tuple(range(x.dim())))
    return undo_order(out, order)


@torch.library.custom_op("shrinkwise::dropout", mutates_args=())
def _operator(x: torch.Tensor, seed: torch.Tensor, stream: torch.Tensor, keep: float, order: list[int]) -> torch.Tensor:
    return _computed(x, seed, stream, keep, order)


@_operator.register_fake
def _(x, seed, stream, keep, order):
    return undo_order(torch.empty_like(x.permute(order), memory_format=torch.contiguous_format), order)


def _save(ctx, inputs, output):
    _, seed, stream, ctx.keep, ctx.order = inputs
    ctx.save_for_backward(seed, stream)


def _operator_backward(ctx, grad):
    return torch.ops.shrinkwise.dropout(grad, *ctx.saved_tensors, ctx.keep, ctx.order), None, None, None, None


_operator.register_autograd(_operator_backward, setup_context=_save)

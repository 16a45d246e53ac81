"""A Triton kernel with the same bits on a GPU: sixteen bits per element, eight elements per Philox call.

One call an element would be bound by arithmetic and not by memory. Without Triton (it comes with torch's CUDA builds) the
formula of `bits` runs on the device instead.
"""

from __future__ import annotations

import struct

import torch

from . import bits

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

BLOCKS = 128  # Philox blocks a program: 1024 elements


def runs_on(x: torch.Tensor) -> bool:
    """Whether the kernel can take x."""
    return triton is not None and x.is_cuda and x.dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def scaled(x: torch.Tensor, keep: float, seed: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
    """Dropout of a contiguous tensor; seed and stream are int64 scalars on its device and are read there."""
    if triton is None:
        raise RuntimeError("The Triton kernel of dropout needs Triton, which is not installed; use pip install triton")
    out = torch.empty_like(x)
    threshold, rest = bits.drop_threshold(keep)
    if threshold == 2**16:  # everything drops; the number of an element has only 16 bits
        return out.zero_()
    wide = tl.float64 if x.dtype == torch.float64 else tl.float32
    grid = (triton.cdiv(x.numel(), 8 * BLOCKS),)
    (scale,) = struct.unpack("q", struct.pack("d", 1.0 / keep))  # its bits: a float argument would arrive as float32
    if x.numel():
        _kernel[grid](x, out, seed, stream, x.numel(), scale, threshold, rest, WIDE=wide, TIES=rest > 0, BLOCKS=BLOCKS)
    return out


if triton is not None:

    @triton.jit
    def _philox(block, key_low, key_high, stream_low, stream_high):
        c0 = (block & 0xFFFFFFFF).to(tl.uint32)
        c1 = (block >> 32).to(tl.uint32)
        c2 = tl.zeros_like(c0) + stream_low
        c3 = tl.zeros_like(c0) + stream_high
        k0, k1 = key_low, key_high
        m0 = tl.full((), 0xD2511F53, tl.uint32)
        m1 = tl.full((), 0xCD9E8D57, tl.uint32)
        w0 = tl.full((), 0x9E3779B9, tl.uint32)
        w1 = tl.full((), 0xBB67AE85, tl.uint32)
        for _ in tl.static_range(10):
            high0, low0 = tl.umulhi(c0, m0 + tl.zeros_like(c0)), c0 * m0
            high1, low1 = tl.umulhi(c2, m1 + tl.zeros_like(c2)), c2 * m1
            c0, c1 = high1 ^ c1 ^ k0, low1
            c2, c3 = high0 ^ c3 ^ k1, low0
            k0, k1 = k0 + w0, k1 + w1
        return c0, c1, c2, c3

    @triton.jit
    def _in_order(x0, x1, x2, x3):
        """Words of each block side by side: element 4 b + j is word j of block b."""
        return tl.join(tl.join(x0, x2), tl.join(x1, x3))

    @triton.jit
    def _kernel(
        x, out, seed, stream, n, scale, threshold, rest, WIDE: tl.constexpr, TIES: tl.constexpr, BLOCKS: tl.constexpr
    ):
        key = tl.load(seed)
        draw = tl.load(stream)
        key_low, key_high = (key & 0xFFFFFFFF).to(tl.uint32), ((key >> 32) & 0xFFFFFFFF).to(tl.uint32)
        stream_low, stream_high = (draw & 0xFFFFFFFF).to(tl.uint32), ((draw >> 32) & 0xFFFFFFFF).to(tl.uint32)
        first = tl.program_id(0).to(tl.int64) * BLOCKS
        block = first + tl.arange(0, BLOCKS)
        x0, x1, x2, x3 = _philox(block, key_low, key_high, stream_low, stream_high)
        words = _in_order(x0, x1, x2, x3)
        numbers = tl.reshape(tl.join(words & 0xFFFF, words >> 16), (8 * BLOCKS,)).to(tl.int64)
        kept = numbers >= threshold
        if TIES:
            tied = numbers == threshold
            if tl.max(tied.to(tl.int32), 0) > 0:
                pairs = 2 * first + tl.arange(0, 2 * BLOCKS)
                y0, y1, y2, y3 = _philox(pairs, key_low, key_high, stream_low, stream_high ^ 0x80000000)
                further = tl.reshape(_in_order(y0, y1, y2, y3), (8 * BLOCKS,)).to(tl.int64)
                kept = kept & ((further >= rest) | (numbers != threshold))
        place = 8 * first + tl.arange(0, 8 * BLOCKS)
        inside = place < n
        factor = tl.full((), scale, tl.int64).to(tl.float64, bitcast=True).to(WIDE)
        value = tl.load(x + place, mask=inside, other=0.0).to(WIDE) * factor
        tl.store(out + place, tl.where(kept, value, 0.0).to(out.dtype.element_ty), mask=inside)

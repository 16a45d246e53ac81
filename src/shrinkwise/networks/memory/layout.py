"""Memory of tensors: which layouts a pass over raw memory can take, and where an optimizer's state begins in its page.

Large tensors all begin at the same place of a page. Passes that read and write several of them at once then use the
same cache sets and are delayed by address aliasing; an offset of a quarter page avoids it.
"""

from __future__ import annotations

import functools

import torch

_PAGE, _LARGE = 4096, 1 << 20  # bytes
# Lengths of steps are measured on all entries of a tensor, or on this many cache lines of it.
_LINES, _LINE = 512, 16


def beside(p: torch.Tensor, place: int) -> torch.Tensor:
    """Zeros of p's type and layout that begin `place` quarters of a page after p, if they are large."""
    if p.numel() * p.element_size() < _LARGE:
        return torch.zeros_like(p, memory_format=torch.preserve_format)
    raw = torch.zeros(p.numel() + _PAGE // p.element_size(), dtype=p.dtype, device=p.device)
    ahead = (p.data_ptr() + place * _PAGE // 4 - raw.data_ptr()) % _PAGE // p.element_size()
    return raw.as_strided(p.shape, p.stride(), ahead)


def in_pass(p: torch.Tensor) -> bool:
    """Whether a pass can go over the memory of p: float32 or float64 on the processor, every place of it used once."""
    plain = type(p) in (torch.Tensor, torch.nn.Parameter) and p.is_cpu and p.dtype in (torch.float32, torch.float64)
    return plain and p.layout == torch.strided and _dense(tuple(p.shape), p.stride())


def same_layout(p: torch.Tensor, other) -> bool:
    """Whether entries of the two lie in the same order in memory."""
    return (
        type(other) in (torch.Tensor, torch.nn.Parameter)
        and other.dtype == p.dtype
        and other.is_cpu
        and other.layout == torch.strided
        and other.shape == p.shape
        and (
            other.stride() == p.stride() or _steps(tuple(p.shape), other.stride()) == _steps(tuple(p.shape), p.stride())
        )
    )


def sampled(x: torch.Tensor) -> torch.Tensor:
    """All entries of x, or those in evenly spaced cache lines where there are many, in the order of its memory."""
    flat = (x if x.is_contiguous() else x.as_strided((x.numel(),), (1,))).reshape(-1)
    few = len(flat) < 2 * _LINES * _LINE
    return flat if few else flat.as_strided((_LINES, _LINE), (len(flat) // _LINES, 1))


def sampled_places(size: int) -> torch.Tensor:
    """The positions of the entries that `sampled` takes of `size`, in order."""
    if size < 2 * _LINES * _LINE:
        return torch.arange(size)
    return (torch.arange(_LINES)[:, None] * (size // _LINES) + torch.arange(_LINE)).reshape(-1)


def _steps(shape: tuple, strides: tuple) -> list[int]:
    """The strides that are ever taken."""
    return [stride for stride, size in zip(strides, shape, strict=True) if size > 1]


@functools.lru_cache(maxsize=4096)
def _dense(shape: tuple, strides: tuple) -> bool:
    expected = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return 0 not in shape

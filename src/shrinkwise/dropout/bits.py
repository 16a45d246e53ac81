"""The specification of the random bits, in pure array code. All faster implementations must give the same bits.

Element i of a call is kept or dropped by a pure function of (seed, stream, i), so a mask is never stored: it is computed
again where it is needed. i is the element's offset in dense storage (see `storage_order`).

Specification
-------------
Philox4x32-10 (Salmon et al.) turns a counter of four 32-bit words and a key of two into four random words x[0..3].

* key = seed, low word first. counter = (block low, block high, stream low, stream high).
* The 16-bit number of element i is half j = i % 8 of block i // 8: ``(x[j // 2] >> 16 * (j % 2)) & 0xffff``.
* D = round((1 − keep) · 2⁴⁸) is split as D = threshold · 2³² + rest. Element i is dropped when its number is below the
  threshold, kept when it is above. A tie is settled by 32 further bits: word i % 4 of block i // 4 of the tie stream (the
  stream with its highest bit flipped); dropped when they are below `rest`.

The probability of keeping is therefore exact to 2⁻⁴⁸, at a cost of 16 bits per element.

References: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011, doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import numpy as np
import torch

_MULTIPLIER = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
_ROUNDS = 10
_TIE_STREAM = 0x80000000  # flipped in the high word of the stream
_HALVES_A_BLOCK = 8
_WORDS_A_BLOCK = 4


def philox4x32(counter, key):
    """Philox4x32-10 of four counter words and two key words, each holding 32 bits: four words.

    Words are NumPy uint64 arrays or torch int64 tensors. A 64-bit product wraps in both, and as the shifted part is
    masked to 32 bits, a signed and an unsigned shift agree.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = c0 * _MULTIPLIER[0], c2 * _MULTIPLIER[1]
        c0, c1 = ((second >> 32) & _LOW) ^ c1 ^ k0, second & _LOW
        c2, c3 = ((first >> 32) & _LOW) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def random_words(blocks, seed, stream, *, tie: bool = False):
    """The four words of each block number in `blocks` (uint64 array or int64 tensor), as four arrays like `blocks`."""
    flip = _TIE_STREAM if tie else 0
    stream_words = [word + (blocks & 0) for word in (stream & _LOW, ((stream >> 32) & _LOW) ^ flip)]
    return philox4x32((blocks & _LOW, (blocks >> 32) & _LOW, *stream_words), (seed & _LOW, (seed >> 32) & _LOW))


def drop_threshold(keep: float) -> tuple[int, int]:
    """(threshold in 1/65536ths, 32 further bits) of the probability 1 − keep."""
    return divmod(round((1.0 - keep) * 2**48), 2**32)


def keep_mask(n: int, *, keep: float, seed, stream=0, device=None) -> torch.Tensor:
    """Which of the elements 0..n-1 are kept: a bool tensor of shape (n,), by the specification above.

    `seed` and `stream` are integers or int64 scalar tensors. On the CPU with plain numbers the work is done by NumPy,
    whose cost per operation is a quarter of torch's; otherwise by torch, without leaving the device.
    """
    device = torch.device("cpu" if device is None else device)
    if device.type == "cpu" and not traced(seed, stream):
        return torch.from_numpy(_kept_numpy(n, *drop_threshold(keep), int(seed), int(stream)))
    seed, stream = (torch.as_tensor(v, dtype=torch.int64, device=device) for v in (signed(seed), signed(stream)))
    return _kept_torch(n, *drop_threshold(keep), seed, stream)


def storage_order(x: torch.Tensor) -> tuple[int, ...]:
    """Dimensions of x from the outermost to the innermost of its dense storage.

    For a dense tensor the element order this gives is the order in memory, whatever the strides. A tensor with gaps or
    overlaps (a slice, an expanded one) counts as if it were copied to dense memory with its order of dimensions.
    """
    return tuple(sorted(range(x.dim()), key=x.stride, reverse=True))


def lay_out(flat: torch.Tensor, shape, order: tuple[int, ...]) -> torch.Tensor:
    """The values of `flat`, one per element in storage order, as a view of the given shape."""
    if order == tuple(range(len(order))):
        return flat.reshape(shape)
    return flat.reshape([shape[d] for d in order]).permute([order.index(d) for d in range(len(order))])


def apply_mask(x: torch.Tensor, kept: torch.Tensor, keep: float) -> torch.Tensor:
    """x/keep where `kept`, exactly 0 elsewhere."""
    return torch.where(kept, x * (1.0 / keep), 0.0)


def _kept_numpy(n: int, threshold: int, rest: int, seed: int, stream: int) -> np.ndarray:
    blocks = np.arange(-(-n // _HALVES_A_BLOCK), dtype=np.uint64)
    words = np.stack(random_words(blocks, seed, stream), axis=-1).astype("<u4")
    halves = words.view("<u2").reshape(-1)[:n]  # little-endian: the low half of a word comes first
    kept = halves >= threshold
    ties = np.flatnonzero(halves == threshold)
    if rest and ties.size:
        words = random_words((ties // _WORDS_A_BLOCK).astype(np.uint64), seed, stream, tie=True)
        kept[ties] = np.choose(ties % _WORDS_A_BLOCK, words) >= rest
    return kept


def _kept_torch(n, threshold: int, rest: int, seed: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
    # Ties are settled for every element: picking them out would wait for the device and depend on the data.
    blocks = torch.arange((n + _HALVES_A_BLOCK - 1) // _HALVES_A_BLOCK, device=seed.device)
    words = torch.stack(random_words(blocks, seed, stream), -1)
    halves = torch.stack((words & 0xFFFF, words >> 16), -1).reshape(-1)[:n]
    if not rest:
        return halves >= threshold
    blocks = torch.arange((n + _WORDS_A_BLOCK - 1) // _WORDS_A_BLOCK, device=seed.device)
    further = torch.stack(random_words(blocks, seed, stream, tie=True), -1).reshape(-1)[:n]
    return (halves > threshold) | ((halves == threshold) & (further >= rest))


def signed(value):
    """An integer of up to 64 bits as an int64 value."""
    return value if isinstance(value, torch.Tensor) else (value + 2**63) % 2**64 - 2**63


def traced(*values) -> bool:
    """Whether a program is being recorded or transformed, so that numbers cannot be taken out of tensors."""
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
        or any(isinstance(v, torch.Tensor) and type(v) is not torch.Tensor for v in values)
    )

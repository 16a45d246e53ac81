"""The bit specification: known answers, an independent integer implementation, and two forms with the same bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from shrinkwise.dropout import bits
from shrinkwise.dropout.bits import keep_mask

KNOWN_ANSWERS = [  # Random123, kat_vectors, philox4x32 10
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def philox_by_integers(counter, key):
    """The paper's definition, in unbounded integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c[0], 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high_1 ^ c[1] ^ k[0], low_1, high_0 ^ c[3] ^ k[1], low_0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def kept_by_integers(i: int, keep: float, seed: int, stream: int) -> bool:
    """The specification, one element at a time."""
    key = [seed % 2**32, seed // 2**32 % 2**32]
    stream_words = [stream % 2**32, stream // 2**32 % 2**32]
    x = philox_by_integers([i // 8 % 2**32, i // 8 // 2**32, *stream_words], key)
    number = x[i % 8 // 2] >> 16 * (i % 2) & 0xFFFF
    threshold, rest = divmod(round((1 - keep) * 2**48), 2**32)
    if number != threshold:
        return number > threshold
    stream_words[1] ^= 0x80000000
    return philox_by_integers([i // 4 % 2**32, i // 4 // 2**32, *stream_words], key)[i % 4] >= rest


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_passes_the_known_answer_vectors(counter, key, answer):
    assert philox_by_integers(words(counter), words(key)) == words(answer)
    for array in (lambda v: np.array([v], dtype=np.uint64), lambda v: torch.tensor([v], dtype=torch.int64)):
        got = bits.philox4x32([array(v) for v in words(counter)], [array(v) for v in words(key)])
        assert [int(word[0]) for word in got] == words(answer)


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (2**40 + 3, 2**33 + 1), (-1, 2**63 - 1)])
def test_block_numbers_above_32_bits_reach_the_counter(seed, stream):
    numbers = [0, 5, 2**32 - 1, 2**32, 2**34 + 7]
    got = bits.random_words(np.array(numbers, dtype=np.uint64), seed, stream)
    for k, block in enumerate(numbers):
        counter = [block % 2**32, block // 2**32, stream % 2**32, stream // 2**32]
        assert [int(word[k]) for word in got] == philox_by_integers(counter, [seed % 2**32, seed // 2**32 % 2**32])


@pytest.mark.parametrize("keep", [0.5, 0.3, 1 / 65536 + 2**-20, 0.0, 1e-20])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 203])
def test_every_form_follows_the_specification(keep, n):
    seed, stream = -(2**61) + 12345, 2**35 + 2
    expected = torch.tensor([kept_by_integers(i, keep, seed, stream) for i in range(n)], dtype=torch.bool)
    assert torch.equal(keep_mask(n, keep=keep, seed=seed, stream=stream), expected)
    as_tensors = (torch.tensor(seed), torch.tensor(stream))
    assert torch.equal(bits._kept_torch(n, *bits.drop_threshold(keep), *as_tensors), expected)


def test_ties_are_settled_by_the_further_bits():
    keep, n = 1 - (300 + 0.25) / 65536, 400_000  # about six ties, of which a quarter are dropped
    threshold, rest = bits.drop_threshold(keep)
    assert (threshold, rest) == (300, 2**30)
    fast, settled = keep_mask(n, keep=keep, seed=4), 0
    dropped_all, dropped_none = (keep_mask(n, keep=1 - k / 65536, seed=4) for k in (301, 300))
    for i in torch.nonzero(dropped_all != dropped_none).flatten().tolist():
        assert bool(fast[i]) == kept_by_integers(i, keep, 4, 0)
        settled += 1
    assert settled >= 2
    assert torch.equal(fast, bits._kept_torch(n, threshold, rest, torch.tensor(4), torch.tensor(0)))


@pytest.mark.parametrize("keep", [0.5, 0.3, 0.9, 0.75, 1e-3, 1 - 1e-4])
def test_the_kept_fraction_is_keep(keep):
    n = 2**20
    kept = int(keep_mask(n, keep=keep, seed=20).sum())
    assert abs(kept - n * keep) <= 5 * math.sqrt(n * keep * (1 - keep))  # false alarm 6e-7


def test_neighbours_streams_and_seeds_are_uncorrelated():
    n, base = 2**18, keep_mask(2**18, keep=0.5, seed=1)
    others = [keep_mask(n, keep=0.5, seed=2), keep_mask(n, keep=0.5, seed=1, stream=1)]
    others += [base.roll(lag) for lag in (1, 2, 4, 8, 64)]
    for other in others:
        assert abs(int((base == other).sum()) - n / 2) <= 5 * math.sqrt(n) / 2


def test_unsigned_and_negative_seeds_are_the_same_bits():
    assert torch.equal(keep_mask(99, keep=0.3, seed=2**64 - 5), keep_mask(99, keep=0.3, seed=-5))


def test_storage_order_is_the_order_in_memory():
    x = torch.randn(2, 3, 4, 5)
    for view in (x, x.permute(2, 0, 3, 1), x.contiguous(memory_format=torch.channels_last), x[:, :1], x[..., :0]):
        order = bits.storage_order(view)
        flat = torch.arange(view.numel())
        offsets = bits.lay_out(flat, view.shape, order)
        assert offsets.shape == view.shape
        dense = torch.empty_like(view)  # torch's own answer to what the dense layout of a view is
        if view.numel():
            assert torch.equal(offsets, torch.as_strided(flat, view.shape, dense.stride()))

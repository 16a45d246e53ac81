"""The masks as random numbers: 2²² bits a keep in the quick set, 2²⁶ in the thorough one.

Each keep compares 50 p-values with 1e-7, so independent bits would raise a false alarm in one run of 70 000 over the three
keeps. The seeds are fixed: a set that passes passes always.
"""

from __future__ import annotations

import numpy as np
import pytest

from dropout import randomness
from shrinkwise.dropout import keep_mask

ALARM = 1e-7
SIZES = [pytest.param(2**22, id="quick"), pytest.param(2**26, id="thorough", marks=pytest.mark.thorough)]


def bits(n, keep, seed, stream=0):
    return keep_mask(n, keep=keep, seed=seed, stream=stream).numpy()


def p_values(mask, others, keep):
    found = [
        *randomness.mean(mask, keep),
        *randomness.rows_and_columns(mask, keep),
        *randomness.lags(mask, keep),
        *randomness.patterns(mask, keep),
    ]
    for other in others:
        found += randomness.agreement(mask, other, keep)
    return np.array(found)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("keep", [0.5, 0.9, 0.3])
def test_masks_look_independent_along_and_across_seeds(keep, n):
    neighbours = [
        (2, 0),
        (1, 1),
        (1 + 2**32, 0),
        (1, 2**32),
        (-1, 0),
        (3, 0),
        (1 ^ 2**63, 0),
    ]  # one bit of the key or the stream
    others = (bits(n, keep, seed, stream) for seed, stream in neighbours)
    found = p_values(bits(n, keep, 1), others, keep)
    assert found.size == 50
    assert found.min() >= ALARM
    assert 0.2 <= np.median(found) <= 0.8  # far too good would be as suspicious: false alarm below 1e-5


def test_the_tie_stream_does_not_echo_the_first():
    # Half of the ties are dropped: with keep = 1 − (t + ½)/65536 the tied elements split evenly and alone.
    n, threshold = 2**24, 300
    tied = bits(n, 1 - (threshold + 1) / 65536, 5) != bits(n, 1 - threshold / 65536, 5)
    kept = bits(n, 1 - (threshold + 0.5) / 65536, 5)[tied]
    assert kept.size >= 200
    assert randomness.mean(kept, 0.5)[0] >= ALARM


DEFECTS = {
    "biased by a quarter of a hundredth": lambda mask: mask | (np.arange(mask.size) % 199 == 0),
    "one half of a block repeats another": lambda mask: np.where(np.arange(mask.size) % 8 == 7, np.roll(mask, 1), mask),
    "a column that is always kept": lambda mask: mask | (np.arange(mask.size) % 2048 == 3),
    "a short period": lambda mask: np.tile(mask[:4096], mask.size // 4096),
    "the mask of another seed, in part": lambda mask: np.where(
        np.arange(mask.size) % 128 == 0, bits(mask.size, 0.5, 2), mask
    ),
}


@pytest.mark.parametrize("spoil", DEFECTS.values(), ids=DEFECTS)
def test_the_tests_find_what_is_wrong(spoil):
    wrong = spoil(bits(2**22, 0.5, 1))
    assert p_values(wrong, [bits(2**22, 0.5, 2)], 0.5).min() < ALARM

"""The fold of a row: a hash of its number, or of the value of its group, and of nothing else.

It does not depend on the sizes of blocks and files, on threads or on machines.
"""

from __future__ import annotations

import hashlib

import numpy as np

_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def hashes(numbers, seed: int = 0) -> np.ndarray:
    """A hash of each integer (n,) as uint64: the mixing function of SplitMix64.

    Reference: Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(numbers).astype(np.uint64) + _STEP * np.uint64(seed + 1)
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


def group_hashes(values, seed: int = 0) -> np.ndarray:
    """A hash of each value (n,) as uint64. Numbers without a fraction are the same group as integers and as floats."""
    distinct, inverse = np.unique(np.asarray(values), return_inverse=True)
    codes = [int.from_bytes(hashlib.blake2b(_name(v).encode(), digest_size=8).digest(), "little") for v in distinct]
    return hashes(np.array(codes, dtype=np.uint64), seed)[inverse]


def fold_numbers(first: int, n: int, n_folds: int, seed: int = 0, groups=None) -> np.ndarray:
    """Folds 0, …, n_folds − 1 of the rows first, …, first + n − 1, or of their groups (n,)."""
    found = hashes(np.arange(first, first + n), seed) if groups is None else group_hashes(groups, seed)
    return (found % np.uint64(n_folds)).astype(np.intp)


def _name(value) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value)

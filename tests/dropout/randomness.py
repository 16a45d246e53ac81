"""Tests of randomness: each gives p-values under the hypothesis of independent bits that are 1 with probability p."""

from __future__ import annotations

import numpy as np
from scipy import stats


def _normal(z) -> list[float]:
    return [float(p) for p in np.atleast_1d(2 * stats.norm.sf(np.abs(z)))]


def mean(bits: np.ndarray, p: float) -> list[float]:
    """The number of ones."""
    n = bits.size
    return _normal((bits.sum(dtype=np.int64) - n * p) / np.sqrt(n * p * (1 - p)))


def _dispersion(counts: np.ndarray, size: int, p: float) -> list[float]:
    """Chi-square of counts of `size` bits about their expectation, from both sides: too even is as wrong as too uneven."""
    chi2, cells = ((counts - size * p) ** 2).sum() / (size * p * (1 - p)), counts.size
    return [2 * min(float(stats.chi2.sf(chi2, cells)), float(stats.chi2.cdf(chi2, cells)))]


def rows_and_columns(bits: np.ndarray, p: float, width: int = 2048) -> list[float]:
    """Counts along both sides of a matrix: units that drop too often, samples that drop too much."""
    matrix = bits[: bits.size // width * width].reshape(-1, width)
    return [
        *_dispersion(matrix.sum(1, dtype=np.int64), width, p),
        *_dispersion(matrix.sum(0, dtype=np.int64), len(matrix), p),
    ]


def lags(bits: np.ndarray, p: float) -> list[float]:
    """Correlation with itself, shifted: inside a Philox block, across blocks, across rows of common widths."""
    centred = (bits - np.float32(p)) / np.float32(np.sqrt(p * (1 - p)))
    found = []
    for lag in (*range(1, 33), 64, 128, 256, 512, 1024, 2048, 4096):
        products = centred[:-lag] * centred[lag:]
        found += _normal(products.sum(dtype=np.float64) / np.sqrt(products.size))
    return found


def patterns(bits: np.ndarray, p: float) -> list[float]:
    """Frequencies of the 256 patterns of the eight bits of one Philox block, by chi-square."""
    counts = np.bincount(np.packbits(bits[: bits.size // 8 * 8], bitorder="little"), minlength=256)
    ones = np.array([bin(k).count("1") for k in range(256)])
    expected = counts.sum() * p**ones * (1 - p) ** (8 - ones)
    likely = expected >= 10
    observed = [*counts[likely], counts[~likely].sum()]
    wanted = [*expected[likely], expected[~likely].sum()]
    if wanted[-1] == 0:
        observed, wanted = observed[:-1], wanted[:-1]
    return [float(stats.chisquare(observed, wanted).pvalue)]


def agreement(bits: np.ndarray, other: np.ndarray, p: float) -> list[float]:
    """Correlation of two masks."""
    n, both = bits.size, (bits & other).sum(dtype=np.int64)
    centred = both - p * (bits.sum(dtype=np.int64) + other.sum(dtype=np.int64)) + n * p * p
    return _normal(centred / (p * (1 - p) * np.sqrt(n)))

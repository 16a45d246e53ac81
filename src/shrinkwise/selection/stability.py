"""Stability selection: inputs selected in most half-samples."""

from __future__ import annotations

import math

import numpy as np


def complementary_halves(n: int, pairs: int, random_state=None, strata=None) -> list[tuple[np.ndarray, np.ndarray]]:
    """`pairs` random splits of n rows into two disjoint halves of ⌊n/2⌋ rows.

    Parameters
    ----------
    n : int ≥ 2;  pairs : int ≥ 1;  random_state : int, Generator or None.
    strata : (n,) labels, optional
        Each half gets half of the rows of every label (an odd row goes to either half).

    Returns
    -------
    list of (half, other half), sorted row numbers.

    Reference: Shah and Samworth, Variable selection with error control: another look at stability selection, JRSS B 2013,
    doi:10.1111/j.1467-9868.2011.01034.x.
    """
    if n < 2 or pairs < 1:
        raise ValueError(f"Expected n ≥ 2 rows and pairs ≥ 1, got n = {n} and pairs = {pairs}")
    rng = np.random.default_rng(random_state)
    labels = np.zeros(n, dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    return [_split(labels, rng) for _ in range(pairs)]


def _split(labels, rng) -> tuple[np.ndarray, np.ndarray]:
    # Shuffled, then ordered by label: every second row of that order is half of each label.
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    half = len(labels) // 2
    first, second = order[0 : 2 * half : 2], order[1 : 2 * half : 2]
    return np.sort(first), np.sort(second)


def false_selection_bound(average_selected: float, p: int, threshold: float, pairs: int) -> float:
    """Bound on the expected number of stable inputs that are selected no more often than by chance.

        E |stable ∩ {inputs selected with probability ≤ θ}| ≤ C(τ, B) θ q        θ = q/p

    with q the average number selected on a half, τ the threshold and B the number of pairs. C = 1/(2τ − 1) is always
    valid (it gives Meinshausen and Bühlmann's bound q²/((2τ − 1)p)); if the distribution over the pairs is unimodal and
    θ ≤ 1/√3, as is assumed here, the smaller constant is

        C = 1/(2(2τ − 1 − 1/(2B)))              for τ ≤ 3/4 (and τ > min(½ + θ², ½ + 1/(2B) + ¾θ²)),
        C = 4(1 − τ + 1/(2B))/(1 + 1/B)         for τ > 3/4.

    Parameters
    ----------
    average_selected : q ≥ 0;  p : number of inputs;  threshold : τ in (½, 1];  pairs : B ≥ 1.

    References: Shah and Samworth, JRSS B 2013, Theorem 1 and (8). Meinshausen and Bühlmann, Stability selection, JRSS B
    2010.

    >>> round(false_selection_bound(10.0, 100, 0.9, 50), 4)       # C = 4 · 0.11 / 1.02, θ q = 1
    0.4314
    """
    if not 0.5 < threshold <= 1:
        raise ValueError(f"Expected a threshold above 0.5 and at most 1, got {threshold}")
    if p < 1 or not 0 <= average_selected <= p:
        raise ValueError(f"Expected 0 ≤ q ≤ p selected inputs, got q = {average_selected} and p = {p}")
    theta, B, factor = average_selected / p, pairs, 1.0 / (2.0 * threshold - 1.0)
    low = min(0.5 + theta**2, 0.5 + 0.5 / B + 0.75 * theta**2)
    if theta <= 1.0 / math.sqrt(3.0) and threshold > low:
        if threshold > 0.75:
            factor = min(factor, 4.0 * (1.0 - threshold + 0.5 / B) / (1.0 + 1.0 / B))
        elif 2.0 * threshold - 1.0 - 0.5 / B > 0:
            factor = min(factor, 1.0 / (2.0 * (2.0 * threshold - 1.0 - 0.5 / B)))
    return float(factor * theta * average_selected)


def taking_turns(selected: np.ndarray, least: float = 0.1, level: float = 0.05) -> list[tuple[int, int, float]]:
    """Pairs of inputs that replace each other on half-samples: their selections are negatively correlated.

        φ_ij = cor(1{i used}, 1{j used}) ≤ −z/√m,    z = Φ⁻¹(1 − level/pairs)        over m half-samples

    Under L1 two redundant inputs replace each other, so neither may be stable by itself. For independent selections φ√m
    is approximately standard normal, so that the probability of any false pair is at most `level` (Bonferroni over the
    tested pairs).

    Parameters
    ----------
    selected : (m, p) bool;  least : inputs used in less than this share of the half-samples, or in all but less than
    this share, are excluded.

    Returns
    -------
    list of (i, j, share of half-samples that use exactly one of the two), the strongest correlation first.

    >>> taking_turns(np.array([[1, 0, 1], [0, 1, 1]] * 10, dtype=bool))
    [(0, 1, 1.0)]
    """
    from scipy.special import ndtri

    selected = np.asarray(selected, dtype=bool)
    share = selected.mean(axis=0) if len(selected) else np.zeros(selected.shape[1])
    able = np.flatnonzero((share >= least) & (share <= 1 - least))
    if len(able) < 2:
        return []
    phi = np.corrcoef(selected[:, able].T)
    first, second = np.triu_indices(len(able), 1)
    limit = ndtri(1 - level / len(first)) / math.sqrt(len(selected))
    found = sorted((p, a, b) for p, a, b in zip(phi[first, second], first, second, strict=True) if p <= -limit)
    exactly_one = [float(np.mean(selected[:, able[a]] ^ selected[:, able[b]])) for _, a, b in found]
    return [(int(able[a]), int(able[b]), one) for (_, a, b), one in zip(found, exactly_one, strict=True)]

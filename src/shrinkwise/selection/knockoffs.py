"""Gaussian model-X knockoffs: copies of the inputs, independent of the target given the inputs, and the threshold they give."""

from __future__ import annotations

import numbers

import numpy as np

_BARRIERS = 0.5 * 0.77 ** np.arange(44)  # down to 7e-6 of a variance


def gaussian_knockoffs(X, mean, covariance, method: str = "sdp", random_state=None) -> np.ndarray:
    """Knockoffs X̃ (n, p) of rows X ~ N(mean, Σ): swapping any columns of X with theirs keeps the joint distribution.

        X̃ = X − (X − mean) Σ⁻¹ D + Z,    Z ~ N(0, 2D − D Σ⁻¹ D),    D = diag(s) ≤ 2Σ

    Parameters
    ----------
    X : (n, p);  mean : (p,);  covariance : (p, p), positive definite.
    method : "sdp" or "equicorrelated"
        How s is chosen: "sdp" maximises Σ s_j / Σ_jj, "equicorrelated" takes one s_j / Σ_jj for all. A larger s makes a
        knockoff less like its input, which gives more power.
    random_state : int, Generator or None.

    References: Candès, Fan, Janson, Lv, Panning for gold: model-X knockoffs for high dimensional controlled variable selection,
    JRSS B 2018, arXiv 1610.02351.
    """
    X, covariance = np.asarray(X, dtype=float), np.asarray(covariance, dtype=float)
    deviation = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    s = _separations(correlation, method)
    Z = (X - mean) / deviation
    solved = np.linalg.solve(correlation, np.diag(s))  # Σ⁻¹ D
    noise = 2.0 * np.diag(s) - s[:, None] * solved
    values, vectors = np.linalg.eigh(0.5 * (noise + noise.T))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = _generator(random_state).normal(size=Z.shape)
    return mean + deviation * (Z - Z @ solved + draws @ root.T)


def _generator(random_state):
    """Of an integer not the stream of ``default_rng(integer)``: simulated rows may come from it, and would be drawn again."""
    if isinstance(random_state, numbers.Integral):
        random_state = np.random.SeedSequence(int(random_state), spawn_key=(1,))
    return np.random.default_rng(random_state)


def _separations(correlation, method: str) -> np.ndarray:
    """s (p,) in [0, 1] with diag(s) ≤ 2 · correlation."""
    least = float(np.linalg.eigvalsh(correlation)[0])
    if least <= 1e-10:
        raise ValueError(
            f"Expected a positive definite covariance, got a smallest eigenvalue of {least:.1e} of its correlations; "
            "leave out columns that are combinations of others"
        )
    if method == "equicorrelated":
        return np.full(len(correlation), min(2.0 * least, 1.0) * (1.0 - 1e-9))
    if method != "sdp":
        raise ValueError(f'Expected method to be "sdp" or "equicorrelated", got {method!r}')
    return _most_separated(correlation)


def _most_separated(correlation) -> np.ndarray:
    """argmax Σ s_j subject to 0 ≤ s ≤ 1, diag(s) ≤ 2 · correlation, by coordinate ascent with a vanishing barrier μ log det.

    With M = (2R − diag(s))⁻¹ the matrix stays positive definite up to s_j + 1/M_jj, and the barrier's optimum is μ below it.
    One sweep for each μ comes within a few percent of the optimum, which costs a little power and no error control.
    Reference: Askari, Rebjock, d'Aspremont, El Ghaoui, FANOK: knockoffs in linear time, SIMODS 2021, arXiv 2006.08790.
    """
    p = len(correlation)
    s = np.zeros(p)
    for barrier in _BARRIERS:
        M = np.linalg.inv(2.0 * correlation - np.diag(s))
        for j in range(p):
            new = min(max(s[j] + 1.0 / M[j, j] - barrier, 0.0), 1.0)
            change = new - s[j]
            if change:
                s[j] = new
                M += np.outer(M[j], M[j] * (change / (1.0 - change * M[j, j])))
    return s * (1.0 - 1e-9)


def knockoff_threshold(statistics, fdr: float) -> float:
    """The smallest t > 0 among |W_j| with (1 + #{W_j ≤ −t}) / max(1, #{W_j ≥ t}) ≤ fdr; ∞ where there is none.

    The inputs with W_j ≥ t then have an expected false discovery proportion of at most `fdr` ("knockoff+"), if the signs of
    the W of irrelevant inputs are independent fair coins.

    Reference: Barber and Candès, Controlling the false discovery rate via knockoffs, Ann. Statist. 2015, arXiv 1404.5609.

    >>> knockoff_threshold([5.0, 4.0, 3.0, 2.0, -1.0], fdr=0.25)
    2.0
    """
    if isinstance(fdr, bool) or not 0 < fdr < 1:
        raise ValueError(f"Expected fdr (the false discovery rate) to be in (0, 1), got {fdr!r}")
    W = np.asarray(statistics, dtype=float)
    for t in np.unique(np.abs(W[W != 0])):
        if (1 + np.sum(W <= -t)) / max(1, np.sum(W >= t)) <= fdr:
            return float(t)
    return float("inf")

"""Quantiles of held-out scores for prediction intervals: the finite-sample rule of conformal prediction."""

from __future__ import annotations

import numpy as np

from .splits import Rows


def conformal_quantiles(scores, levels, mass=None, unseen: float = 1.0) -> np.ndarray:
    """For each level the smallest score t with Σ {mass_i : score_i ≤ t} ≥ level · (Σ mass_i + unseen).

    With equal masses this is the ⌈(n + 1) · level⌉-th smallest of n scores: the score of one more exchangeable row is at
    most t with probability at least `level`. It is ∞ where n scores are too few, that is below level / (1 − level).

    Parameters
    ----------
    scores : (n,)
    levels : (L,) between 0 and 1
    mass : (n,) > 0, optional
        By default 1 for each row.
    unseen : float
        The mass of the new row.

    Returns
    -------
    (L,)

    References
    ----------
    Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005.
    Tibshirani, Foygel Barber, Candès, Ramdas, Conformal prediction under covariate shift, NeurIPS 2019 (masses).

    Examples
    --------
    Nine scores: the ninth for 90 %, and none for 95 %.

    >>> conformal_quantiles([3, 1, 2, 9, 8, 7, 4, 5, 6], [0.5, 0.9, 0.95]).tolist()
    [5.0, 9.0, inf]
    """
    scores = np.asarray(scores, dtype=float)
    mass = np.ones(len(scores)) if mass is None else np.asarray(mass, dtype=float)
    if mass.size and mass.min() == mass.max():  # without the order of the rows, which takes longer to find
        scores, reached = np.sort(scores), np.cumsum(mass)
    else:
        order = np.argsort(scores, kind="stable")
        scores, reached = scores[order], np.cumsum(mass[order])
    total = float(mass.sum()) + unseen
    # A sum of masses is exact to a few units of rounding: 0.9 · 10 must be reached by 9.
    wanted = np.asarray(levels, dtype=float) * total - 1e-9 * total
    return np.append(scores, np.inf)[np.searchsorted(reached, wanted)]


def row_masses(rows: Rows, n: int) -> tuple[np.ndarray, float]:
    """The mass of each of n rows and of a new one, for `conformal_quantiles`.

    Weights are masses, and a new row has the mean weight. With groups every group has the mass 1, shared by its rows, and
    the new row belongs to a new group: the level then holds for a random row of a new group, if the groups are
    exchangeable.

    References
    ----------
    Dunn, Wasserman, Ramdas, Distribution-free prediction sets for two-layer hierarchical models, JASA 2023,
    doi:10.1080/01621459.2022.2060112.
    """
    mass = np.ones(n) if rows.weights is None else np.asarray(rows.weights, dtype=float)
    if rows.groups is None:
        return mass, float(mass.mean())
    codes = np.unique(rows.groups, return_inverse=True)[1]
    return mass / np.bincount(codes, weights=mass)[codes], 1.0

"""Selection of λ on a cross-validation curve."""

from __future__ import annotations

import numpy as np

from .intervals import mean_and_se

SELECT = ("1se", "best")


def one_standard_error(cv_mean, cv_se) -> tuple[int, int]:
    """The best λ of a cross-validation curve, and the largest λ within one standard error of it.

        best = argmin_i m_i            one_se = min { i : m_i ≤ m_best + s_best }

    for held-out losses m (lower is better) along a **decreasing** grid of λ, so that a smaller index means stronger
    regularization. The standard error is the one at the best λ. Ties go to the stronger regularization.

    Parameters
    ----------
    cv_mean : array (L,)
        Mean held-out loss per λ. NaN marks a λ that has no score; it is never selected.
    cv_se : array (L,)
        Its standard error. NaN at the best λ (a single fold) counts as 0, so that both indices agree.

    Returns
    -------
    (index_best, index_one_se) with index_one_se ≤ index_best.

    References
    ----------
    Breiman, Friedman, Olshen, Stone, Classification and Regression Trees, 1984, section 3.4.3.
    Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 2009, section 7.10.

    Examples
    --------
    >>> one_standard_error([9.0, 4.0, 3.0, 3.5], [1.0, 1.0, 1.5, 1.0])
    (2, 1)
    """
    mean, se = np.asarray(cv_mean, dtype=float), np.asarray(cv_se, dtype=float)
    if mean.ndim != 1 or mean.shape != se.shape:
        raise ValueError(
            f"Expected cv_mean and cv_se to be one-dimensional and of equal length, got shapes {mean.shape} and "
            f"{se.shape}"
        )
    if mean.size == 0 or np.isnan(mean).all():
        raise ValueError("The cross-validation curve has no finite score, because every held-out loss is missing")
    best = int(np.nanargmin(mean))
    margin = 0.0 if np.isnan(se[best]) else se[best]
    return best, int(np.flatnonzero(mean <= mean[best] + margin)[0])


def paired_one_standard_error(losses) -> tuple[int, int]:
    """The best λ of a cross-validation curve, and the strongest λ that the folds do not tell from it.

        best = argmin_i m_i        one_se = min { i : d_j ≤ s_j for all j from i to best }

    for held-out losses along a **decreasing** grid of λ, m_i their mean over the folds, d_i the mean and s_i the standard
    error over the folds of (loss at λ_i − loss at the best λ). A fold that is hard is hard at every λ: this takes it out,
    so s_i is smaller than the standard error of m_best that `one_standard_error` allows, and less of the gain is given up.

    Parameters
    ----------
    losses : array (L, K)
        Held-out loss per λ and fold. NaN marks a λ that has no score; it is never selected.

    Returns
    -------
    (index_best, index_one_se) with index_one_se ≤ index_best.

    Examples
    --------
    One fold is harder by 8; the first λ costs 1 in either fold, the second .1 ± .1.

    >>> paired_one_standard_error([[2.0, 10.0], [1.0, 9.2], [1.0, 9.0]])
    (2, 1)
    """
    losses = np.asarray(losses, dtype=float)
    mean = mean_and_se(losses.T)[0]
    best = one_standard_error(mean, np.zeros(len(mean)))[0]
    difference, error = mean_and_se((losses - losses[best]).T)
    within = np.isnan(mean) | (difference <= np.nan_to_num(error))
    first = best
    while first and within[first - 1]:
        first -= 1
    allowed = np.flatnonzero(~np.isnan(mean[first : best + 1]))
    return best, first + int(allowed[0])


def check_select(select: str) -> None:
    """Refuse what is neither "1se" nor "best"."""
    if select not in SELECT:
        raise ValueError(f'Expected select="1se" or "best", got {select!r}')


def selected(cv_mean, cv_se, select: str) -> int:
    """The index that is kept: the best one for "best", the strongest within one standard error of it for "1se".

    >>> selected([9.0, 4.0, 3.0, 3.5], [1.0, 1.0, 1.5, 1.0], "1se")
    1
    """
    check_select(select)
    best, one_se = one_standard_error(cv_mean, cv_se)
    return one_se if select == "1se" else best

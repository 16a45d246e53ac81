"""The uncertainty of a cross-validated score, or of a difference of two."""

from __future__ import annotations

import numpy as np


def mean_and_se(fold_values, independent: float | None = None):
    """Mean over folds (axis 0) and its standard error.

        se = √( Σ (v − v̄)² / (K − K/m) / m )         m = `independent`, K folds

    For the usual folds, which partition the rows, m = K and se = s/√K. If folds repeat rows (RepeatedKFold,
    ShuffleSplit), m is smaller (`independent_folds`): repeating a split adds no new rows, so the error does not
    decrease with K.

    Folds share training rows, so this error is too small as the uncertainty of the score on new data; it is the usual
    scale for the one-standard-error rule. For a difference of two candidates use `paired_interval`.

    Parameters
    ----------
    fold_values : array (K,) or (K, L)
        One row per fold. NaN (a fold without a score) is ignored.
    independent : float in [1, K], optional
        Number of folds that share no held-out row; None means all of them.

    Returns
    -------
    (mean, se), scalars or arrays (L,). The standard error is NaN with fewer than two independent folds.
    """
    values = np.asarray(fold_values, dtype=float)
    present = ~np.isnan(values)
    count = present.sum(axis=0)
    share = 1.0 if independent is None else independent / len(values)
    m = count * share
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, values, 0.0).sum(axis=0) / count
        squares = np.where(present, values - mean, 0.0) ** 2
        freedom = np.where(m > 1.0 + 1e-9, count - 1.0 / share, np.nan)
        se = np.sqrt(squares.sum(axis=0) / freedom / m)
    return (float(mean), float(se)) if values.ndim == 1 else (mean, se)


def independent_folds(test_parts) -> float:
    """Number of folds whose held-out rows do not overlap: K · (distinct held-out rows) / (held-out rows in all).

    K for a partition; the number of folds of one repetition for RepeatedKFold; 1/(share held out) for many
    ShuffleSplits.

    >>> independent_folds([[0, 1], [2, 3], [0, 2], [1, 3]])
    2.0
    """
    parts = [np.flatnonzero(part) if np.asarray(part).dtype == bool else np.asarray(part) for part in test_parts]
    held = np.concatenate(parts) if parts else np.zeros(0, dtype=int)
    return len(parts) * len(np.unique(held)) / len(held) if len(held) else 0.0


def paired_interval(fold_differences, n_train: float, n_test: float, level: float = 0.95) -> tuple[float, float, float]:
    """Confidence interval of a difference of two candidates scored on the same K folds.

        d̄ ± t_{K−1, (1+level)/2} · √( (1/K + n_test/n_train) · s² )

    with d̄ and s² the mean and the sample variance (divisor K − 1) of the differences. The second term is Nadeau and
    Bengio's correction: training sets of different folds overlap, so the K differences are not independent and the
    plain t interval (without that term) is too short. For K-fold cross-validation n_test/n_train = 1/(K − 1).

    Parameters
    ----------
    fold_differences : array (K,)
        Score of one candidate minus score of the other, fold by fold; K ≥ 2.
    n_train, n_test : float
        Number of rows in a training and in a test fold (the average if folds differ in size).
    level : float in (0, 1)

    Returns
    -------
    (mean, low, high)

    References
    ----------
    Nadeau, Bengio, Inference for the generalization error, Machine Learning 52, 2003, doi:10.1023/A:1024068626366.
    Bouckaert, Frank, Evaluating the replicability of significance tests for comparing learning algorithms, 2004,
    doi:10.1007/978-3-540-24775-3_3 (for cross-validation).

    Examples
    --------
    Differences 1 and 3: mean 2, s² = 2; (1/2 + 1) · 2 = 3 and t_{1, 0.75} = 1, so 2 ± √3.

    >>> [round(v, 6) for v in paired_interval([1.0, 3.0], n_train=10, n_test=10, level=0.5)]
    [2.0, 0.267949, 3.732051]
    """
    from scipy.special import stdtrit

    if not 0 < level < 1:
        raise ValueError(f"Expected level to be strictly between 0 and 1, for example 0.95, got {level}")
    mean, error, n_folds = _corrected(fold_differences, n_train, n_test)
    half = float(stdtrit(n_folds - 1, (1 + level) / 2) * error)
    return mean, mean - half, mean + half


def paired_p_value(fold_differences, n_train: float, n_test: float) -> float:
    """Two-sided p-value of "no difference", by the corrected t statistic of `paired_interval`.

    It is below 1 − level exactly if the interval with this level excludes zero. Parameters and references as there.

    Examples
    --------
    Differences 1 and 3 at n_test/n_train = 1: t = 2/√3 with one degree of freedom, so p = 1 − 2 atan(2/√3)/π.

    >>> round(paired_p_value([1.0, 3.0], n_train=10, n_test=10), 6)
    0.454371
    """
    from scipy.special import stdtr

    mean, error, n_folds = _corrected(fold_differences, n_train, n_test)
    if error == 0:
        return float(mean == 0)
    return float(2 * stdtr(n_folds - 1, -abs(mean) / error))


def independent_interval(
    fold_scores, n_train: float, n_test: float, score: float, error: float, n: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Confidence interval of `score`, measured on n independent rows, minus the mean of the scores of K folds.

        (score − x̄) ± t_{ν, (1+level)/2} · √( a + error² )        a = (1/K + n_test/n_train) s²

    with s² the sample variance of the fold scores, corrected as in `paired_interval`, error the standard error of `score`
    and ν = (a + error²)² / (a²/(K − 1) + error⁴/(n − 1)) degrees of freedom (Welch, Satterthwaite).

    Returns
    -------
    (mean, low, high)

    References
    ----------
    Welch, The generalization of Student's problem when several different population variances are involved, Biometrika 34,
    1947, doi:10.1093/biomet/34.1-2.28.

    Examples
    --------
    With fold scores 1 and 3 at n_test/n_train = 1, a = 3; an exact score gives one degree of freedom: 1 ± √3.

    >>> [round(v, 6) for v in independent_interval([1.0, 3.0], 10, 10, 3.0, 0.0, 10, level=0.5)]
    [1.0, -0.732051, 2.732051]
    """
    from scipy.special import stdtrit

    mean, fold_error, n_folds = _corrected(fold_scores, n_train, n_test)
    a, b = fold_error**2, error**2
    freedom = (a + b) ** 2 / (a**2 / (n_folds - 1) + b**2 / max(n - 1, 1)) if a + b > 0 else 1.0
    half = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(a + b))
    return score - mean, score - mean - half, score - mean + half


def holm(p_values) -> np.ndarray:
    """p-values adjusted for multiple tests by Holm's step-down rule, which is valid under any dependence.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _corrected(fold_differences, n_train: float, n_test: float) -> tuple[float, float, int]:
    """Mean, corrected standard error and number of folds."""
    differences = np.asarray(fold_differences, dtype=float)
    if differences.ndim != 1 or differences.size < 2:
        raise ValueError(
            f"Expected the differences of at least 2 folds for a paired interval, got shape {differences.shape}"
        )
    variance = (1 / differences.size + n_test / n_train) * differences.var(ddof=1)
    return float(differences.mean()), float(np.sqrt(variance)), differences.size

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from shrinkwise.selection import independent_interval, mean_and_se, paired_interval


def test_mean_and_se_agree_with_scipy():
    values = np.random.default_rng(0).normal(size=(7, 3))
    mean, se = mean_and_se(values)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(se, stats.sem(values, axis=0), rtol=1e-14)
    np.testing.assert_allclose(mean_and_se(values[:, 1]), (mean[1], se[1]), rtol=1e-14)


def test_mean_and_se_leave_out_missing_folds():
    assert mean_and_se([1.0, np.nan, 3.0]) == mean_and_se([1.0, 3.0])


def test_one_fold_has_a_mean_and_no_standard_error():
    mean, se = mean_and_se([4.0])
    assert mean == 4.0
    assert np.isnan(se)


def test_without_test_rows_the_interval_is_the_plain_t_interval():
    d = np.random.default_rng(1).normal(size=9)
    expected = stats.ttest_1samp(d, 0).confidence_interval(0.9)
    np.testing.assert_allclose(paired_interval(d, n_train=10, n_test=0, level=0.9)[1:], expected, rtol=1e-12)


@pytest.mark.parametrize("n_folds", [2, 5, 10])
def test_the_variance_is_corrected_as_nadeau_and_bengio_write(n_folds):
    d = np.random.default_rng(2).normal(size=n_folds)
    mean, low, high = paired_interval(d, n_train=80, n_test=20)
    s2 = ((d - d.mean()) ** 2).sum() / (n_folds - 1)
    half = stats.t.ppf(0.975, n_folds - 1) * np.sqrt((1 / n_folds + 20 / 80) * s2)
    np.testing.assert_allclose([mean, low, high], [d.mean(), d.mean() - half, d.mean() + half], rtol=1e-12)


def test_equal_differences_have_an_interval_of_no_length():
    np.testing.assert_allclose(paired_interval([0.3] * 5, 80, 20), [0.3] * 3, rtol=1e-15)


def test_it_covers_where_the_plain_interval_does_not():
    """The training mean against "always 0" on overlapping random splits, the true difference of risks known."""
    rng = np.random.default_rng(0)
    n, n_test, n_splits, repeats = 40, 8, 10, 1000
    truth = 1.0 - 1 / (n - n_test)  # y ~ N(1, 1): excess risk 1 of predicting 0, 1/n_train of the training mean
    covered = {n_test: 0, 0: 0}  # the second entry leaves the correction out
    for _ in range(repeats):
        rows = rng.permuted(np.tile(rng.normal(1, 1, n), (n_splits, 1)), axis=1)
        test, train_mean = rows[:, :n_test], rows[:, n_test:].mean(axis=1, keepdims=True)
        differences = (test**2 - (test - train_mean) ** 2).mean(axis=1)
        for size in covered:
            _, low, high = paired_interval(differences, n - n_test, size)
            covered[size] += low <= truth <= high
    assert covered[n_test] / repeats >= 0.93
    assert covered[0] / repeats < 0.8


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_outside_zero_one_is_refused(level):
    with pytest.raises(ValueError, match=r"for example 0\.95"):
        paired_interval([1.0, 2.0], 8, 2, level=level)


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="at least 2 folds"):
        paired_interval([1.0], 8, 2)


def test_the_interval_of_independent_scores_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):  # folds that do not overlap: n_test/n_train → 0
        folds, rows = rng.normal(size=5), rng.normal(scale=2.0, size=40)
        error = rows.std(ddof=1) / np.sqrt(40)
        _, low, high = independent_interval(folds, 1.0, 0.0, rows.mean(), error, 40)
        covered += low <= 0 <= high
    assert 0.93 < covered / 2000 < 0.97

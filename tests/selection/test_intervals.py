from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from shrinkwise.selection import Difference, independent_interval, mean_and_se, paired_interval, row_difference


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


@pytest.mark.parametrize("root", [False, True])
def test_the_mean_of_a_row_difference_is_that_of_the_scores_and_its_error_that_of_the_delta_method(root):
    rng = np.random.default_rng(1)
    one, other = ([rng.exponential(size=n) for n in (40, 41, 39)] for _ in range(2))
    found = row_difference(one, other, n_train=80, root=root)
    score = np.sqrt if root else float
    assert found.mean == pytest.approx(
        np.mean([score(a.mean()) - score(b.mean()) for a, b in zip(one, other, strict=True)])
    )
    a, b = np.concatenate(one), np.concatenate(other)
    draws = rng.integers(0, 120, (4000, 120))
    bootstrap = np.std(
        [score(a[d].mean()) - score(b[d].mean()) for d in draws]
    )  # rows drawn anew: the error without 1/n_train
    assert found.error == pytest.approx(bootstrap * np.sqrt(1 + 120 / 80), rel=0.06)


def test_rows_of_one_cluster_are_one_observation():
    """Every row twice says no more than every row once; weights of two are two rows."""
    rng = np.random.default_rng(2)
    one, other = ([rng.exponential(size=30) for _ in range(3)] for _ in range(2))
    once = row_difference(one, other, n_train=60)
    labels = [np.tile(np.arange(30) + 30 * k, 2) for k in range(3)]
    twice = [[np.tile(part, 2) for part in parts] for parts in (one, other)]
    again = row_difference(*twice, n_train=120, clusters=labels)
    assert (again.mean, again.error, again.freedom) == pytest.approx((once.mean, once.error, once.freedom))
    assert row_difference(*twice, n_train=120).error < 0.8 * once.error
    weighted = row_difference(one, other, n_train=60, weights=[np.full(30, 2.0)] * 3)
    assert weighted.error == pytest.approx(once.error)


def test_the_row_difference_covers_the_difference_of_the_given_models():
    """Least squares beside the mean, 60 rows of noise, where rows and training rows are the same few: 95 %, and not 80."""
    covered, short, n = 0, 0, 60
    for seed in range(200):
        rng = np.random.default_rng(seed)
        X, y = np.column_stack([np.ones(n), rng.normal(size=(n, 6))]), rng.normal(size=n)
        losses, others, truth = [], [], []
        for test in np.array_split(np.arange(n), 5):
            train = np.setdiff1d(np.arange(n), test)
            w, mean = np.linalg.lstsq(X[train], y[train], rcond=None)[0], y[train].mean()
            losses.append((y[test] - X[test] @ w) ** 2)
            others.append((y[test] - mean) ** 2)
            truth.append(w @ w - mean**2)
        found = row_difference(losses, others, n_train=48)
        _, low, high = found.interval()
        covered += low <= np.mean(truth) <= high
        short += abs(found.mean - np.mean(truth)) > 2 * found.error / 1.5
    assert 0.92 <= covered / 200 <= 0.99
    assert short / 200 > 0.1


def test_the_p_value_is_where_the_interval_touches_zero():
    found = Difference(1.0, 0.4, 7)
    _, low, _ = found.interval(1 - found.p_value)
    assert low == pytest.approx(0.0, abs=1e-9)
    assert Difference(0.0, 0.0, 7).p_value == 1.0
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        found.interval(1.0)

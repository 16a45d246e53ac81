"""Stability selection on a known truth: nearly all of it, and hardly anything else."""

import numpy as np
from joblib import parallel_config
from sklearn.model_selection import TimeSeriesSplit

import shrinkwise as sw
from shrinkwise.linear import stability_selection


def simulated(seed, n=400, p=100, true=8, correlation=0.7):
    """8 of 100 inputs matter; neighbours are correlated as .7^|i−j|."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    for j in range(1, p):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    truth = rng.choice(p, true, replace=False)
    w = np.zeros(p)
    w[truth] = rng.choice([-1.0, 1.0], true) * rng.uniform(0.5, 1.0, true)
    return X, X @ w + 1.5 * rng.normal(size=n), set(truth.tolist())


def test_stable_inputs_are_the_true_ones():
    right = wrong = chosen = 0
    for seed in range(3):
        X, y, truth = simulated(seed)
        fit = sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=50, select="best", stability=True).fit(X, y)
        stable = set(fit.stable_.tolist())
        right, wrong = right + len(stable & truth), wrong + len(stable - truth)
        chosen += np.count_nonzero(fit.coef_) - len(stable & truth)
        assert fit.stability_.pairs == 50
        assert fit.stability_.lam == fit.lambda_best_
        assert fit.stability_.expected_false > 0
    assert right >= 3 * 6.5
    assert wrong <= 3
    assert chosen > 10 * wrong  # what cross-validation alone takes in


def test_frequencies_count_the_halves():
    X, y, _ = simulated(0, n=100, p=20, true=2)
    nothing = stability_selection(X, y, sw.L1(100.0), pairs=3)
    assert not nothing.frequencies.any()
    assert nothing.expected_false == 0
    everything = stability_selection(X, y, sw.L2(0.1), pairs=3)
    assert (everything.frequencies == 1).all()
    assert everything.average_selected == 20
    free = stability_selection(X, y, sw.L1(100.0, weights=np.r_[0.0, np.ones(19)]), pairs=3)
    assert free.frequencies[0] == 1
    assert free.average_selected == 0
    again = stability_selection(X, y, sw.L1(0.3), pairs=5, random_state=3)
    np.testing.assert_array_equal(
        again.frequencies, stability_selection(X, y, sw.L1(0.3), pairs=5, random_state=3).frequencies
    )
    np.testing.assert_array_equal(again.stable, np.flatnonzero(again.frequencies >= 0.9))


def test_classes_are_halved():
    X, y, _ = simulated(1, n=120, p=10, true=2)
    labels = np.where(y > np.quantile(y, 0.9), "rare", "common")
    fit = sw.PenalizedClassifierCV(sw.L1(1.0), n_lambdas=10, cv=3, stability=True).fit(X, labels)
    assert fit.selection_frequency_.shape == (10,)


def test_progress_is_drawn_only_when_asked(capsys):
    X, y, _ = simulated(2, n=60, p=5, true=1)
    sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=5, cv=3).fit(X, y)
    assert capsys.readouterr().out == ""
    loud = sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=5, cv=3, verbose=True).fit(X, y)
    assert "folds" in capsys.readouterr().out
    assert loud.cv_losses_.shape == (5, 3)


def test_time_ordered_folds():
    X, y, _ = simulated(3, n=100, p=5, true=1)
    fit = sw.PenalizedRegressorCV(sw.L1(1.0), n_lambdas=8, cv=TimeSeriesSplit(4)).fit(X, y)
    train, test = list(TimeSeriesSplit(4).split(X))[2]
    alone = sw.path(X[train], y[train], sw.L1(1.0), lambdas=fit.lambdas_)
    np.testing.assert_allclose(fit.cv_losses_[:, 2], np.mean((alone.predict(X[test]) - y[test]) ** 2, axis=1))


def test_workers_do_not_change_the_answer():
    X, y, _ = simulated(4, n=80, p=6, true=1)
    alone, together = (sw.PenalizedRegressorCV(n_lambdas=6, cv=3, n_jobs=n, stability=True) for n in (None, 2))
    with parallel_config(backend="threading"):
        together.fit(X, y)
    np.testing.assert_array_equal(together.cv_losses_, alone.fit(X, y).cv_losses_)
    np.testing.assert_array_equal(together.selection_frequency_, alone.selection_frequency_)

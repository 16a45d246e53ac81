"""Gaussian knockoffs: their joint second moments, how far they are separated, the threshold."""

import numpy as np
import pytest

from shrinkwise.selection import gaussian_knockoffs, knockoff_threshold

P = 12
SIGMA = 0.6 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P))) * np.outer(
    np.arange(1, P + 1), np.arange(1, P + 1)
)


@pytest.mark.parametrize("method", ["sdp", "equicorrelated"])
def test_inputs_and_knockoffs_have_the_moments_that_any_swap_keeps(method):
    """Cov(X̃) = Σ, and Cov(X, X̃) = Σ − D with a diagonal D ≥ 0."""
    mean, n = np.arange(P) * 5.0, 200_000
    X = mean + np.random.default_rng(0).normal(size=(n, P)) @ np.linalg.cholesky(SIGMA).T
    both = np.hstack([X, gaussian_knockoffs(X, mean, SIGMA, method, random_state=1)])
    deviation = np.sqrt(np.diagonal(SIGMA))
    moments = np.cov(both.T) / np.outer(np.tile(deviation, 2), np.tile(deviation, 2))
    R = SIGMA / np.outer(deviation, deviation)
    noise = 5.0 / np.sqrt(n)
    np.testing.assert_allclose(moments[P:, P:], R, atol=noise)
    np.testing.assert_allclose((moments[:P, P:] - R)[~np.eye(P, dtype=bool)], 0.0, atol=noise)
    np.testing.assert_allclose(both[:, P:].mean(0), mean, atol=noise * P)
    s = np.diagonal(R - moments[:P, P:])
    assert s.min() > 0.2


def test_knockoffs_are_new_draws_beside_rows_that_were_drawn_with_the_same_seed():
    X = np.random.default_rng(0).normal(size=(2000, 6))
    copies = gaussian_knockoffs(X, np.zeros(6), np.eye(6), random_state=0)
    assert np.abs(np.corrcoef(X.T, copies.T)[:6, 6:]).max() < 0.1


def test_the_separations_are_feasible_and_those_of_the_program_are_near_its_optimum():
    from scipy.optimize import minimize

    from shrinkwise.selection.knockoffs import _separations

    deviation = np.sqrt(np.diagonal(SIGMA))
    R = SIGMA / np.outer(deviation, deviation)
    R[0, 1] = R[1, 0] = 0.9
    R = R @ R
    R /= np.sqrt(np.outer(np.diagonal(R), np.diagonal(R)))
    least, equal = _separations(R, "sdp"), _separations(R, "equicorrelated")
    for s in (least, equal):
        assert np.linalg.eigvalsh(2 * R - np.diag(s))[0] >= 0
        assert s.min() >= 0
        assert s.max() <= 1
    assert equal[0] == pytest.approx(min(1.0, 2 * np.linalg.eigvalsh(R)[0]), rel=1e-6)

    # For every Z ≥ 0 a feasible s has Σ s ≤ 2⟨R, Z⟩ + Σ max(0, 1 − Z_jj): the smallest such bound over rescaled inverses.
    M = np.linalg.inv(2 * R - np.diag(least))

    def bound(scale):
        Z = M * np.outer(np.exp(scale), np.exp(scale))
        return 2 * np.sum(R * Z) + np.maximum(0, 1 - np.diagonal(Z)).sum()

    assert least.sum() >= 0.98 * minimize(bound, -0.5 * np.log(np.diagonal(M)), method="L-BFGS-B").fun
    assert least.sum() > equal.sum() + 0.1


def test_the_threshold_counts_one_false_discovery_more_than_it_sees():
    assert knockoff_threshold([5.0, 4.0, 3.0, 2.0, -1.0], 0.25) == 2.0
    assert knockoff_threshold([5.0, 4.0, 3.0, 2.0, -1.0], 0.24) == np.inf
    assert knockoff_threshold([3.0, 3.0, -3.0, 4.0, 0.0, 4.0], 0.5) == 3.0
    assert knockoff_threshold([3.0, 3.0, -3.0, 4.0, 0.0, 4.0], 0.49) == np.inf
    assert knockoff_threshold([-1.0, -2.0], 0.9) == np.inf
    with pytest.raises(ValueError, match="false discovery rate"):
        knockoff_threshold([1.0], 1.0)


def test_a_singular_covariance_and_an_unknown_method_are_refused():
    with pytest.raises(ValueError, match="positive definite"):
        gaussian_knockoffs(np.ones((3, 2)), np.zeros(2), np.ones((2, 2)))
    with pytest.raises(ValueError, match="equicorrelated"):
        gaussian_knockoffs(np.ones((3, 2)), np.zeros(2), np.eye(2), "best")

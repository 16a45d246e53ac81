"""p-values of several differences to one, adjusted jointly."""

import numpy as np
import pytest

from shrinkwise.selection import differences_to_one, holm, row_difference

FOLDS, N = 5, 100


def _losses(effects, shared, n=N, seed=0):
    """(candidates, other): losses by fold, the candidates' correlated through what they share."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    own = rng.normal(size=(len(effects), n))
    losses = np.array(effects)[:, None] + np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    return [list(np.split(each, FOLDS)) for each in losses], list(np.split(np.zeros(n), FOLDS))


@pytest.mark.parametrize("shared", [0.0, 0.6, 1.0])
def test_differences_are_those_of_each_and_candidates_that_are_alike_count_as_few(shared):
    candidates, other = _losses([-0.2, -0.3, 0.1, 0.0], shared)
    found, joint = differences_to_one(candidates, other, 80)
    alone = [row_difference(each, other, 80) for each in candidates]
    assert found == alone
    p = np.array([each.p_value for each in alone])
    error = 4 * np.sqrt(p * (1 - p) / 20_000) + 1e-4
    assert (joint >= p - error).all()
    assert (joint <= holm(p) + 4 * error).all()
    least = np.argmin(p)
    exact = {0.0: 1 - (1 - p[least]) ** 4, 1.0: p[least]}  # independent statistics; one and the same
    if shared == 1.0:  # the same noise, so that the others have its error but not its mean
        np.testing.assert_allclose(joint[least], exact[1.0], atol=4 * error[least])
    elif shared == 0.0:
        np.testing.assert_allclose(joint[least], exact[0.0], rtol=0.3, atol=2e-3)
    else:
        assert joint[least] < holm(p)[least]


def test_the_order_is_kept_and_is_that_of_the_statistics():
    candidates, other = _losses([0.0, -0.5, 0.3, -0.1, 0.2], 0.3, seed=1)
    found, joint = differences_to_one(candidates, other, 80)
    size = [-abs(each.mean) / each.error for each in found]
    assert (np.diff(joint[np.argsort(size)]) >= 0).all()
    turned = differences_to_one(candidates[::-1], other, 80)[1][::-1]
    np.testing.assert_allclose(joint, turned, atol=0.01)


def test_no_candidate_and_candidates_without_a_difference():
    other = [np.ones(4)] * FOLDS
    assert differences_to_one([], other, 16)[0] == []
    found, joint = differences_to_one([other, [np.zeros(4)] * FOLDS], other, 16)
    assert max(each.error for each in found) < 1e-15
    assert joint.tolist() == [1.0, 0.0]


def test_the_share_of_tables_with_a_false_discovery():
    """At most 5 % where no candidate differs, and more power than one by one where they are alike."""
    false, power, one_by_one, tables = 0, 0, 0, 200
    for seed in range(tables):
        null = _losses(np.zeros(6), 0.8, n=60, seed=seed)
        false += (differences_to_one(*null, 10**6)[1] < 0.05).any()
        found, joint = differences_to_one(*_losses(np.full(6, -0.32), 0.8, n=60, seed=seed), 10**6)
        power += joint.min() < 0.05
        one_by_one += holm([each.p_value for each in found]).min() < 0.05
    assert false <= 0.05 * tables + 3 * np.sqrt(0.05 * 0.95 * tables)
    assert power > one_by_one + 10

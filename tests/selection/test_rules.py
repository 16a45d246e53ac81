from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkwise.selection import one_standard_error, paired_one_standard_error


@pytest.mark.parametrize(
    ("mean", "se", "expected"),
    [
        pytest.param([5, 3, 2, 2.5], [1, 1, 1, 1], (2, 1), id="one step stronger, exactly at the margin"),
        pytest.param([5, 3.001, 2, 2.5], [1, 1, 1, 1], (2, 2), id="just outside the margin"),
        pytest.param([5, 2, 2, 2], [0, 0, 0, 0], (1, 1), id="ties go to the stronger λ"),
        pytest.param([1, 1, 1], [0.5, 0.5, 0.5], (0, 0), id="a flat curve"),
        pytest.param([2.5, 9, 2, 1.9], [9, 9, 9, 1], (3, 0), id="not contiguous: the strongest counts"),
        pytest.param([5, 3, 2], [0, 9, 0.5], (2, 2), id="the margin is the one at the best λ"),
        pytest.param([np.nan, 2, 1, np.nan], [1, 1, 1, 1], (2, 1), id="NaN is never selected"),
        pytest.param([np.inf, 2, 1], [np.nan] * 3, (2, 2), id="no standard error"),
        pytest.param([7.0], [1.0], (0, 0), id="one λ"),
    ],
)
def test_hand_made_curves(mean, se, expected):
    assert one_standard_error(mean, se) == expected


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)), min_size=1, max_size=30))
def test_definition(points):
    mean, se = map(list, zip(*points, strict=True))
    best, one_se = one_standard_error(mean, se)
    assert mean[best] == min(mean)
    assert mean[one_se] <= mean[best] + se[best]
    assert all(m > mean[best] + se[best] for m in mean[:one_se])


@pytest.mark.parametrize("mean", [[], [np.nan, np.nan]])
def test_a_curve_without_scores_is_refused(mean):
    with pytest.raises(ValueError, match="no finite score"):
        one_standard_error(mean, mean)


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="of equal length"):
        one_standard_error([1.0, 2.0], [1.0])


def test_the_paired_rule_allows_the_error_of_the_difference_and_not_that_of_a_hard_fold():
    """Written again: walk from the best λ to stronger ones while the mean difference is within its standard error."""
    rng = np.random.default_rng(4)
    for _ in range(200):
        losses = np.abs(np.linspace(-1, 1, 12))[:, None] + 0.2 * rng.normal(size=(12, 5)) + 10 * rng.normal(size=5)
        best, one_se = paired_one_standard_error(losses)
        assert best == losses.mean(axis=1).argmin()
        stronger = best
        while stronger > 0:
            d = losses[stronger - 1] - losses[best]
            if d.mean() > d.std(ddof=1) / np.sqrt(5):
                break
            stronger -= 1
        assert one_se == stronger
        assert paired_one_standard_error(losses + 100 * rng.normal(size=5)) == (best, one_se)


def test_the_paired_rule_passes_over_what_has_no_score():
    losses = np.array([[1.0, 1.2], [np.nan, np.nan], [1.0, 1.1], [1.0, 1.0]])
    assert paired_one_standard_error(losses) == (3, 0)
    losses[0] = np.nan
    assert paired_one_standard_error(losses) == (3, 2)

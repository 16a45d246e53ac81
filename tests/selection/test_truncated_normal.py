"""The truncated normal in every tail, against arithmetic of 60 digits."""

import numpy as np
import pytest

from shrinkwise.selection.truncated_normal import truncated_interval, truncated_odds, truncated_p_value

mpmath = pytest.importorskip("mpmath")
CASES = [  # x, mean, sd, low, high
    (0.3, 0.0, 1.0, -1.0, 2.0),
    (1.0, -30.0, 1.0, 0.9, 1.3),
    (1.0, 40.0, 1.0, -np.inf, 1.2),
    (5.0, 0.0, 0.5, 4.999999, np.inf),
    (-3.0, 200.0, 2.0, -3.5, 10.0),
    (1e-9, 0.0, 1.0, 0.0, 1e-8),
    (2.0, -1e4, 1.0, 1.0, 3.0),
    (8.0, 7.0, 1.0, -np.inf, np.inf),
    (0.0, 3.0, 1.0, -1.0, 5.0),
]


def exact(x, mean, sd, low, high):
    mpmath.mp.dps = 60
    sd = mpmath.mpf(sd)

    def between(a, b):
        a, b = (mpmath.mpf(t) - mpmath.mpf(mean) for t in (a, b))
        if a > 0:
            a, b = -b, -a
        upper = mpmath.erfc(-b / sd / mpmath.sqrt(2))
        return upper - mpmath.erfc(-a / sd / mpmath.sqrt(2))

    if abs(mean) > 1000:
        mpmath.mp.dps = 60
        density = lambda t: mpmath.exp(-((t - mean) ** 2 - (x - mean) ** 2) / (2 * sd**2))  # noqa: E731
        nodes = [low, low + (x - low) / 2, x]
        return float(mpmath.log(mpmath.quad(density, nodes) / mpmath.quad(density, [x, x + 1e-3, x + 1e-2, high])))
    return float(mpmath.log(between(low, x) / between(x, high)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odds_are_precise_in_every_tail(case):
    assert truncated_odds(*case) == pytest.approx(exact(*case), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.999])
def test_the_ends_of_an_interval_have_the_stated_odds(case, level):
    x, _, sd, low, high = case
    ends = truncated_interval(x, sd, low, high, level)
    wanted = np.log((1 + level) / (1 - level))
    for end, odds in zip(ends, (wanted, -wanted), strict=True):
        assert truncated_odds(x, end, sd, low, high) == pytest.approx(odds, abs=1e-4)
    assert ends[0] < ends[1]


def test_without_limits_it_is_the_normal_interval():
    assert truncated_interval(1.0, 2.0, -np.inf, np.inf, 0.95) == pytest.approx((1 - 3.919928, 1 + 3.919928), abs=1e-5)
    assert truncated_p_value(2.0 * 1.959964, 2.0, -np.inf, np.inf) == pytest.approx(0.05, abs=1e-6)


def test_a_number_at_its_limit_excludes_nothing_on_that_side():
    assert truncated_interval(1.0, 1.0, 1.0, 5.0, 0.9)[0] == -np.inf
    assert truncated_interval(1.0, 1.0, -5.0, 1.0, 0.9)[1] == np.inf

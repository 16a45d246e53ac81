"""Halves are disjoint and balanced; the bound is that of the theorem, written again."""

import numpy as np
import pytest

from shrinkwise.selection import complementary_halves, false_selection_bound, taking_turns


@pytest.mark.parametrize("n", [2, 7, 20])
def test_halves_are_disjoint_halves(n):
    pairs = complementary_halves(n, 5, random_state=0)
    assert len(pairs) == 5
    for half, other in pairs:
        assert len(half) == len(other) == n // 2
        assert not set(half) & set(other)
        assert (np.diff(half) > 0).all()
        assert set(half) | set(other) <= set(range(n))
    assert any(not np.array_equal(half, pairs[0][0]) for half, _ in pairs[1:]) or n == 2
    for (a, _), (b, _) in zip(pairs, complementary_halves(n, 5, random_state=0), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_row_is_as_often_in_a_half_as_any_other():
    counts = np.zeros(10)
    for half, other in complementary_halves(10, 2000, random_state=1):
        counts[half] += 1
        assert set(half) | set(other) == set(range(10))
    np.testing.assert_allclose(counts / 2000, 0.5, atol=0.05)


def test_strata_are_halved():
    y = np.repeat(["a", "b", "c"], [10, 4, 7])
    for half, other in complementary_halves(21, 20, random_state=0, strata=y):
        for rows in (half, other):
            counts = [np.sum(y[rows] == label) for label in "abc"]
            assert counts[0] == 5
            assert counts[1] == 2
            assert counts[2] in (3, 4)


def test_the_bound_is_never_above_meinshausen_and_buhlmanns():
    for q in (0.0, 1.0, 10.0, 90.0):
        for threshold in (0.6, 0.75, 0.9, 1.0):
            bound = false_selection_bound(q, 100, threshold, 50)
            assert 0 <= bound <= q * q / 100 / (2 * threshold - 1) + 1e-12
    assert false_selection_bound(10.0, 100, 0.7, 50) == pytest.approx(1.0 / (2 * (0.4 - 0.01)))
    assert false_selection_bound(90.0, 100, 0.9, 50) == pytest.approx(81.0 / 0.8)  # θ too large for the better bound


def test_the_bound_holds_for_pure_noise():
    """Selections that know nothing: the number chosen at least 80 % of the time stays below the bound on average."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        frequencies = (rng.random((100, 50)) < 0.2).mean(0)
        found.append(np.sum(frequencies >= 0.8))
    assert np.mean(found) <= false_selection_bound(10.0, 50, 0.8, 50)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: complementary_halves(1, 5), "n ≥ 2"),
        (lambda: complementary_halves(10, 0), "pairs ≥ 1"),
        (lambda: false_selection_bound(1.0, 10, 0.5, 50), "threshold above 0.5"),
        (lambda: false_selection_bound(11.0, 10, 0.9, 50), "q ≤ p"),
    ],
)
def test_wrong_arguments_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_inputs_that_take_turns_are_found_and_others_are_not():
    rng = np.random.default_rng(0)
    m = 100
    turn, other = rng.random(m) < 0.6, rng.random((m, 30)) < rng.uniform(0.2, 0.8, 30)
    second = ~turn ^ (rng.random(m) < 0.05)
    selected = np.column_stack([np.ones(m, bool), turn, other, second, np.zeros(m, bool)])
    ((i, j, one),) = taking_turns(selected)
    assert (i, j) == (1, 32)
    assert one == np.mean(turn ^ second) > 0.9


def test_chance_makes_no_turns():
    found = [taking_turns(np.random.default_rng(seed).random((100, 20)) < 0.5) for seed in range(60)]
    assert sum(map(bool, found)) <= 8  # 5 % of 60 tables is 3


def test_turns_of_nothing_are_none():
    assert taking_turns(np.zeros((0, 4), dtype=bool)) == taking_turns(np.ones((10, 1), dtype=bool)) == []

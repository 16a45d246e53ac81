from __future__ import annotations

import math
from itertools import pairwise

import pytest

from shrinkwise.report.axes import Axis, axis_over, nice_limit, spread_apart, strength_positions, strength_ticks
from shrinkwise.report.numbers import copyable, counted, interval, number, plus_minus, rounded, setting, spelled


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.031249, "0.0312"),
        (-0.5, "−0.500"),
        (1234.4, "1,234"),
        (99.96, "100"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.23e-7, "1.23 × 10⁻⁷"),
        (-1.5e300, "−1.50 × 10³⁰⁰"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_number(value, shown):
    assert number(value) == shown


def test_scores_and_intervals_are_cut_at_the_second_digit_of_their_error():
    assert plus_minus(0.45163, 0.03071) == "0.452 ± 0.031"
    assert plus_minus(12345.6, 234.5) == "12,346 ± 234"
    assert plus_minus(0.5, None) == "0.5000"
    assert plus_minus(math.nan, 0.1) == "–"
    assert interval(0.021, -0.052, 0.094) == "+0.021 [−0.052, +0.094]"
    assert interval(-0.001, -0.3, 0.3) == "0.00 [−0.30, +0.30]"


def test_a_power_of_ten_is_shared_by_a_number_and_its_error():
    assert plus_minus(6.593e8, 1.2e7) == "(6.59 ± 0.12) × 10⁸"
    assert plus_minus(1.5e-7, 2e-8) == "(1.50 ± 0.20) × 10⁻⁷"
    assert interval(-6e8, -7e8, -5e8) == "(−6.0 [−7.0, −5.0]) × 10⁸"
    assert plus_minus(2_608_000, 34_000) == "2,608,000 ± 34,000"
    assert plus_minus(5e-324, 5e-324) == "(4.9 ± 4.9) × 10⁻³²⁴"


def test_printed_numbers_are_spelled_and_quoted_texts_left_alone():
    assert spelled("λ = 1.2e+03, ρ = 1e-06") == "λ = 1,200, ρ = 1 × 10⁻⁶"
    assert spelled("a loss of −2.78e−18") == "a loss of −2.78 × 10⁻¹⁸"
    for text in ("the level '1e+05'", "x1e+05", "λ = 0.057", "1e5_rows"):
        assert spelled(text) == text
    assert setting("λ = 1.2e+03, 90% L1").split(" ") == ["λ\u00a0=\u00a01,200,", "90%\u00a0L1"]
    assert (counted(1, "input"), counted(1200, "input")) == ("1 input", "1,200 inputs")


def test_copied_numbers_are_read_by_a_spreadsheet():
    assert float(copyable(-12345.678)) == -12350
    assert copyable(-0.25) == "-0.25"
    assert copyable(1.08e5) == "108000"
    assert copyable(4.4e-5) == "0.000044"
    assert float(copyable(1.5e300)) == 1.5e300
    assert copyable(math.inf) == "–"


def test_rounding_keeps_what_is_not_zero():
    assert rounded(1e-300) == 1e-300
    assert rounded(0.123456) == 0.1235
    assert rounded(-0.0) == 0
    assert rounded(math.nan) is None


def test_ticks_are_round_and_inside():
    ticks = Axis(-0.93, 1.21).ticks()
    assert [label for _, label in ticks] == ["−0.5", "0.0", "0.5", "1.0"]
    assert all(0 <= at <= 100 for at, _ in ticks)
    assert axis_over(2.0, 2.0).low < 2.0 < axis_over(2.0, 2.0).high
    assert [nice_limit(v) for v in (0.31, 0.8, 1.0, 9.1)] == pytest.approx([0.4, 0.8, 1.0, 10.0])


def test_strength_axis_is_logarithmic_from_strong_to_weak():
    assert strength_positions([1.0, 0.1, 0.01]) == pytest.approx([0, 50, 100])
    assert strength_positions([1.0, 0.5, 0.0]) == pytest.approx([0, 50, 100])
    assert strength_positions([1.0]) == [50.0]
    assert dict((label, at) for at, label in strength_ticks([1.0, 0.1, 0.01]))["0.1"] == pytest.approx(50)


def test_labels_are_spread_apart_in_their_order():
    placed = spread_apart([50, 50.1, 99.9, 100, 3], gap=5, top=0, bottom=100)
    assert sorted(range(5), key=placed.__getitem__) == [4, 0, 1, 2, 3]
    ordered = sorted(placed)
    assert all(b - a >= 5 - 1e-9 for a, b in pairwise(ordered))
    assert ordered[-1] <= 100

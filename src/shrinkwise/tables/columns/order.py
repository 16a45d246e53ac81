"""Ordered categories, recognized by the words of their levels."""

from __future__ import annotations

import re
from itertools import pairwise

_SCALES = (
    "none trace very-low vlow low lower medium-low med medium mid middle moderate medium-high high higher very-high vhigh "
    "extreme",
    "xxs xs s m l xl xxl xxxl",
    "tiny small med medium mid big large huge",
    "never rarely seldom sometimes occasionally often usually always",
    "strongly-disagree disagree neutral neither agree strongly-agree",
    "very-poor awful poor bad fair ok okay average typical good very-good excellent outstanding superb",
    "very-dissatisfied dissatisfied neutral satisfied very-satisfied",
    "child teenager adult senior",
    "first second third fourth fifth sixth seventh eighth ninth tenth",
    "cold cool mild warm hot",
    "slow medium fast",
    "beginner intermediate advanced expert",
    "unacc acc good vgood",
)
_RANKS = [{word: rank for rank, word in enumerate(scale.split())} for scale in _SCALES]


_AMOUNT = r"[$€£¥]?\s?(\d[\d,]*(?:\.\d+)?)\s?([kKM]?)[a-z%]*"
_RANGE = re.compile(rf"{_AMOUNT}\s?(?:-|\u2013|\u2014|to)\s?{_AMOUNT}(?:\s\w+)?")
_MORE, _LESS = r"\+|or more|and over|and above|and older|or older", r"or less|and under|or younger"
_OVER, _UNDER = r">=?|\u2265|over|above|more than|at least", r"<=?|\u2264|under|below|up to|less than|at most"
_ABOVE = re.compile(rf"(?:{_OVER})\s?{_AMOUNT}(?:\s\w+)?|{_AMOUNT}\s?(?:{_MORE})")
_BELOW = re.compile(rf"(?:{_UNDER})\s?{_AMOUNT}(?:\s\w+)?|{_AMOUNT}\s?(?:{_LESS})")
_THOUSAND = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}


def in_order(levels: list[str]) -> list[str] | None:
    """The levels from least to most if all of them are words of one scale ("low", "med", "high"); else None.

    At least three levels with distinct ranks are needed. Ranges ("25-34", "65+") are ordered by their lower end.
    """
    if len(levels) < 3:
        return None
    words = {level: "-".join(level.lower().replace("_", " ").replace("-", " ").split()) for level in levels}
    if ranges := _ranges_in_order(levels):
        return ranges
    for ranks in _RANKS:
        if all(word in ranks for word in words.values()):
            return sorted(levels, key=lambda level: ranks[words[level]])
    return None


def _ranges_in_order(levels: list[str]) -> list[str] | None:
    """The levels by their lower ends, if all are ranges or open at one end, at least two are ranges, and none overlap."""
    ends = [_range_of(level.strip().lower() if "k" not in level.lower() else level.strip()) for level in levels]
    found = [each for each in ends if each is not None]
    if len(found) < len(levels) or sum(abs(low) < float("inf") > abs(high) for low, high in found) < 2:
        return None
    placed = sorted(zip(found, levels, strict=True))
    touches = all(before[0][1] <= after[0][0] for before, after in pairwise(placed))
    return [level for _, level in placed] if touches and all(low < high for low, high in found) else None


def _range_of(level: str) -> tuple[float, float] | None:
    if match := _RANGE.fullmatch(level):
        low, low_unit, high, high_unit = match.groups()
        return _amount(low, low_unit or high_unit), _amount(high, high_unit)
    for pattern, is_low in ((_ABOVE, True), (_BELOW, False)):
        if match := pattern.fullmatch(level):
            end = _amount(*[group for group in match.groups() if group is not None][:2])
            return (end, float("inf")) if is_low else (float("-inf"), end)
    return None


def _amount(digits: str, unit: str) -> float:
    return float(digits.replace(",", "")) * _THOUSAND[unit]

"""Ordered categories, recognized by the words of their levels."""

from __future__ import annotations

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


def in_order(levels: list[str]) -> list[str] | None:
    """The levels from least to most if all of them are words of one scale ("low", "med", "high"); else None.

    At least three levels with distinct ranks are needed.
    """
    if len(levels) < 3:
        return None
    words = {level: "-".join(level.lower().replace("_", " ").replace("-", " ").split()) for level in levels}
    for ranks in _RANKS:
        if all(word in ranks for word in words.values()):
            return sorted(levels, key=lambda level: ranks[words[level]])
    return None

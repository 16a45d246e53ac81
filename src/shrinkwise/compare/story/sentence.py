"""One sentence of the verdict or its explanation: its condition and its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shrinkwise.compare.result import Comparison


@dataclass(frozen=True)
class Sentence:
    """name: its name in the list of all sentences. when: the condition, in words. says: the text, "" if it does not apply."""

    name: str
    when: str
    says: Callable[[Comparison], str]


def said_of(comparison: Comparison, sentences: Iterable[Sentence]) -> list[str]:
    """The sentences that apply to a comparison, in order."""
    return [text for each in sentences if (text := each.says(comparison))]

"""One sentence that a result may need: when it is said, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shrinkwise.compare.result import Comparison


@dataclass(frozen=True)
class Sentence:
    """name: what it is called in the list of all sentences. when: the condition, in words. says: the text, "" for silence."""

    name: str
    when: str
    says: Callable[[Comparison], str]


def said_of(comparison: Comparison, sentences: Iterable[Sentence]) -> list[str]:
    """What is to be said of a comparison, in order."""
    return [text for each in sentences if (text := each.says(comparison))]

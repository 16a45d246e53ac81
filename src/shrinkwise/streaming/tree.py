"""A binary tree of merges."""

from __future__ import annotations


class Tree:
    """A binary tree of merges over contributions that come one after the other; log₂ of their number are held."""

    def __init__(self, merge):
        self.merge = merge
        self.levels: list = []  # of 2^k contributions each, or None

    def add(self, found) -> None:
        """The next contribution."""
        for k, held in enumerate(self.levels):
            if held is None:
                self.levels[k] = found
                return
            found, self.levels[k] = self.merge(held, found), None
        self.levels.append(found)

    def total(self):
        """The sum of all: the largest complete subtrees come first."""
        found = None
        for held in self.levels:
            if held is not None:
                found = held if found is None else self.merge(held, found)
        return found

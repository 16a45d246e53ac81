"""What was found: the rows and columns that leave a loss without a finite minimum, and the sentence about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Separation:
    """The reason why there is no finite minimum; false if none was found.

    Attributes
    ----------
    rows : numbers of the rows whose loss decreases without end.
    columns : numbers of the columns whose weights grow without bound; empty where a rule on all columns separates all rows.
    complete : whether every row is separated from all other classes.
    n : number of rows.  classes : whether the target is a class, or else a count.
    undecided : why it is not known whether a finite minimum exists, or "".
    kind : "none", "complete", "quasi-complete" or "unknown".
    """

    rows: np.ndarray
    columns: np.ndarray
    complete: bool
    n: int
    classes: bool
    undecided: str = ""

    def __bool__(self) -> bool:
        return len(self.rows) > 0

    @property
    def kind(self) -> str:
        """In one word."""
        if self.undecided:
            return "unknown"
        return ("complete" if self.complete else "quasi-complete") if self else "none"

    def __str__(self) -> str:
        return self.sentence("unpenalized")

    def sentence(self, adjective: str) -> str:
        """One sentence; `adjective` says why the columns are free."""
        if self.undecided:
            return f"it is not known whether a finite optimum exists: {self.undecided}"
        if not self:
            return "a finite optimum exists"
        one = len(self.columns) == 1
        where = _listed(self.columns, adjective)
        end = f"so {'its weight grows' if one else 'their weights grow'} without bound: penalize {'it' if one else 'them'}"
        if not self.classes:
            return f"no finite optimum: y is 0 in all {len(self.rows)} of {self.n} rows that {where} from the others, {end}"
        if self.complete:
            return f"no finite optimum: {where} the classes completely, {end}"
        return (
            f"no finite optimum: {where} {len(self.rows)} of {self.n} rows from another class without error "
            f"(quasi-complete separation), {end}"
        )


def _listed(columns, adjective: str) -> str:
    if not len(columns):
        return f"the {adjective} columns together separate"
    if len(columns) == 1:
        return f"the {adjective} column {columns[0]} separates"
    shown = ", ".join(str(j) for j in columns[:4]) + (f" and {len(columns) - 4} more" if len(columns) > 4 else "")
    return f"the {adjective} columns {shown} separate"

"""Remarks on values of a column whose kind did not occur when its rule was learned, counted block by block of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from shrinkwise.tables.errors import counted, figure, quoted

from . import several
from .features import READABLE, filled_as, level_text, measured, unseen_as
from .kinds import as_text, is_missing
from .measures import read_written
from .words import present

_SHOWN = 5


@dataclass
class _Kind:
    """How many values are of one kind, and the first of them with its row."""

    n: int = 0
    first: str = ""
    row: int = 0

    def add(self, wrong: np.ndarray, shown: Any, offset: int) -> None:
        """Count where `wrong` (n,) is true; `shown(i)` is the text of value i, `offset` the number of rows before."""
        if not wrong.any():
            return
        if not self.n:
            self.row = int(np.argmax(wrong))
            self.first, self.row = shown(self.row), self.row + offset + 1
        self.n += int(wrong.sum())


@dataclass
class Remarks:
    """What there is to say of a column; `add` takes its rows block by block, in order."""

    rule: dict[str, Any]
    name: str
    new_levels: _Kind = field(default_factory=_Kind)
    levels: list[str] = field(default_factory=list)
    not_read: _Kind = field(default_factory=_Kind)
    gaps: _Kind = field(default_factory=_Kind)
    far: _Kind = field(default_factory=_Kind)

    def add(self, series: pl.Series, offset: int = 0) -> None:
        """Count the values of a block, before which there are `offset` rows."""
        series = present(self.rule, series)
        self._add_levels(series, offset)
        self._add_unread(series, offset)
        if filled_as(self.rule):
            self.gaps.add(is_missing(series), lambda _: "", offset)
        if "range" in self.rule:  # a model of an earlier version has none
            (low, high), values = self.rule["range"], measured(self.rule, series)[:, 0]
            outside = (values > high + (high - low)) | (values < low - (high - low))
            self.far.add(outside, lambda i: figure(float(values[i])), offset)

    def sentence(self) -> str:
        """How `features` treats these values; "" if there are none."""
        rule, parts = self.rule, []
        if n := self.new_levels.n:
            shown = ", ".join(map(quoted, self.levels))
            parts.append(
                f"{counted(n, 'row')} with a value not seen in training ({shown}), treated as {unseen_as(rule)}"
            )
        if n := self.not_read.n:
            what = f"{counted(n, 'value')} that {'is' if n == 1 else 'are'} not {READABLE.get(rule['kind'], 'numeric')}"
            parts.append(f"{what}, such as {quoted(self.not_read.first)} (row {self.not_read.row}), treated as missing")
        if n := self.gaps.n:
            parts.append(
                f"{counted(n, 'row')} with a missing value, not seen in training, imputed as {filled_as(rule)}"
            )
        if n := self.far.n:
            low, high = map(figure, rule["range"])
            parts.append(
                f"{counted(n, 'value')} far outside the range from {low} to {high} seen in training, such as "
                f"{self.far.first} (row {self.far.row}), where predictions are unreliable"
            )
        return f"Column {quoted(self.name)}: {'; '.join(parts)}." if parts else ""

    def _add_levels(self, series: pl.Series, offset: int) -> None:
        if known := self.rule["levels"] + self.rule.get("pooled", []):
            text = level_text(self.rule, series)
            other = text.is_not_null() & ~text.is_in(known)
            if other.any():
                self.new_levels.add(other.to_numpy(), lambda _: "", offset)
                self.levels = sorted({*self.levels, *text.filter(other).to_list()})[:_SHOWN]

    def _add_unread(self, series: pl.Series, offset: int) -> None:
        """Values that `measured` could not read."""
        rule = self.rule
        pairs = rule["kind"] in READABLE
        if not (pairs or (rule["kind"] == "number" and rule["form"])) or series.dtype.is_numeric():
            return
        text = as_text(series)
        values = several.several_values(rule, text)[:, 0] if pairs else read_written(text, rule["form"])
        self.not_read.add(np.isnan(values) & text.is_not_null().to_numpy(), lambda i: text[i], offset)

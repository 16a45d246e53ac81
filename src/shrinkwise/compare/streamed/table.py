"""A table that does not fit in memory: its sample, its plan and its folds."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import polars as pl

from shrinkwise.compare.metrics import REGRESSION
from shrinkwise.compare.options import Options
from shrinkwise.compare.scoring.nested import Progress
from shrinkwise.streaming import RowBlocks
from shrinkwise.tables import InputError, TablePlan, plan_table
from shrinkwise.tables.columns.several import MAX_LEVELS
from shrinkwise.tables.columns.spelling import alike
from shrinkwise.tables.errors import RowError, counted, quoted
from shrinkwise.tables.plan.notes import many_levels

from .meter import Meter
from .pieces import PartSums
from .sample import TableSample, sampled
from .splits import MOST_FEATURES, StreamedSplits

_RANK_ERRORS = 2  # standard errors of a median's rank in the sample that are stated
_FITTED = {
    True: f"Linear models of at most {MOST_FEATURES} features are fitted to all rows of the other folds, other models to those "
    "in the sample.",
    False: "They are fitted to the rows of the sample in the other folds; a kept linear model of at most "
    f"{MOST_FEATURES} features, without penalty factors, is fitted to all rows.",
}


@dataclass
class StreamedTable:
    """The rows of a table, the sample of them, and where finished parts of the passes are stored."""

    rows: RowBlocks
    sample: TableSample
    pieces: PartSums

    @classmethod
    def read(
        cls, rows: RowBlocks, target: str, weight: str | None, pieces: PartSums, progress: Progress
    ) -> StreamedTable:
        """The first pass. Raises InputError for a source without a target, and for values that cannot be used."""
        meter = Meter(progress, "sample and counts", rows.n)
        return cls(rows, sampled(rows, target, weight, pieces, meter.add), pieces)

    def plan(self, target: str, *, name: str, **wishes: Any) -> TablePlan:
        """The plan of the sample, with the counts of all rows.

        Raises InputError as `plan_table`, and for a table whose rows are to be split by time.
        """
        if wishes.get("time") is not None:
            raise InputError("Rows that are streamed cannot be split by time; omit --time, or use --engine memory.")
        sample = self.sample
        try:
            # Folds are a hash of the row's number, so that the plan may warn of an order in time, but not split by it.
            # An encoder is that of the whole sample, whose targets no fold may know.
            wishes |= {"shuffle": True, "level_means": False}
            plan = plan_table(sample.frame, target, name=name, numbers=sample.numbers + 1, **wishes)
        except RowError as error:
            raise sample.located(error) from None
        plan.n_rows, plan.n_rows_read = sample.n_used, sample.n_read
        for column in plan.columns:
            column.n_missing = sample.missing[column.name]
        if plan.classes is not None:
            self._count_classes(plan)
        elif plan.limits[0] is not None and sample.low < plan.limits[0]:
            plan.limits = [None, None]
        elif plan.limits[1] is not None and sample.high > plan.limits[1]:
            plan.limits = [plan.limits[0], None]
        plan.notes += self._notes(plan)
        return plan

    def options(self, plan: TablePlan, options: Options) -> Options:
        """The options without networks, which would be fitted to the sample alone, unless methods are named.

        For least squares the inner folds are the other outer ones. Raises InputError for fewer than 3 of these.
        """
        if options.methods is None and options.network is not None:
            options = replace(options, network=None)
            plan.notes.append(
                "Networks are not compared, because they would be fitted to the sample alone; --methods can name them."
            )
        if plan.task != REGRESSION:
            return options
        if options.folds < 3:
            raise InputError(
                "Rows that are streamed need 3 folds or more, because the inner folds are the other outer ones."
            )
        return replace(options, inner_folds=options.folds - 1)

    def splits(self, plan: TablePlan, options: Options) -> StreamedSplits:
        """The outer folds."""
        used, numbers = plan.numbered_rows(self.sample.frame)  # without classes that are set aside
        sample = replace(self.sample, frame=used, numbers=self.sample.numbers[numbers - 1])
        return StreamedSplits(sample, self.rows, plan, options, self.pieces)

    def _count_classes(self, plan: TablePlan) -> None:
        """The rows of each class in the whole table; a class that the sample lacks is set aside."""
        texts = self.sample.texts
        if texts is None or not plan.classes:
            return
        named = zip(alike(pl.Series(list(texts), dtype=pl.String), plan.classes).to_list(), texts.items(), strict=True)
        counts: Counter[str] = Counter()
        for name, (text, n) in named:
            counts[name if name in plan.classes else text] += n
        plan.class_counts = [counts.pop(name, 0) for name in plan.classes]
        rare = sorted(set(counts) - set(plan.target_words))
        if rare:
            n = sum(counts[text] for text in rare)
            plan.target_words = [*plan.target_words, *rare]
            plan.notes.append(
                f"{counted(n, 'row')} of {len(rare)} class{'es' if len(rare) > 1 else ''} such as {quoted(rare[0])} are set "
                "aside and never predicted, because the sample has too few of them to learn and to score."
            )

    def _notes(self, plan: TablePlan) -> list[str]:
        sample, n = self.sample, len(self.sample.numbers)
        error = _RANK_ERRORS * 0.5 / sqrt(n)
        notes = [
            f"The {sample.n_read:,} rows are read in blocks. Columns are judged, and medians and levels found, on a random "
            f"sample of {n:,} of the rows with a target, in which the rank of a median is off by at most {error:.1%} in 95 of "
            f"100 samples; models are scored on these rows, by folds. {_FITTED[plan.task == REGRESSION]}"
        ]
        if missing := sample.n_read - sample.n_used:
            notes.append(
                f"{missing:,} of {sample.n_read:,} rows have no value in {quoted(plan.target)} and are excluded."
            )
        if many := [quoted(column.name) for column in plan.columns if many_levels(column)]:
            notes.append(
                f"The many levels of {', '.join(many[:5])} are not replaced by means of the target, which are not computed in "
                f"rows that are streamed: at most {MAX_LEVELS} levels are 0/1 features, or the column is dropped."
            )
        if sample.bare:
            more = f" and {len(sample.bare) - 1} more" if len(sample.bare) > 1 else ""
            notes.append(f"No row of {sample.bare[0]}{more} has a value in {quoted(plan.target)}.")
        return notes


def pass_key(parts: Mapping[str, Any]) -> str:
    """A key that is equal for passes over the same files with the same settings."""
    return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()


def stamps(files: list[Path]) -> list[tuple[str, int, int]]:
    """(path, bytes, time of the last change) of each file, by which a changed one is noticed."""
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]

"""The work and its result: a planned table, and the comparison on it."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shrinkwise.tables.errors import InputError

from .request import FitRequest

if TYPE_CHECKING:
    from polars import DataFrame

    from shrinkwise.compare.options import Options
    from shrinkwise.compare.result import Comparison
    from shrinkwise.compare.streamed.table import StreamedTable
    from shrinkwise.models.table_model import TableModel
    from shrinkwise.report.schema import Page
    from shrinkwise.tables import Layout, TablePlan


@dataclass
class Question:
    """A request whose tables have been read and planned, before the work starts.

    It can be answered once, because the answer releases the table as soon as it is encoded, so that a large one is not
    in memory twice. asked_at is the start of the time budget.
    """

    request: FitRequest
    frame: Any
    test: Any
    plan: TablePlan
    options: Options
    asked_at: float
    streamed: StreamedTable | None = None

    @classmethod
    def of(cls, request: FitRequest, progress: Any = None, pieces: Path | None = None) -> Question:
        """Read the tables and plan the work. The time budget starts here.

        progress is called as progress(done, total, what) while rows are read in blocks, and finished parts of that pass are
        stored in the folder `pieces`.
        """
        from shrinkwise.compare.scoring.clock import TimeUp, time_limit

        asked_at = time.monotonic()
        try:
            with time_limit(None if request.budget is None else asked_at + request.budget):
                return cls._planned(request, progress, pieces, asked_at)
        except TimeUp:
            raise InputError(
                "The time budget ended before the table was read and its columns were judged; allow a larger budget."
            ) from None

    @classmethod
    def _planned(cls, request: FitRequest, progress: Any, pieces: Path | None, asked_at: float) -> Question:
        from shrinkwise.compare.comparison import check_folds
        from shrinkwise.tables.plan.plan import ColumnOptions, plan_table

        from .tables import read_for

        test = None if request.test is None else _read(request.test, request.layout)[0]
        table = read_for(request, progress or (lambda *_: None), pieces)
        request, streamed = table.request, table.streamed
        wishes = {each.name: getattr(request, each.name) for each in fields(ColumnOptions)}
        name = request.file.name if request.file else "query" if request.sql else "table"
        if streamed is None:
            plan = plan_table(table.frame, request.target, name=name, **wishes)
            options = request.options(plan)
        else:
            plan = streamed.plan(request.target, name=name, **wishes)
            options = streamed.options(plan, request.options())
        plan.notes += table.notes
        options.check(plan)
        check_folds(plan, options)
        return cls(request, table.frame, test, plan, options, asked_at, streamed)

    def answer(self, progress: Any = None, place: Any = None, command: str = "") -> Result:
        """Do the work; progress is called as progress(done, total, what) after every piece of it."""
        from shrinkwise import __version__
        from shrinkwise.compare.comparison import compare_table
        from shrinkwise.compare.scoring.clock import Clock
        from shrinkwise.compare.story.page import comparison_page

        comparison = compare_table(
            self._let_go(),
            self.plan,
            self.options,
            progress or (lambda *_: None),
            test=self.test,
            place=place,
            clock=Clock.of(self.options.budget, self.asked_at),
            splits=None if self.streamed is None else self.streamed.splits(self.plan, self.options),
        )
        return Result(comparison, comparison_page(comparison, command=command, version=__version__), self.request)

    def _let_go(self) -> Any:
        """Release the table, so that only the caller holds it."""
        frame, self.frame = self.frame, None
        return frame


@dataclass(frozen=True, repr=False)
class Result:
    """The result of `fit`: the comparison, and its page, the data that the report, `--json` and `print` show."""

    comparison: Comparison
    page: Page
    request: FitRequest

    @property
    def verdict(self) -> str:
        """The findings in plain sentences."""
        return " ".join(self.page.verdict)

    @property
    def model(self) -> TableModel:
        """The kept model."""
        return self.comparison.model

    def predict(self, table: Any, interval: float | None = None) -> Any:
        """Numbers (n,) for regression, class labels (n,) otherwise, for any data frame with the columns of the table.

        A path is also taken, of a file, or of a folder or a pattern of files, which are read in blocks.

        With `interval`, a level between 0.5 and 0.99, a data frame of the same library instead: prediction and the
        columns low and high of numbers, or set, lists of class labels. About this share of new rows lies inside, if they
        are like the rows of the table.
        """
        return self.model.predict(table, interval)

    def predict_proba(self, table: Any) -> Any:
        """Class probabilities (n, K), columns in the order of `model.plan.classes`."""
        return self.model.predict_proba(table)

    @property
    def table(self) -> DataFrame:
        """The comparison as a polars frame: a row for every candidate and choice; lower scores are better."""
        import polars as pl

        rows = []
        for row in self.page.candidates:
            for name, choice in (("best", row.best), ("one_se", row.one_se)):
                if choice is None:
                    continue
                difference = choice.difference
                rows.append(
                    {
                        "candidate": row.name,
                        "choice": name,
                        "strength": choice.strength,
                        "score": choice.score,
                        "se": choice.se,
                        "difference": difference and difference.mean,
                        "low": difference and difference.low,
                        "high": difference and difference.high,
                        "balanced_accuracy": choice.balanced_accuracy,
                        "inputs": choice.inputs,
                        "kept": choice.kept,
                    }
                )
        return pl.DataFrame(rows)

    def save(self, folder: str | Path) -> Path:
        """Write the run folder: report.html, model.json and model.npz, score.py, coefficients.csv, predictions.csv, run.toml.

        If the table is a file, run.toml also has the settings, so that `shrinkwise replay` can repeat the run. Returns
        the folder.
        """
        from shrinkwise.compare.held_out import held_out_csv
        from shrinkwise.models.coefficients import coefficients_csv
        from shrinkwise.models.score_py import score_py
        from shrinkwise.models.table_model import MODEL_FILE
        from shrinkwise.report import render_page
        from shrinkwise.runs.folder import RUN_FILE, write_run
        from shrinkwise.runs.record import run_record
        from shrinkwise.tables.reading.files import path_of

        folder = path_of(folder)
        write_run(
            folder,
            {
                "report.html": render_page(self.page),
                MODEL_FILE: self.model.save,
                "score.py": score_py(self.model),
                "coefficients.csv": coefficients_csv(self.model),
                "predictions.csv": held_out_csv(self.comparison),
                RUN_FILE: run_record(self.comparison, self.page, self.request.file, self.request.to_toml()),
            },
        )
        return folder

    def __str__(self) -> str:
        from rich.console import Console

        from shrinkwise.report import print_summary

        console = Console(file=io.StringIO(), width=80)
        print_summary(self.page, console)
        return console.file.getvalue()  # type: ignore[attr-defined]

    __repr__ = __str__


def _read(table: Any, layout: Layout) -> tuple[Any, list[str]]:
    """The table as a polars frame, and notes on how its file was read."""
    from shrinkwise.tables.reading.read import as_frame, read_with_notes

    return read_with_notes(Path(table), layout) if isinstance(table, str | Path) else (as_frame(table), [])

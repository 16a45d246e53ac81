"""`shrinkwise.fit`: the comparison of regularizers on one table, as the command line does it."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polars import DataFrame

    from shrinkwise.compare.options import Options
    from shrinkwise.compare.result import Comparison
    from shrinkwise.models.table_model import TableModel

    from .tables import TablePlan


def fit(table: Any, target: str, *, effort: str = "normal", test: Any = None, **asked: Any) -> Result:
    """Compare regularizers on a table, nested, and keep the model with the lowest held-out score.

    Parameters
    ----------
    table : a data frame (pandas, polars, pyarrow, …) or the path of a file (CSV, Parquet, Arrow)
    target : the column to predict
    effort : "quick", "normal" or "thorough"
    test : like table, optional; rows that take no part in anything, on which the kept model is scored at the end
    asked : what `shrinkwise.tables.ColumnOptions` says about columns (drop, keep, number, category, group, time, weight,
        task) and `shrinkwise.compare.Options` about the comparison (folds, seed, methods, max_features, within, factors,
        bounds, …)

    Returns
    -------
    Result : print it for the comparison and the verdict; `predict` scores new rows; `save` writes the run folder.

    Raises
    ------
    InputError (a ValueError) : one sentence on what is wrong with the table or the wishes
    """
    return prepare(table, target, effort=effort, **asked).answer(test=test)


@dataclass
class Question:
    """A table that was read and planned, and the options: everything there is before the work starts.

    It is answered once: the answer lets go of the table as soon as it is encoded, and a large one is not in memory twice.
    """

    frame: Any
    plan: TablePlan
    options: Options
    file: Path | None = None
    asked_at: float = field(default_factory=time.monotonic)

    def answer(self, progress: Any = None, test: Any = None, place: Any = None, command: str = "") -> Result:
        """Do the work."""
        from shrinkwise.compare.comparison import compare_table
        from shrinkwise.compare.scoring.clock import Clock
        from shrinkwise.compare.story.page import comparison_page

        from . import __version__

        test = None if test is None else _frame(test)
        progress = progress or (lambda *_: None)
        clock = Clock.of(self.options.budget, self.asked_at)
        comparison = compare_table(
            self._let_go(), self.plan, self.options, progress, test=test, place=place, clock=clock
        )
        return Result(comparison, comparison_page(comparison, command=command, version=__version__), self.file)

    def _let_go(self) -> Any:
        """The table, which from now on only the caller holds."""
        frame, self.frame = self.frame, None
        return frame


def prepare(table: Any, target: str, *, effort: str = "normal", **asked: Any) -> Question:
    """Read and plan the table; see `fit`. The time of a budget begins here."""
    asked_at = time.monotonic()
    from shrinkwise.compare.candidates.registry import without_missing_extras
    from shrinkwise.compare.comparison import check_folds
    from shrinkwise.compare.options import Options, options_for
    from shrinkwise.tables.plan.plan import ColumnOptions
    from shrinkwise.tables.reading.read import read_with_note

    from .tables import as_frame, plan_table

    wishes, given = {each.name for each in fields(ColumnOptions)}, {each.name for each in fields(Options)}
    for name in asked:
        if name not in wishes | given:
            near = get_close_matches(name, wishes | given, n=1)
            raise TypeError(f"fit has no setting {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    names = ("methods", "drop", "keep", "number", "category")
    asked |= {name: (asked[name],) for name in names if isinstance(asked.get(name), str)}
    if asked.get("within") is not None:
        asked["select"] = "within"
    options = without_missing_extras(options_for(effort, **{k: v for k, v in asked.items() if k in given}))
    file = Path(table) if isinstance(table, str | Path) else None
    frame, note = read_with_note(file) if file else (as_frame(table), "")
    name = file.name if file else "table"
    plan = plan_table(frame, target, name=name, **{k: v for k, v in asked.items() if k in wishes})
    plan.notes += [note] if note else []
    options.check(plan)
    check_folds(plan, options)
    return Question(frame, plan, options, file, asked_at)


def _frame(table: Any) -> Any:
    from .tables import as_frame, read_table

    return read_table(table) if isinstance(table, str | Path) else as_frame(table)


@dataclass(frozen=True, repr=False)
class Result:
    """What `fit` found: the comparison, and its page, the plain data that the report, `--json` and `print` are made of."""

    comparison: Comparison
    page: dict
    file: Path | None = None

    @property
    def verdict(self) -> str:
        """The finding in plain sentences."""
        return " ".join(self.page["verdict"])

    @property
    def model(self) -> TableModel:
        """The kept model."""
        return self.comparison.model

    def predict(self, table: Any) -> Any:
        """Numbers (n,) for regression, class labels (n,) otherwise, for any data frame with the columns of the table."""
        return self.model.predict(table)

    def predict_proba(self, table: Any) -> Any:
        """Class probabilities (n, K), columns in the order of `model.plan.classes`."""
        return self.model.predict_proba(table)

    @property
    def table(self) -> DataFrame:
        """The comparison as a polars frame: a row for every candidate and choice, scores lower is better."""
        import polars as pl

        rows = []
        for candidate in self.page["candidates"]:
            for choice in ("best", "one_se"):
                if (found := candidate[choice]) is None:
                    continue
                difference = found["difference"] or {}
                rows.append(
                    {
                        "candidate": candidate["name"],
                        "choice": choice,
                        "strength": found["strength"],
                        "score": found["score"],
                        "se": found["se"],
                        "difference": difference.get("mean"),
                        "low": difference.get("low"),
                        "high": difference.get("high"),
                        "balanced_accuracy": found.get("balanced_accuracy"),
                        "inputs": found["inputs"],
                        "kept": candidate["chosen"]
                        and choice == (self.comparison.choice if candidate["one_se"] else "best"),
                    }
                )
        return pl.DataFrame(rows)

    def save(self, folder: str | Path, settings: dict[str, Any] | None = None) -> Path:
        """Write the run folder: report.html, model.json and model.npz, score.py, coefficients.csv, predictions.csv, run.toml.

        settings: those of the command, for `shrinkwise replay`. Returns the folder.
        """
        from shrinkwise.compare.held_out import held_out_csv
        from shrinkwise.models.coefficients import coefficients_csv
        from shrinkwise.models.score_py import score_py
        from shrinkwise.models.table_model import MODEL_FILE
        from shrinkwise.runs.folder import RUN_FILE, write_run
        from shrinkwise.runs.record import run_record

        from .report import render_page

        write_run(
            Path(folder),
            {
                "report.html": render_page(self.page),
                MODEL_FILE: self.model.save,
                "score.py": score_py(self.model),
                "coefficients.csv": coefficients_csv(self.model),
                "predictions.csv": held_out_csv(self.comparison),
                RUN_FILE: run_record(self.comparison, self.page, self.file, settings),
            },
        )
        return Path(folder)

    def __str__(self) -> str:
        from rich.console import Console

        from shrinkwise.report.terminal import print_summary

        console = Console(file=io.StringIO(), width=80)
        print_summary(self.page, console)
        return console.file.getvalue()  # type: ignore[attr-defined]

    __repr__ = __str__

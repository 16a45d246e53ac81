"""`shrinkwise fit`: compare regularizers on a table and write a run folder."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from .files import FILE_OR_FOLDER, layout_options
from .terminal import say, say_json, visible


class _Methods(click.Option):
    """An option whose help lists the candidates, which are imported only when the help is shown."""

    def get_help_record(self, context: click.Context) -> tuple[str, str] | None:
        from shrinkwise.compare.candidates.registry import slugs

        self.help = f"Compare only these candidates: {slugs()}."
        return super().get_help_record(context)


_COLUMN: dict = {"metavar": "COLUMN", "multiple": True}


@click.command(short_help="Compare regularizers on a table and keep the best model.")
@click.argument("file", type=FILE_OR_FOLDER, required=False)
@click.option("--target", metavar="COLUMN", help="The column to predict (required).")
@click.option("--out", type=FILE_OR_FOLDER, metavar="DIR", help="Run folder to write [default: FILE-report].")
@click.option(
    "--test", type=FILE_OR_FOLDER, metavar="FILE", help="Also score the kept model on this table of unseen rows."
)
@layout_options
@click.option("--drop", **_COLUMN, help="Ignore this column. May be repeated, as may the next four options.")
@click.option("--number", **_COLUMN, help="Parse this column as numeric; values that cannot be parsed become missing.")
@click.option("--category", **_COLUMN, help="Treat this column as categorical.")
@click.option("--text", **_COLUMN, help="Use the words of this column as inputs (a bag of words).")
@click.option("--keep-column", "keep", **_COLUMN, help="Keep this column as an input even if it looks unusable.")
@click.option("--group", metavar="COLUMN", help="Keep rows with the same value in the same fold.")
@click.option(
    "--time",
    metavar="COLUMN",
    help="Score later rows with models fitted on earlier rows [default: by dates, if successive rows have similar targets].",
)
@click.option("--shuffle", is_flag=True, help="Split the rows at random, also if successive rows in time are similar.")
@click.option(
    "--level-means/--no-level-means",
    default=True,
    help="Whether a category of many levels becomes the mean of the target by level [default: yes].",
)
@click.option("--weight", metavar="COLUMN", help="Column of sample weights ≥ 0.")
@click.option(
    "--task",
    type=click.Choice(["regression", "counts", "classes"]),
    help="Kind of target [default: inferred from its values].",
)
@click.option(
    "--exposure", metavar="COLUMN", help="Column of the exposure > 0 of each count, by which its rate is multiplied."
)
@click.option("--offset", metavar="COLUMN", help="Column of the logarithm of the exposure of each count.")
@click.option(
    "--log-target/--no-log-target",
    default=None,
    help="Fit a positive target on a log scale, or not [default: if it is skewed and that predicts better].",
)
@click.option(
    "--effort",
    type=click.Choice(["quick", "normal", "thorough"]),
    default="normal",
    show_default=True,
    help="quick: coarser grids and no networks. thorough: finer grids, 10 folds, larger networks from 5 random starts.",
)
@click.option("--methods", cls=_Methods, metavar="A,B,…")
@click.option("--no-networks", is_flag=True, help="Do not compare networks.")
@click.option(
    "--budget",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Time limit in seconds; candidates that do not finish are skipped.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="N",
    help="Number of outer cross-validation folds [default: 5; thorough: 10].",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the folds and the networks.",
)
@click.option(
    "--select",
    type=click.Choice(["1se", "best"]),
    default="1se",
    show_default=True,
    help="Setting of the best candidate to keep. 1se: the strongest regularization within one standard error of the paired "
    "difference to its best; best: the setting with the best score.",
)
@click.option(
    "--within",
    metavar="P%",
    help="Keep the model with the fewest inputs whose score is within P percent of the lowest score.",
)
@click.option("--max-features", type=click.IntRange(min=1), metavar="N", help="Keep a model with at most N inputs.")
@click.option(
    "--penalty-factor",
    type=FILE_OR_FOLDER,
    metavar="FILE",
    help="CSV with columns input, factor. A larger factor penalizes that input more; 0 does not penalize it.",
)
@click.option(
    "--bounds",
    type=FILE_OR_FOLDER,
    metavar="FILE",
    help="CSV with columns input, low, high: bounds of the coefficients in the units of the data.",
)
@click.option(
    "--engine",
    type=click.Choice(["memory", "stream", "dask"]),
    help="Read all rows into memory, or in blocks, here or on a Dask cluster [default: memory if they fit, else stream].",
)
@click.option("--scheduler", metavar="ADDRESS", help="Scheduler of the Dask cluster, such as tcp://host:8786.")
@click.option("--sql", metavar="QUERY", help="Read the rows of a query instead of FILE.")
@click.option("--database", metavar="URL", help="Database of the query, such as sqlite:///sales.db.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run with the same folder.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes, at most one per core [default: one per core].",
)
@click.option("--quiet", is_flag=True, help="Print only the verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print only one JSON document.")
def fit(file: Path | None, out: Path | None, resume: bool, quiet: bool, as_json: bool, **settings) -> None:
    """Compare regularizers on the table FILE (CSV, Excel, Parquet or Arrow), report which one helps, and write a run folder.

    FILE can also be a folder or a quoted pattern of files with the same columns, such as 'data/*.parquet'.
    """
    # polars reads this as it is loaded: memory that it no longer needs is returned at once and not after 10 seconds
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
    from shrinkwise.service import FitRequest, fit_to_folder

    if settings["target"] is None:
        raise _no_target(file, settings)
    request = FitRequest.from_click({"file": file, **settings})
    out = out or Path(f"{_stem(file)}-report")
    speaks = not (quiet or as_json)
    with _progress(speaks) as progress:
        result = fit_to_folder(
            request,
            out,
            resume=resume,
            command=shlex.join(["shrinkwise", *sys.argv[1:]]).encode("utf-8", "replace").decode("utf-8"),
            before=_print_plan if speaks else lambda _: None,
            progress=progress,
        )
    if as_json:
        say_json({"run": str(out), **result.page.to_json()})
    elif quiet:
        say(result.verdict)
    else:
        _print_result(result, out)


def _no_target(file: Path | None, settings: dict) -> Exception:
    """The error without a target, which names the columns of a file that fits into memory."""
    from shrinkwise.service import FitRequest
    from shrinkwise.service.engines import fits_in_memory
    from shrinkwise.tables.errors import InputError, first_names
    from shrinkwise.tables.reading.sources import read_all

    said = "Name the column to predict with --target"
    if file is None or not fits_in_memory(file)[0]:
        return InputError(f"{said}.")
    frame, _ = read_all(file, FitRequest.from_click({"file": file, **settings, "target": ""}).layout)
    return InputError(f"{said}: {file.name} has {first_names(frame.columns)}.")


def _stem(file: Path | None) -> str:
    """A name for the run of a file, a folder or a pattern of files, or of a query."""
    if file is None:
        return "query"
    name = next((part for part in (file.name, file.parent.name) if not set("*?[") & set(part)), "")
    return name.split(".")[0] or "table"


def _print_plan(question) -> None:
    from rich.console import Console

    from shrinkwise.compare.candidates.registry import candidates
    from shrinkwise.compare.scoring.estimate import LONGEST, estimated_seconds
    from shrinkwise.compare.scoring.nested import n_processes
    from shrinkwise.compare.story.page import plan_page
    from shrinkwise.report import print_columns

    console, options, plan = Console(), question.options, question.plan
    print_columns(plan_page(plan), console)
    contestants = candidates(options, plan.has_groups, plan.has_numbers, plan.log_link)
    sentences = options.described([each.name for each in contestants], plan.splits_by)
    if question.streamed is not None:
        pass  # the time of the passes is shown as they go on
    elif options.budget:
        sentences.append(f"Candidates that do not finish within {options.budget:.0f} s are skipped.")
    else:
        seconds = estimated_seconds(plan.used_rows(question.frame), plan, options)
        sentences.append(
            f"Estimated time: unknown, because measuring a sample of the work took more than {LONGEST:.0f} s; use --budget or "
            "fewer --methods to limit the time."
            if seconds is None
            else _estimate(seconds, n_processes(options))
        )
    for sentence in sentences:
        console.print(visible(sentence), markup=False, highlight=False)


def _estimate(seconds: float, jobs: int) -> str:
    took = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    return f"Estimated time: about {took} on {jobs} process{'es' if jobs > 1 else ''}."


@contextmanager
def _progress(wanted: bool):
    """A callable (done, total, what) that moves a progress bar on stderr if it is a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        work = bar.add_task("fitting")
        yield lambda done, total, what: bar.update(work, completed=done, total=total, description=what)


def _print_result(result, out: Path) -> None:
    from rich.console import Console

    from shrinkwise.report import print_comparison, print_verdict

    console = Console()
    print_comparison(result.page, console)
    print_verdict(result.page, console)
    for line in (f"\nReport: {out / 'report.html'}", f"New rows: shrinkwise predict {shlex.quote(str(out))} NEW.csv"):
        console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

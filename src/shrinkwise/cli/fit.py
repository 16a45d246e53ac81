"""`shrinkwise fit`: compare regularizers on a table and write a run folder."""

from __future__ import annotations

import errno
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from shrinkwise import __version__


class _Methods(click.Option):
    """An option whose help names the candidates; they are read when the help is asked for, and not before."""

    def get_help_record(self, context: click.Context) -> tuple[str, str] | None:
        from shrinkwise.compare.candidates.registry import slugs

        self.help = f"Compare only these candidates: {slugs()}."
        return super().get_help_record(context)


_COLUMN: dict = {"metavar": "COLUMN", "multiple": True}
_FILE: dict = {"metavar": "FILE", "type": click.Path(path_type=Path)}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder to write [FILE-report].")
@click.option("--test", type=click.Path(path_type=Path), metavar="FILE", help="Score the kept model on these rows too.")
@click.option("--drop", **_COLUMN, help="Leave a column out. Like the next three, may be given several times.")
@click.option("--number", **_COLUMN, help="Read a column as numbers; what is none is missing.")
@click.option("--category", **_COLUMN, help="Read a column as categories.")
@click.option("--keep-column", "keep", **_COLUMN, help="Keep a column that would be dropped.")
@click.option("--group", metavar="COLUMN", help="Rows of one value stay on one side of every split.")
@click.option("--time", metavar="COLUMN", help="Score later rows by models of earlier ones.")
@click.option("--weight", metavar="COLUMN", help="How much a row counts.")
@click.option("--task", type=click.Choice(["regression", "classes"]), help="Overrule what the target looks like.")
@click.option(
    "--effort",
    type=click.Choice(["quick", "normal", "thorough"]),
    default="normal",
    show_default=True,
    help="quick: linear models only; thorough: finer grids, 10 folds, 5 starts of larger networks.",
)
@click.option("--methods", cls=_Methods, metavar="A,B,…")
@click.option("--no-networks", is_flag=True, help="Compare linear models only.")
@click.option("--budget", type=click.FloatRange(min=1), metavar="SECONDS", help="Leave out what is not done by then.")
@click.option("--folds", type=click.IntRange(min=2), help="Parts held out in turn [5].")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seeds folds and networks.")
@click.option(
    "--select",
    type=click.Choice(["1se", "best"]),
    default="1se",
    show_default=True,
    help="The setting that is kept of the best candidate: the strongest within one standard error, or the best.",
)
@click.option(
    "--within", metavar="P%", help="Keep the model with the fewest inputs within P percent of the lowest score instead."
)
@click.option("--max-features", type=click.IntRange(min=1), metavar="N", help="Keep a model of at most N inputs.")
@click.option(
    "--penalty-factor",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV with columns input, factor: dear inputs cost more λ.",
)
@click.option(
    "--bounds",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV with columns input, low, high: bounds of coefficients.",
)
@click.option("--resume", is_flag=True, help="Go on where a run that was stopped left off.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes, at most one per core [one per core].")
@click.option("--quiet", is_flag=True, help="Print the verdict and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def fit(file: Path, target: str, out: Path | None, test: Path | None, resume: bool, **given) -> None:
    """Compare regularizers on the table FILE (CSV, Parquet, Arrow), say which one helps, and write a run folder."""
    from shrinkwise.compare.comparison import Place
    from shrinkwise.compare.scoring.journal import claimed, clear_pieces
    from shrinkwise.compare.story.page import plan_page
    from shrinkwise.fitting import prepare
    from shrinkwise.runs.folder import check_place
    from shrinkwise.tables import read_table

    speaks = not (given["quiet"] or given["as_json"])
    question = prepare(file, target, **_asked(given))
    fresh = None if test is None else read_table(test)
    out = out or Path(f"{file.name.split('.')[0] or 'table'}-report")
    check_place(out)
    _check_question(out, file, target)
    if speaks:
        _print_plan(plan_page(question.plan), question)
    place = Place(out.absolute().parent / f".{out.name}.unfinished", resume, __version__)
    with claimed(place.folder), _pieces_named():
        with _progress(speaks) as progress:
            result = question.answer(progress, fresh, place, _command())
        result.save(out, click.get_current_context().params)
        clear_pieces(place.folder)
    _print_result(result.page, out, quiet=given["quiet"], as_json=given["as_json"])


@contextmanager
def _pieces_named():
    """Add to the sentence on a full disk that the work is not lost."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        said = (error.strerror or str(error)).removesuffix(".")
        raise OSError(
            error.errno,
            f"{said}. The parts that were finished are kept: free some space and repeat the command with --resume.",
        ) from error


def _check_question(out: Path, file: Path, target: str) -> None:
    """Refuse to put a run in the place of one that answers another question."""
    from shrinkwise.runs.folder import is_run_folder
    from shrinkwise.runs.two_runs import read_record
    from shrinkwise.tables import InputError

    if not is_run_folder(out):
        return
    there = read_record(out)["data"]
    table = Path(str(there.get("file", file))).name
    if (table, there["target"]) != (file.name, target):
        raise InputError(
            f"{out} holds a run on {table} that predicts {there['target']!r}: name another folder with --out, or remove that "
            "one."
        )


def _asked(given: dict) -> dict:
    """The settings as `shrinkwise.fit` takes them; what was not given keeps its default."""
    from shrinkwise.tables.plan.settings import bounds_of, factors_of, share

    asked = {k: given[k] for k in ("drop", "keep", "number", "category", "group", "time", "weight", "task", "effort")}
    asked |= {k: given[k] for k in ("folds", "seed", "select", "max_features", "budget") if given[k] is not None}
    asked["n_jobs"] = given["jobs"]
    if given["no_networks"]:
        asked["network"] = None
    if given["methods"]:
        asked["methods"] = tuple(name.strip() for name in given["methods"].split(",") if name.strip())
    if given["within"]:
        asked["within"] = share(given["within"])
    if given["penalty_factor"]:
        asked["factors"] = factors_of(given["penalty_factor"])
    if given["bounds"]:
        asked["bounds"] = bounds_of(given["bounds"])
    return asked


def _command() -> str:
    return shlex.join(["shrinkwise", *sys.argv[1:]])


def _print_plan(page: dict, question) -> None:
    from rich.console import Console

    from shrinkwise.compare.candidates.registry import candidates
    from shrinkwise.compare.scoring.estimate import estimated_seconds
    from shrinkwise.compare.scoring.nested import n_processes
    from shrinkwise.report import print_columns

    console, options = Console(), question.options
    print_columns(page, console)
    plan = question.plan
    contestants = candidates(options, plan.has_groups)
    for sentence in options.described([each.name for each in contestants], plan.splits_by):
        console.print(sentence, markup=False, highlight=False)
    if options.budget:
        console.print(f"What is not done within {options.budget:.0f} s is left out.", markup=False, highlight=False)
        return
    seconds = estimated_seconds(question.plan.used_rows(question.frame), question.plan, options)
    took = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    jobs = n_processes(options)
    console.print(
        f"This takes about {took} on {jobs} process{'es' if jobs > 1 else ''}.", markup=False, highlight=False
    )


@contextmanager
def _progress(wanted: bool):
    """A callable (done, total, what) that moves a bar on stderr, where somebody is looking."""
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


def _print_result(page: dict, out: Path, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps({"run": str(out), **page}, ensure_ascii=False, allow_nan=False))
        return
    if quiet:
        click.echo(" ".join(page["verdict"]))
        return
    from rich.console import Console

    from shrinkwise.report import print_comparison, print_verdict

    console = Console()
    print_comparison(page, console)
    print_verdict(page, console)
    console.print(f"\nReport: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"New rows: shrinkwise predict {shlex.quote(str(out))} NEW.csv", markup=False, highlight=False, soft_wrap=True
    )

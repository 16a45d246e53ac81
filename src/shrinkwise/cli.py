"""The command line: `shrinkwise fit`, `predict`, `doctor`; `explain`, `compare`, `replay` and `onnx` are in `commands`.

Only click is imported at the top, so that `--help` answers at once. Exit codes: 0; 2 for a user's mistake, with one
sentence on stderr; 1 for trouble with the machine (a full disk); 130 for Ctrl-C.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from shrinkwise import __version__
from shrinkwise.commands import compare, explain, onnx, replay


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code; what goes wrong becomes one sentence on stderr."""
    try:
        code = cli.main(args=args, prog_name="shrinkwise", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        return _say("Interrupted; nothing was written.", 130)
    except BrokenPipeError:
        # The reader has gone, as in `| head`. Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _say(error.strerror or str(error), 1)
    except MemoryError:
        return _say("There is not enough memory for this table.", 1)
    except ValueError as error:
        if not _is_mistake(error):
            raise
        return _say(str(error), 2)


def _is_mistake(error: ValueError) -> bool:
    from shrinkwise.tables import InputError

    return isinstance(error, InputError)


def _say(sentence: str, code: int) -> int:
    click.echo(" ".join(sentence.split()), err=True)
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="shrinkwise", message="shrinkwise %(version)s")
def cli() -> None:
    """Does regularization help on your data, which kind, and how strong?"""


for command in (explain, compare, replay, onnx):
    cli.add_command(command)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder to write [FILE-report].")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seeds folds and networks.")
@click.option(
    "--select",
    type=click.Choice(["1se", "best"]),
    default="1se",
    show_default=True,
    help="The model that is kept: the strongest regularization within one standard error of the best, or the best.",
)
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Parts held out in turn.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Leave a column out; may be given several times.")
@click.option("--task", type=click.Choice(["regression", "classes"]), help="Overrule what the target looks like.")
@click.option("--no-networks", is_flag=True, help="Compare linear models only.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes [one per core].")
@click.option("--quiet", is_flag=True, help="Print the verdict and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def fit(file: Path, target: str, out: Path | None, drop: tuple[str, ...], task: str | None, **given) -> None:
    """Compare regularizers on the table FILE (CSV, Parquet), say which one helps, and write a run folder."""
    from shrinkwise.compare.comparison import check_folds, compare_table
    from shrinkwise.compare.page import comparison_page, plan_page
    from shrinkwise.compare.runfolder import check_place
    from shrinkwise.tables import plan_table, read_table

    speaks = not (given["quiet"] or given["as_json"])
    frame = read_table(file)
    plan = plan_table(frame, target, name=file.name, drop=drop, task=task)
    options = _options(given)
    check_folds(plan, options)
    out = out or Path(f"{file.name.split('.')[0] or 'table'}-report")
    check_place(out)
    if speaks:
        _print_plan(plan_page(plan), options)
    with _progress(speaks) as progress:
        comparison = compare_table(frame, plan, options, progress)
    page = comparison_page(comparison, command=_command(), version=__version__)
    _write(out, file, comparison, page)
    _print_result(page, out, **given)


def _options(given: dict):
    from shrinkwise.compare.options import NetworkOptions, Options

    return Options(
        folds=given["folds"],
        seed=given["seed"],
        select=given["select"],
        n_jobs=given["jobs"],
        network=None if given["no_networks"] else NetworkOptions(),
    ).without_missing_extras()


def _command() -> str:
    return shlex.join(["shrinkwise", *sys.argv[1:]])


def _write(out: Path, file: Path, comparison, page: dict) -> None:
    from shrinkwise.compare.coefficients import coefficients_csv
    from shrinkwise.compare.model import MODEL_FILE
    from shrinkwise.compare.predictions import held_out_csv
    from shrinkwise.compare.record import run_record
    from shrinkwise.compare.runfolder import RUN_FILE, write_run
    from shrinkwise.compare.standalone import score_py
    from shrinkwise.report import render_page

    write_run(
        out,
        {
            "report.html": render_page(page),
            MODEL_FILE: comparison.model.save,
            "score.py": score_py(comparison.model),
            "coefficients.csv": coefficients_csv(comparison.model),
            "predictions.csv": held_out_csv(comparison),
            RUN_FILE: run_record(comparison, page, file, click.get_current_context().params),
        },
    )


def _print_plan(page: dict, options) -> None:
    from rich.console import Console

    from shrinkwise.report import print_columns

    console = Console()
    print_columns(page, console)
    for sentence in options.described():
        console.print(sentence, markup=False, highlight=False)


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


def _print_result(page: dict, out: Path, *, quiet: bool, as_json: bool, **_) -> None:
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


@cli.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write there [stdout].")
def predict(run_dir: Path, file: Path, out: Path | None) -> None:
    """Score the rows of the table FILE with the model in RUN_DIR, as CSV.

    Unseen categories and missing values are handled as the model's encoder learned to; what that did is said on stderr.
    """
    from shrinkwise.compare.model import load
    from shrinkwise.compare.predictions import predictions_csv
    from shrinkwise.tables import read_table

    model = load(run_dir)
    frame = read_table(file)
    text = predictions_csv(model, frame)
    for remark in model.encoder.remarks(frame):
        click.echo(remark, err=True)
    if out is None:
        click.echo(text, nl=False)
    else:
        from shrinkwise.compare.runfolder import write_file

        write_file(out, text)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(as_json: bool) -> None:
    """Say which kernels, threads and extras are active."""
    found = _examined()
    if as_json:
        import json

        click.echo(json.dumps(found, ensure_ascii=False))
        return
    kernels, extras = found["kernels"], found["extras"]
    click.echo(f"shrinkwise {__version__}, Python {found['versions']['python']}, {sys.executable}")
    if kernels["available"]:
        click.echo(f"kernels  {kernels['simd']}: {', '.join(kernels['kernels'])} ({kernels['path']})")
    else:
        click.echo(f"kernels  none: {kernels['reason']}; the reference code gives the same results, more slowly")
    click.echo(f"threads  {found['cores']} cores usable: as many processes compare candidates, one thread each")
    for name, extra in extras.items():
        missing = f'not installed: pip install "shrinkwise[{extra["extra"]}]" adds {extra["adds"]}'
        click.echo(f"{name:<8} {extra['version'] or missing}")
    click.echo("packages " + ", ".join(f"{k} {v}" for k, v in found["versions"].items() if k not in extras))


def _examined() -> dict:
    from joblib import cpu_count

    from shrinkwise import kernels
    from shrinkwise.compare.record import versions

    found = versions("torch", "matplotlib")
    extras = {"torch": ("torch", "networks and dropout"), "matplotlib": ("plot", "figures")}
    return {
        "versions": found,
        "kernels": kernels.status(),
        "cores": cpu_count(),
        "extras": {
            name: {"version": found.get(name), "extra": extra, "adds": adds} for name, (extra, adds) in extras.items()
        },
    }

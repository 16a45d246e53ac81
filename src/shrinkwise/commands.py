"""What the command line does with a run that is there: explain a row, compare two runs, repeat one, write model.onnx.

Only click is imported at the top, as in `cli`.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run_dir", type=_PATH)
@click.argument("row", type=click.IntRange(min=1))
@click.option("--file", type=_PATH, metavar="FILE", help="The table of the row [the one the run was fitted on].")
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Inputs shown, largest first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all inputs.")
def explain(run_dir: Path, row: int, file: Path | None, top: int, as_json: bool) -> None:
    """Say what each input contributes to the prediction of row ROW (1 is the first) by the model in RUN_DIR.

    For a linear model the contributions add up to the prediction. A network is no sum: there it is said how the prediction
    changes when one input alone is put at its mean.
    """
    from shrinkwise.models.explain_row import explain_row
    from shrinkwise.models.table_model import load

    from .tables import InputError, read_table

    model = load(run_dir)
    file = file or _table_of(run_dir)
    frame = read_table(file)
    if row > frame.height:
        raise InputError(f"{file} has {frame.height} rows; there is no row {row}.")
    found = explain_row(model, frame, row - 1)
    if as_json:
        parts = [{"input": name, "value": value, "contribution": part} for name, value, part in found.contributions]
        said = {"row": row, "prediction": found.prediction, "of": found.of, "usual": found.usual, "here": found.here}
        said |= {} if found.probability is None else {"probability": found.probability}
        click.echo(
            json.dumps({**said, "exact": found.exact, "rest": found.rest, "contributions": parts}, ensure_ascii=False)
        )
        return
    _print_explanation(found, row, top)


def _table_of(run_dir: Path) -> Path:
    """The table that a run was fitted on, while it is the same."""
    from shrinkwise.runs.two_runs import read_record

    from .tables import InputError, data_hash

    record = read_record(run_dir)["data"]
    if "file" not in record:
        raise InputError("That run was fitted on a data frame, not on a file: name a table with --file.")
    file = Path(record["file"])
    if not file.exists():
        raise InputError(f"The table of that run is not at {file.absolute()} any more: name it with --file.")
    if data_hash(file) != record["sha256"]:
        raise InputError(f"{file} is not the table of that run any more: name another with --file.")
    return file


def _print_explanation(found, row: int, top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    sure = "" if found.probability is None else f" (probability {found.probability:.3g})"
    head = f"Row {row}: prediction {found.prediction}{sure}."
    usual = f"With every input at {found.reference} the {found.of} is {found.usual:.6g}; here it is {found.here:.6g}."
    grid = Table(box=None, pad_edge=False)
    for name, side in (("input", "left"), ("value", "left"), ("contribution", "right")):
        grid.add_column(name, justify=side)  # type: ignore[arg-type]
    shown = [each for each in found.contributions if each[2]][:top]
    for name, value, part in shown:
        grid.add_row(Text(name[:60]), Text(value[:40]), f"{part:+.6g}".replace("-", "−"))
    console.print(Text(f"{head} {usual}"))
    console.print(grid)
    others = sum(part for *_, part in found.contributions) - sum(part for *_, part in shown)
    unused = sum(not part for *_, part in found.contributions)
    tail = [f"{unused} {'input contributes' if unused == 1 else 'inputs contribute'} nothing."] if unused else []
    if len(found.contributions) - unused > len(shown):
        tail.insert(0, f"The others together: {others:+.6g}.")
    tail.append(
        "The contributions add up to the difference."
        if found.exact
        else f"Each is the change when that input alone is put at {found.reference}; what inputs do together is left over: "
        f"{found.rest:+.6g}."
    )
    console.print(Text(" ".join(tail).replace(" -", " −")))


@click.command()
@click.argument("first", type=_PATH)
@click.argument("second", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Put the candidates of two run folders side by side; paired by fold where both held out the same rows."""
    from shrinkwise.runs.two_runs import compare_runs

    found = compare_runs(first, second)
    if as_json:
        said = {"score": found.score, "kept": found.kept, "rows": found.rows, "sentences": found.sentences}
        click.echo(json.dumps(said, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, title=f"Held-out {found.score}; lower is better", title_justify="left")
    for name, side in (("candidate", "left"), ("first", "right"), ("second", "right"), ("second − first", "right")):
        grid.add_column(name, justify=side)  # type: ignore[arg-type]
    for row in found.rows:
        marks = "".join(mark for mark, kept in zip("¹²", found.kept, strict=True) if kept == row["candidate"])
        grid.add_row(
            Text(row["candidate"] + marks),
            *(_figure(row[key]) for key in ("first", "second")),
            _interval(row["difference"]),
        )
    console = Console()
    console.print(grid)
    console.print(Text(" ".join(["¹ ² the model kept by the first, the second run.", *found.sentences])))


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def _interval(found) -> str:
    return "–" if found is None else "{} [{}, {}]".format(*(f"{v:+.2g}".replace("-", "−") for v in found))


@click.command()
@click.argument("record", type=_PATH, metavar="RUN.TOML")
@click.option("--file", type=_PATH, metavar="FILE", help="Where the table is now [where it was].")
@click.option("--out", type=_PATH, metavar="DIR", help="Run folder to write [RUN-replay].")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes [one per core].")
@click.pass_context
def replay(context: click.Context, record: Path, file: Path | None, out: Path | None, jobs: int | None) -> int:
    """Repeat the run that RUN.TOML (or its folder) records, and say whether every number is the same.

    A table that was changed since is refused. Exit code 0 when the numbers agree, 3 when they do not.
    """
    from shrinkwise.runs.replay import differences, other_versions, settings_of
    from shrinkwise.runs.two_runs import read_record

    from .cli import fit

    old = read_record(record)
    home = record if record.is_dir() else record.parent
    out = out or Path(f"{home.absolute().name}-replay")
    settings = settings_of(old, file, [p.name or "" for p in fit.params])
    command = ["--out", str(out), "--quiet", *(["--jobs", str(jobs)] if jobs else []), *_arguments(fit, settings)]
    with fit.make_context("fit", command, parent=context) as asked:
        fit.invoke(asked)
    new = read_record(out)
    found, versions = differences(old, new), other_versions(old, new)
    if not found:
        click.echo(f"Every number is the same; the new run is in {out}.")
        return 0
    said = [f"The numbers are not the same ({out} has the new ones).", *found]
    said.append(f"Other versions: {'; '.join(versions)}." if versions else "The versions are the same.")
    click.echo("\n".join(said))
    return 3


def _arguments(fit: click.Command, settings: dict) -> list[str]:
    """The settings as the words of a command line, so that click reads them as it did then."""
    words, positional = [], []
    for parameter in fit.params:
        if parameter.name not in settings:
            continue
        value = settings[parameter.name]
        if isinstance(parameter, click.Argument):
            positional.append(str(value))
        elif getattr(parameter, "is_flag", False):
            words += [parameter.opts[0]] if value else []
        elif parameter.multiple:
            words += [word for each in value for word in _option(parameter, each)]
        else:
            words += _option(parameter, value)
    return [*words, "--", *positional]


def _option(parameter: click.Parameter, value) -> list[str]:
    return [parameter.opts[0], *map(str, value if isinstance(value, list) else [value])]


@click.command()
@click.argument("run_dir", type=_PATH)
@click.option("--file", type=_PATH, metavar="FILE", help="The table to check it on [the one the run was fitted on].")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[RUN_DIR/model.onnx]")
def onnx(run_dir: Path, file: Path | None, out: Path | None) -> None:
    """Write the model in RUN_DIR as model.onnx, after checking it row by row against Python with onnxruntime."""
    from shrinkwise.models.onnx import checked_onnx
    from shrinkwise.models.table_model import load
    from shrinkwise.runs.folder import write_file

    from .tables import read_table

    model = load(run_dir)
    frame = read_table(file or _table_of(run_dir))
    data, difference = checked_onnx(model, frame)
    out = out or run_dir / "model.onnx"
    write_file(out, lambda path: path.write_bytes(data))
    click.echo(f"{out}: {frame.height} rows checked, the largest difference to Python is {difference:.2g}.")

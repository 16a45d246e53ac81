"""`shrinkwise replay`: a run repeated from its record."""

from __future__ import annotations

from pathlib import Path

import click

from .fit import fit

_PATH = click.Path(path_type=Path)


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
            words += [
                word
                for each in (value if isinstance(value, list) else [value])
                for word in (parameter.opts[0], str(each))
            ]
        else:  # one word, whatever it is: a list must not bring options of its own
            words += [parameter.opts[0], str(value)]
    return [*words, "--", *positional]

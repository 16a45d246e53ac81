"""`shrinkwise replay`: repeat a recorded run and compare the numbers."""

from __future__ import annotations

from pathlib import Path

import click

from .files import FILE_OR_FOLDER
from .terminal import say


@click.command(short_help="Repeat a recorded run and check its numbers.")
@click.argument("record", type=FILE_OR_FOLDER, metavar="RUN.TOML")
@click.option(
    "--file",
    type=FILE_OR_FOLDER,
    metavar="FILE",
    help="Path of the table [default: the path recorded in RUN.TOML].",
)
@click.option("--out", type=FILE_OR_FOLDER, metavar="DIR", help="Run folder to write [default: RUN-replay].")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Number of processes [default: one per core].")
def replay(record: Path, file: Path | None, out: Path | None, jobs: int | None) -> int:
    """Repeat the run recorded in RUN.TOML (or its folder), and report whether all numbers are the same.

    The table must not have changed. The scores and settings in run.toml, coefficients.csv and predictions.csv are compared.
    The exit code is 0 if the numbers agree and 3 if they do not.
    """
    from shrinkwise.runs.replay import differences, other_files, other_versions
    from shrinkwise.runs.two_runs import read_record
    from shrinkwise.service import FitRequest, fit_to_folder

    old = read_record(record)
    home = record if record.is_dir() else record.parent
    out = out or Path(f"{home.absolute().name}-replay")
    request = FitRequest.from_toml(old, file=file, n_jobs=jobs, run_dir=home)
    result = fit_to_folder(request, out, command=str(old.get("command", "")))
    say(result.verdict)
    new = read_record(out)
    versions, (compared, different) = other_versions(old, new), other_files(home, out)
    found = [*differences(old, new), *different]
    if not found:
        say(f"All numbers are the same, in {_listed(['run.toml', *compared])}; the new run is in {out}.")
        return 0
    said = [f"The numbers differ; the new run is in {out}.", *found]
    said.append(f"Different versions: {'; '.join(versions)}." if versions else "The versions are the same.")
    say("\n".join(said))
    return 3


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

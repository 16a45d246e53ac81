"""`shrinkwise compare`: two run folders side by side."""

from __future__ import annotations

from pathlib import Path

import click

from .files import FILE_OR_FOLDER
from .terminal import say_json, visible


@click.command(short_help="Compare two runs.")
@click.argument("first", type=FILE_OR_FOLDER)
@click.argument("second", type=FILE_OR_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Compare the candidates of two run folders, fold by fold if both runs held out the same rows."""
    from shrinkwise.runs.two_runs import compare_runs

    found = compare_runs(first, second)
    if as_json:
        said = {"score": found.score, "kept": found.kept, "rows": found.rows, "sentences": found.sentences}
        say_json(said)
    else:
        _print(found)


def _print(found) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, title=f"Held-out {found.score}; lower is better", title_justify="left")
    for name, side in (("candidate", "left"), ("first", "right"), ("second", "right"), ("second − first", "right")):
        grid.add_column(name, justify=side)  # type: ignore[arg-type]
    for row in found.rows:
        marks = "".join(mark for mark, kept in zip("¹²", found.kept, strict=True) if kept == row["candidate"])
        grid.add_row(
            Text(visible(row["candidate"]) + marks),
            *(_figure(row[key]) for key in ("first", "second")),
            _interval(row["difference"]),
        )
    console = Console()
    console.print(grid)
    console.print(
        Text(visible(" ".join(["¹, ²: the model kept by the first and by the second run.", *found.sentences])))
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def _interval(found) -> str:
    return "–" if found is None else "{} [{}, {}]".format(*(f"{v:+.2g}".replace("-", "−") for v in found))

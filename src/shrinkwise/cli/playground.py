"""`shrinkwise playground`: one page in which regularization can be tried out in a browser, offline."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .files import FILE, FILE_OR_FOLDER
from .terminal import say

_LARGEST = 200_000  # bytes of the page
_FEWEST_ROWS = 3


@click.command(short_help="Write a page in which regularization can be tried out.")
@click.argument("table", required=False, type=FILE_OR_FOLDER)
@click.option("--target", metavar="COLUMN", help="The column to predict at first [default: the last one].")
@click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    default=Path("playground.html"),
    show_default=True,
    help="HTML file to write.",
)
def playground(table: Path | None, target: str | None, out: Path) -> None:
    """Write one HTML page in which L1, L2, elastic net and dropout can be tried out in a browser, offline.

    The page opens with the table TABLE, or with an example if none is given, and reads other CSV files that are dropped
    on it; they do not leave the page. Of a large table the page contains evenly spaced rows.
    """
    from shrinkwise.report.playground import is_playground, render_playground
    from shrinkwise.runs.folder import check_parent, write_file
    from shrinkwise.tables import InputError

    if target is not None and table is None:
        raise InputError("Expected a table with --target, as in shrinkwise playground table.csv --target price.")
    if os.path.lexists(out) and not is_playground(_text(out)):
        raise InputError(
            f"{out} was not written by shrinkwise playground: move it away, or name another file with --out."
        )
    check_parent(out)
    html = render_playground() if table is None else _with_table(table, target)
    write_file(out, html)
    say(f"Wrote {out}: open it in a browser.")


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() and not path.is_symlink() else ""


def _with_table(path: Path, target: str | None) -> str:
    """The page with the table, or with every k-th row of it where all rows would make the page too large."""
    from polars import selectors

    from shrinkwise.report.playground import render_playground
    from shrinkwise.tables import InputError, read_table

    frame = read_table(path)
    if target is not None and target not in frame.columns:
        raise InputError(f"{path} has no column {target!r}; its columns are {', '.join(frame.columns[:20])}.")
    frame = frame.select(
        selectors.numeric() | selectors.boolean() | selectors.string() | selectors.categorical() | selectors.enum()
    )
    every = 1
    while -(-frame.height // every) >= _FEWEST_ROWS:
        part = frame.gather_every(every)
        note = f"The page contains {part.height} of {frame.height} rows, evenly spaced." if every > 1 else ""
        html = render_playground(part.write_csv(), path.name, target, note)
        size = len(html.encode())
        if size <= _LARGEST:
            return html
        every = max(every + 1, every * size // _LARGEST)
    raise InputError(
        f"{path} has fewer than {_FEWEST_ROWS} rows, or more columns than a page of {_LARGEST // 1000} kB can contain: "
        "keep fewer columns."
    )

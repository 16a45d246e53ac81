"""Arguments and options that name files, and those that say where the table is in its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shrinkwise.tables import Layout


class FilePath(click.Path):
    """The path of a file or a folder. An empty text, which would be the current folder, is refused."""

    def __init__(self, **settings: Any):
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises click's error, which names the option, for a text that names no file."""
        from shrinkwise.tables.errors import InputError
        from shrinkwise.tables.reading.files import path_of

        try:
            return super().convert(path_of(value), param, ctx)
        except InputError as error:
            self.fail(str(error), param, ctx)


FILE = FilePath(dir_okay=False)
FILE_OR_FOLDER = FilePath()
_OPTIONS = (
    click.option(
        "--header",
        type=click.IntRange(min=1),
        metavar="LINE",
        help="Line of the file that holds the header [default: found from the cells].",
    ),
    click.option(
        "--no-header", is_flag=True, help="The file has no header; name its columns 'column 1', 'column 2', …."
    ),
    click.option(
        "--skip",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Skip the first N lines of the file.",
    ),
    click.option("--sheet", metavar="NAME", help="Sheet of a workbook; needed if several sheets hold cells."),
)


def layout_options(command: Callable) -> Callable:
    """The options --header, --no-header, --skip and --sheet of a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def layout_of(given: Mapping[str, Any]) -> Layout:
    """The layout that the options request. Raises InputError if they contradict one another."""
    from shrinkwise.tables import InputError, Layout

    if given["header"] is not None and (given["no_header"] or given["skip"]):
        raise InputError("Expected --header, or --no-header with or without --skip, but --header came with another.")
    return Layout(**given)


def layout_for_run(run_dir: Path, file: Path | None, given: Mapping[str, Any]) -> Layout:
    """The layout that the options request; without options for the table of a run, that of the run."""
    from shrinkwise.runs.fitted_table import fitted_layout

    return layout_of(given) if file or any(given.values()) else fitted_layout(run_dir)

"""Sheets of Excel and OpenDocument workbooks as polars frames, by fastexcel (the extra "excel")."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from shrinkwise.tables.columns.kinds import typed
from shrinkwise.tables.errors import InputError, first_line, quoted

from .layout import Layout, table_of


def read_book(path: Path, layout: Layout) -> tuple[pl.DataFrame, list[str]]:
    """The table on a sheet, read as a delimited file is, and sentences on what is not a plain table.

    Without a sheet in `layout` it is the only one that holds cells. Raises InputError if there are several.
    """
    if find_spec("fastexcel") is None:
        raise InputError(
            f'Reading {path.name} needs another package; install it with pip install "shrinkwise[excel]", or save the '
            "sheet as CSV."
        )
    import fastexcel

    try:
        book = fastexcel.read_excel(str(path))
        sheet = _sheet(path.name, book, layout.sheet)
        cells = book.load_sheet(sheet, header_row=None, dtypes="string", skip_rows=0).to_polars()
    except fastexcel.FastExcelError as error:
        raise InputError(f"{path.name} is damaged or not a workbook ({first_line(error)}).") from error
    name = f"sheet {quoted(sheet)} of {path.name}"
    filled = ~cells.select(pl.all_horizontal(pl.all().str.strip_chars().fill_null("") == "")).to_series()
    lines = filled.arg_true().filter(filled.arg_true() >= layout.above)
    if not len(lines):
        raise InputError(
            f"{path.name} has no cells in {quoted(sheet)}{' below the skipped rows' if layout.above else ''}."
        )
    frame, notes = table_of(name, cells[lines], layout, lambda row: int(lines[row]) + 1)
    return pl.DataFrame([typed(column) for column in frame]), notes


def _sheet(name: str, book: Any, wanted: str | None) -> str:
    names = list(book.sheet_names)
    if wanted is not None and wanted not in names:
        raise InputError(f"{name} has no sheet {quoted(wanted)}; it has {_listed(names)}.")
    if wanted is not None:
        return wanted
    filled = [each for each in names if book.load_sheet(each, header_row=None).height]
    if len(filled) > 1:
        raise InputError(f"{name} has several sheets, {_listed(filled)}; select one with --sheet.")
    return filled[0] if filled else names[0]


def _listed(names: list[str]) -> str:
    return ", ".join(map(quoted, names[:10])) + (", …" if len(names) > 10 else "")

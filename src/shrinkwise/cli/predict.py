"""`shrinkwise predict`: predictions of a kept model for the rows of a table."""

from __future__ import annotations

from pathlib import Path

import click

from .layout import layout_of, layout_options
from .terminal import put_out, say


@click.command(short_help="Predict new rows with a kept model.")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="CSV file to write [default: standard output].",
)
@click.option(
    "--interval",
    type=float,
    metavar="LEVEL",
    help="Also write intervals at this level, for example 0.9: columns low and high, or set for classes.",
)
@layout_options
def predict(run_dir: Path, file: Path, out: Path | None, interval: float | None, **layout) -> None:
    """Predict the rows of the table FILE with the model in RUN_DIR, and write the predictions as CSV.

    Columns with unseen categories or missing values that did not occur in training are reported on standard error.
    """
    from shrinkwise.models.predictions import predictions_csv
    from shrinkwise.models.table_model import load
    from shrinkwise.tables.reading.read import read_with_notes

    model = load(run_dir)
    frame, notes = read_with_notes(file, layout_of(layout))
    text = predictions_csv(model, frame, interval)
    for remark in [*notes, *model.remarks(frame)]:
        say(remark, err=True)
    if out is None:
        put_out(text)
    else:
        from shrinkwise.runs.folder import write_file

        write_file(out, text)

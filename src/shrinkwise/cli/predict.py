"""`shrinkwise predict`: predictions of a kept model for the rows of a table."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from .files import FILE, FILE_OR_FOLDER, layout_of, layout_options
from .terminal import put_out_file, say


@click.command(short_help="Predict new rows with a kept model.")
@click.argument("run_dir", type=FILE_OR_FOLDER)
@click.argument("file", type=FILE_OR_FOLDER)
@click.option(
    "--out",
    type=FILE,
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

    FILE can also be a folder or a quoted pattern of files with the same columns, such as 'data/*.parquet'. The rows are
    read and predicted in blocks, so that files larger than memory can be predicted. Columns with unseen categories or missing
    values that did not occur in training are reported on standard error.
    """
    from shrinkwise.models.predictions import write_predictions
    from shrinkwise.models.table_model import load
    from shrinkwise.runs.folder import check_out, write_file

    model, remarks = load(run_dir), []

    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as text:
            remarks.extend(write_predictions(model, file, text, interval, layout_of(layout)))

    if out is not None:
        check_out(out, run_dir, file)
        write_file(out, write)
    else:  # beside the output, so that an error in a late row leaves none
        with TemporaryDirectory() as folder:
            write(whole := Path(folder) / "predictions.csv")
            put_out_file(whole)
    for remark in remarks:
        say(remark, err=True)

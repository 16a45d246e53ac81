"""`shrinkwise onnx`: a kept model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from .files import FILE, FILE_OR_FOLDER, layout_of, layout_options
from .terminal import say


@click.command(short_help="Export a kept model as an ONNX file.")
@click.argument("run_dir", type=FILE_OR_FOLDER)
@click.option(
    "--file",
    type=FILE_OR_FOLDER,
    metavar="FILE",
    help="Table to check the file on [default: the one the run was fitted on].",
)
@click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    help="File to write [default: RUN_DIR/model.onnx].",
)
@layout_options
def onnx(run_dir: Path, file: Path | None, out: Path | None, **layout) -> None:
    """Write the model in RUN_DIR as an ONNX file, after checking its predictions against Python on every row.

    The table of the run is read as it was then; --header, --no-header, --skip and --sheet are for another FILE.
    """
    from shrinkwise.models.onnx import checked_onnx
    from shrinkwise.models.table_model import load
    from shrinkwise.runs.fitted_table import fitted_rows
    from shrinkwise.runs.folder import add_to_run, check_out, write_file
    from shrinkwise.tables.reading.sources import read_all

    if out is not None:
        check_out(out, run_dir, *([] if file is None else [file]))
    model, place = load(run_dir), layout_of(layout)
    frame = fitted_rows(run_dir, place) if file is None else read_all(file, place)[0]
    data, difference = checked_onnx(model, frame)
    if out is None:
        out = run_dir / "model.onnx"
        add_to_run(run_dir, out.name, lambda path: path.write_bytes(data))
    else:
        write_file(out, lambda path: path.write_bytes(data))
    say(f"Wrote {out}: on {frame.height} rows the largest difference to Python is {difference:.2g}.")

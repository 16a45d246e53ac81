"""`shrinkwise onnx`: a kept model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from .files import FILE, FILE_OR_FOLDER, layout_for_run, layout_options
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
    """Write the model in RUN_DIR as an ONNX file, after checking its predictions against Python on every row."""
    from shrinkwise.models.onnx import checked_onnx
    from shrinkwise.models.table_model import load
    from shrinkwise.runs.fitted_table import fitted_table
    from shrinkwise.runs.folder import add_to_run, check_out, write_file
    from shrinkwise.tables import read_table

    if out is not None:
        check_out(out, run_dir, *([] if file is None else [file]))
    model = load(run_dir)
    frame = read_table(file or fitted_table(run_dir), layout_for_run(run_dir, file, layout))
    data, difference = checked_onnx(model, frame)
    if out is None:
        out = run_dir / "model.onnx"
        add_to_run(run_dir, out.name, lambda path: path.write_bytes(data))
    else:
        write_file(out, lambda path: path.write_bytes(data))
    say(f"Wrote {out}: on {frame.height} rows the largest difference to Python is {difference:.2g}.")

"""`shrinkwise onnx`: the model of a run as model.onnx, checked."""

from __future__ import annotations

from pathlib import Path

import click

from .run_table import table_of

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run_dir", type=_PATH)
@click.option("--file", type=_PATH, metavar="FILE", help="The table to check it on [the one the run was fitted on].")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[RUN_DIR/model.onnx]")
def onnx(run_dir: Path, file: Path | None, out: Path | None) -> None:
    """Write the model in RUN_DIR as model.onnx, after checking it row by row against Python with onnxruntime."""
    from shrinkwise.models.onnx import checked_onnx
    from shrinkwise.models.table_model import load
    from shrinkwise.runs.folder import write_file
    from shrinkwise.tables import read_table

    model = load(run_dir)
    frame = read_table(file or table_of(run_dir))
    data, difference = checked_onnx(model, frame)
    out = out or run_dir / "model.onnx"
    write_file(out, lambda path: path.write_bytes(data))
    click.echo(f"{out}: {frame.height} rows checked, the largest difference to Python is {difference:.2g}.")

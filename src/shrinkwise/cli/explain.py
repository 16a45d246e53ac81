"""`shrinkwise explain`: what each input contributes to the prediction of a row."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .run_table import table_of

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run_dir", type=_PATH)
@click.argument("row", type=click.IntRange(min=1))
@click.option("--file", type=_PATH, metavar="FILE", help="The table of the row [the one the run was fitted on].")
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Inputs shown, largest first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all inputs.")
def explain(run_dir: Path, row: int, file: Path | None, top: int, as_json: bool) -> None:
    """Say what each input contributes to the prediction of row ROW (1 is the first) by the model in RUN_DIR.

    For a linear model the contributions add up to the prediction. A network is no sum: there it is said how the prediction
    changes when one input alone is put at its mean.
    """
    from shrinkwise.models.explain_row import explain_row
    from shrinkwise.models.table_model import load
    from shrinkwise.tables import InputError, read_table

    model = load(run_dir)
    file = file or table_of(run_dir)
    frame = read_table(file)
    if row > frame.height:
        raise InputError(f"{file} has {frame.height} rows; there is no row {row}.")
    found = explain_row(model, frame, row - 1)
    if as_json:
        parts = [{"input": name, "value": value, "contribution": part} for name, value, part in found.contributions]
        said = {"row": row, "prediction": found.prediction, "of": found.of, "usual": found.usual, "here": found.here}
        said |= {} if found.probability is None else {"probability": found.probability}
        click.echo(
            json.dumps({**said, "exact": found.exact, "rest": found.rest, "contributions": parts}, ensure_ascii=False)
        )
        return
    _print_explanation(found, row, top)


def _print_explanation(found, row: int, top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    sure = "" if found.probability is None else f" (probability {found.probability:.3g})"
    head = f"Row {row}: prediction {found.prediction}{sure}."
    usual = f"With every input at {found.reference} the {found.of} is {found.usual:.6g}; here it is {found.here:.6g}."
    grid = Table(box=None, pad_edge=False)
    for name, side in (("input", "left"), ("value", "left"), ("contribution", "right")):
        grid.add_column(name, justify=side)  # type: ignore[arg-type]
    shown = [each for each in found.contributions if each[2]][:top]
    for name, value, part in shown:
        grid.add_row(Text(name[:60]), Text(value[:40]), f"{part:+.6g}".replace("-", "−"))
    console.print(Text(f"{head} {usual}"))
    console.print(grid)
    others = sum(part for *_, part in found.contributions) - sum(part for *_, part in shown)
    unused = sum(not part for *_, part in found.contributions)
    tail = [f"{unused} {'input contributes' if unused == 1 else 'inputs contribute'} nothing."] if unused else []
    if len(found.contributions) - unused > len(shown):
        tail.insert(0, f"The others together: {others:+.6g}.")
    tail.append(
        "The contributions add up to the difference."
        if found.exact
        else f"Each is the change when that input alone is put at {found.reference}; what inputs do together is left over: "
        f"{found.rest:+.6g}."
    )
    console.print(Text(" ".join(tail).replace(" -", " −")))

"""`shrinkwise explain`: what each input contributes to one prediction."""

from __future__ import annotations

from pathlib import Path

import click

from .files import FILE_OR_FOLDER, layout_for_run, layout_options
from .terminal import say_json, visible


@click.command(short_help="Show what each input contributes to one prediction.")
@click.argument("run_dir", type=FILE_OR_FOLDER)
@click.argument("row", type=click.IntRange(min=1))
@click.option(
    "--file",
    type=FILE_OR_FOLDER,
    metavar="FILE",
    help="Table with the row [default: the one the run was fitted on].",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    default=15,
    show_default=True,
    help="Number of inputs to print, largest contribution first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all inputs.")
@layout_options
def explain(run_dir: Path, row: int, file: Path | None, top: int, as_json: bool, **layout) -> None:
    """Show what each input contributes to the prediction of row number ROW (from 1) by the model in RUN_DIR.

    The contributions to a linear or additive model add up to its score. Networks are not additive: each value is the
    change in the prediction when only that input is set to its mean.
    """
    from shrinkwise.models.explain_row import explain_row
    from shrinkwise.models.table_model import load
    from shrinkwise.runs.fitted_table import fitted_table
    from shrinkwise.tables import InputError, read_table

    model = load(run_dir)
    where = layout_for_run(run_dir, file, layout)
    file = file or fitted_table(run_dir)
    frame = read_table(file, where)
    if row > frame.height:
        raise InputError(f"{file} has {frame.height} rows, so there is no row {row}.")
    found = explain_row(model, frame, row - 1)
    if not as_json:
        _print_explanation(found, row, top)
        return
    parts = [{"input": name, "value": value, "contribution": part} for name, value, part in found.contributions]
    said = {"row": row, "prediction": found.prediction, "of": found.of, "usual": found.usual, "here": found.here}
    said |= {} if found.probability is None else {"probability": found.probability}
    said |= {"exact": found.exact, "rest": found.rest, "contributions": parts}
    say_json(said)


def _print_explanation(found, row: int, top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    sure = "" if found.probability is None else f" (probability {found.probability:.3g})"
    head = f"Row {row}: prediction {found.prediction}{sure}."
    usual = f"With every input at {found.reference} the predicted {found.of} is {found.usual:.6g}; here it is {found.here:.6g}."
    grid = Table(box=None, pad_edge=False)
    for name, side in (("input", "left"), ("value", "left"), ("contribution", "right")):
        grid.add_column(name, justify=side)  # type: ignore[arg-type]
    shown = [each for each in found.contributions if each[2]][:top]
    for name, value, part in shown:
        grid.add_row(Text(visible(name[:60])), Text(visible(value[:40])), f"{part:+.6g}".replace("-", "−"))
    console.print(Text(visible(" ".join(filter(None, [head, usual, found.becomes])))))
    if shown:
        console.print(grid)
    console.print(Text(visible(_rest(found, shown)).replace(" -", " −")))


def _rest(found, shown: list) -> str:
    """The lines below the table: the omitted inputs, and the sum of the contributions."""
    if not shown and not found.rest:
        return f"No input contributes: the model predicts the same for a row with every input at {found.reference}."
    others = sum(part for *_, part in found.contributions) - sum(part for *_, part in shown)
    unused = sum(not part for *_, part in found.contributions)
    sentences = []
    if len(found.contributions) - unused > len(shown):
        sentences.append(f"All other inputs together: {others:+.6g}.")
    if unused:
        sentences.append(f"{unused} {'input contributes' if unused == 1 else 'inputs contribute'} nothing.")
    if not found.exact:
        sentences.append(f"Each contribution is the change when only that input is set to {found.reference}.")
    if found.rest and not found.exact:
        sentences.append(
            f"They do not add up: interactions between inputs account for the remaining {found.rest:+.6g}."
        )
    else:
        sentences.append("The contributions add up to the difference.")
    return " ".join(sentences)

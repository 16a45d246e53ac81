"""The summary on the terminal: the columns, the comparison, the verdict. Right at 80 columns, roomier when there are more."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shrinkwise.report.comparison import FAMILIES, families, kept_choice
from shrinkwise.report.markup import encodable, shortened
from shrinkwise.report.numbers import count, finite, interval, number, plus_minus

_MOST_COLUMNS = 12
_ROOMY = 104
_REASON = 240


def print_summary(page: dict, console: Console) -> None:
    """Columns and kinds, the comparison and the verdict of `page` (the schema of `render_page`) on a rich console."""
    print_columns(page, console)
    print_comparison(page, console)
    print_verdict(page, console)


def print_columns(page: dict, console: Console) -> None:
    """What each column was taken for and why; many columns are told by kind, the dropped ones always by name."""
    columns = page["columns"]
    title = Text.assemble(
        (_line(page["title"]), "bold"), f": {count(page['n_rows'])} rows, predict ", _line(page["target"])
    )
    console.print(title)
    if len(columns) <= _MOST_COLUMNS:
        lines = [(_line(c["name"]), c["kind"], _line(c.get("reason") or "", _REASON)) for c in columns]
    else:
        lines = list(_by_kind(columns))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold", max_width=36)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for line in lines:
        table.add_row(*map(Text, line))
    console.print(Padding(table, (0, 0, 0, 2)))
    for note in page["notes"]:
        console.print(Padding(Text(_line(note, None), style="dim"), (0, 0, 0, 2)))


def print_comparison(page: dict, console: Console) -> None:
    """Every candidate at its best λ and, below it, at the 1-SE choice; the chosen one is marked and the kept row bold."""
    roomy = console.width >= _ROOMY
    score = page["score"]
    better = "lower" if score["lower_is_better"] else "higher"
    console.print()
    console.print(Text(f"Held-out {score['name']} ± standard error; {better} is better", style="bold"))
    table = _table(roomy, score["name"], has_classes(page))
    for family, members in families(page).items():
        table.add_row(Text(FAMILIES.get(family, family), style="italic dim"))
        for candidate in members:
            _add_candidate(table, page, candidate, roomy)
    console.print(table)
    console.print(Text("difference: paired, to no regularization in its family, with 95 % interval", style="dim"))
    if has_classes(page):
        console.print(Text("b.acc: balanced accuracy, the mean share of each class that is recognised", style="dim"))
    if any(c.get("one_se") for c in page["candidates"]):
        said = "one standard error" if careful(page) == "1-SE" else careful(page).removeprefix("within ")
        console.print(Text(f"{careful(page)}: the strongest λ within {said} of the best", style="dim"))
    for candidate in page["candidates"]:
        if candidate.get("note"):
            console.print(Text(f"{_line(candidate['name'])}: {_line(candidate['note'], None)}", style="dim"))


def print_verdict(page: dict, console: Console) -> None:
    """The verdict, set apart."""
    console.print()
    console.print(Text(" ".join(_line(sentence, None) for sentence in page["verdict"]), style="bold"))


def careful(page: dict) -> str:
    """How the choice beside the best one is called."""
    return page.get("careful") or "1-SE"


def has_classes(page: dict) -> bool:
    """Whether the candidates have accuracies."""
    return any("balanced_accuracy" in candidate["best"] for candidate in page["candidates"])


def _table(roomy: bool, score: str, classes: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1 if roomy else 0, 0, 0), show_edge=False, header_style="dim")
    table.add_column("candidate", overflow="fold", min_width=16)
    if roomy:
        table.add_column("strength", overflow="fold")
    table.add_column(_line(score, 14), justify="right", no_wrap=True)
    table.add_column("difference", justify="right", no_wrap=True)
    if classes:
        table.add_column("b.acc", justify="right", no_wrap=True)
    table.add_column("inputs", justify="right", no_wrap=True)
    if roomy or not classes:
        table.add_column("zeros", justify="right", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    return table


def _add_candidate(table: Table, page: dict, candidate: dict, roomy: bool) -> None:
    chosen = bool(candidate.get("chosen"))
    kept = kept_choice(page, candidate) if chosen else None
    name = Text.assemble("* " if chosen else "  ", (_line(candidate["name"]), "bold" if chosen else ""))
    seconds = number(candidate.get("seconds"), 2) if finite(candidate.get("seconds")) else ""
    classes = has_classes(page)
    for label, choice in ((name, candidate["best"]), (Text(f"    {careful(page)}"), candidate.get("one_se"))):
        if not choice:
            continue
        is_best = choice is candidate["best"]
        difference = choice.get("difference") or (candidate.get("difference") if is_best else None)
        strength = _line(choice.get("strength") or "")
        first = [label, Text(strength)] if roomy else [_with_strength(label, strength)]
        cells = [
            plus_minus(choice["score"], choice["se"]),
            _interval(difference),
            *([_share(choice.get("balanced_accuracy"))] if classes else []),
            _whole(choice, "inputs"),
            *([_whole(choice, "zeros")] if roomy or not classes else []),
        ]
        style = "bold" if choice is kept else None
        table.add_row(*first, *map(Text, cells), Text(seconds if is_best else ""), style=style)


def _with_strength(label: Text, strength: str) -> Text:
    """On a narrow terminal the strength stands beside its label where both fit, else on a line of its own."""
    if not strength:
        return label
    apart = "  " if label.cell_len + len(strength) + 2 <= 27 else "\n    "
    return Text.assemble(label, (apart + strength, "dim"))


def _interval(difference: dict | None) -> str:
    return interval(*(difference[k] for k in ("mean", "low", "high"))) if difference else ""


def _whole(choice: dict, key: str) -> str:
    return "" if choice.get(key) is None else count(choice[key])


def _share(value: float | None) -> str:
    """.873 or 1.00: three places of a share."""
    return "" if value is None else f"{value:.2f}"[:4] if value >= 0.995 else f"{value:.3f}"[1:]


def _by_kind(columns: list[dict]) -> Iterator[tuple[str, str, str]]:
    """One line for each kind, naming the first and the last column of it, and one for each of the first dropped ones."""
    kinds: dict[str, list[dict]] = {}
    for column in columns:
        kinds.setdefault(column["kind"], []).append(column)
    for kind, members in kinds.items():
        if kind == "dropped":
            continue
        names = [_line(c["name"], 24) for c in members]
        named = ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} … {names[-1]}"
        yield (count(len(members)), kind, named)
    dropped = kinds.get("dropped", [])
    for column in dropped[:_MOST_COLUMNS]:
        yield (_line(column["name"]), "dropped", _line(column.get("reason") or "", _REASON))
    if len(dropped) > _MOST_COLUMNS:
        yield (f"and {count(len(dropped) - _MOST_COLUMNS)} more", "dropped", "")


def _line(value: object, most: int | None = 60) -> str:
    """Text of the user's as one line that cannot steer the terminal: control characters become "�"."""
    written = "".join(
        c if c.isprintable() else " " if c.isspace() else "�" for c in encodable(shortened(value) if most else value)
    )
    return written if most is None or len(written) <= most else written[: most - 1] + "…"

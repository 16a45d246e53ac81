"""The summary on the terminal: the columns, the comparison, the verdict. It fits 80 columns and uses more if available.

Lines are laid out here and not by rich's tables, because a setting must not be broken and no line may end in blanks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from .markup import encodable
from .numbers import count, counted, finite, interval, number, plus_minus, spelled
from .schema import CandidateRow, Choice, Column, Interval, Page, TablePage

_MOST_COLUMNS = 12
_ROOMY = 104
_NAME = 36  # a column's name that is longer stands on a line of its own
_REASON = 240
_LABEL = 16  # the least room for a candidate's name
_LONGEST = 2000  # letters of anything: a name may be a file by mistake
_NEXT = "    "  # before what continues a label


def print_summary(page: Page, console: Console) -> None:
    """Columns and kinds, the comparison and the verdict of `page` on a rich console."""
    print_columns(page, console)
    print_comparison(page, console)
    print_verdict(page, console)


def print_columns(page: TablePage, console: Console) -> None:
    """The kind of each column and the reason; many columns are summarised by kind, dropped ones are always listed by
    name."""
    columns = page.columns
    asked = f": {counted(page.n_rows, 'row')}, predict {_line(page.target)}"
    _say(console, Text.assemble((_line(page.title), "bold"), asked))
    if len(columns) <= _MOST_COLUMNS:
        lines = [(_line(c.name), c.kind, _reason(c)) for c in columns]
    else:
        lines = list(_by_kind(columns))
    names, kinds = ([cell_len(line[i]) for line in lines] for i in (0, 1))
    name_width = max((n for n in names if n <= _NAME), default=0)
    for name, kind, reason in lines:
        start = Text.assemble("  ", _padded(name, name_width), "  ", (_padded(kind, max(kinds)), "cyan"), "  ")
        if cell_len(name) > name_width:
            _say(console, Text(name), start=Text("  "))
            start = Text.assemble(" " * (name_width + 4), (_padded(kind, max(kinds)), "cyan"), "  ")
        _say(console, Text(reason, style="dim"), start=start)
    for note in page.notes:
        _say(console, Text(_line(note, None), style="dim"), start=Text("  "))


def print_comparison(page: Page, console: Console) -> None:
    """Every candidate at its best λ and, below it, at the 1-SE choice; the row of the kept choice is marked."""
    better = "lower" if page.score.lower_is_better else "higher"
    console.print()
    _say(console, Text(f"Held-out {_line(page.score.name)} ± standard error; {better} is better", style="bold"))
    for line in _Table(page, console.width).lines():
        line.rstrip()
        console.print(line, soft_wrap=True)
    _say(console, Text("difference: paired, to no regularization in the same family, with 95 % interval", style="dim"))
    if page.has_classes:
        said = "b.acc: balanced accuracy, the mean over classes of the share predicted correctly"
        _say(console, Text(said, style="dim"))
    if any(row.one_se for row in page.candidates):
        label = page.one_se_label
        within = (
            "one standard error of the paired difference to"
            if label == "1-SE"
            else f"{label.removeprefix('within ')} of"
        )
        inside = "" if label == "1-SE" else ", inside each training fold"
        _say(console, Text(f"{label}: the strongest λ within {within} the best{inside}", style="dim"))
    for row in page.candidates:
        if row.note:
            note = f"{_line(row.name)}: {spelled(_line(row.note, None))}"
            _say(console, Text(note, style="dim"))
    for reason, names in _left_out(page).items():
        _say(console, Text(f"skipped, {_line(reason)}: {', '.join(names)}", style="dim"))


def _left_out(page: Page) -> dict[str, list[str]]:
    """The candidates without a row, by reason."""
    found: dict[str, list[str]] = {}
    for each in page.left_out:
        found.setdefault(each.reason, []).append(_line(each.name))
    return found


def print_verdict(page: Page, console: Console) -> None:
    """The verdict in a separate block."""
    console.print()
    _say(console, Text(spelled(" ".join(_line(sentence, None) for sentence in page.verdict)), style="bold"))


@dataclass(frozen=True)
class _Row:
    """One choice of a candidate: `label` is its name, or the label of the choice below the name."""

    label: str
    strength: str
    cells: list[str]
    kept: bool


class _Table:
    """The comparison as lines of a terminal of width `width`."""

    def __init__(self, page: Page, width: int):
        self.page = page
        self.roomy = width >= _ROOMY
        self.gap = "  " if self.roomy else " "
        self.head = self._head()
        self.groups = {
            _line(family): [row for c in members for row in self._rows(c)]
            for family, members in page.families().items()
        }
        rows = [row for members in self.groups.values() for row in members]
        self.widths = [max(map(cell_len, cells)) for cells in zip(self.head, *(r.cells for r in rows), strict=True)]
        self.strength = 2 + max(8, *(cell_len(r.strength) for r in rows), 0) if self.roomy else 0
        needed = max((_label_length(r.label, "" if self.roomy else r.strength) for r in rows), default=0)
        left = width - self.strength - sum(self.widths) - len(self.gap) * len(self.widths)
        self.room = max(_LABEL, min(needed, left))

    def lines(self) -> Iterator[Text]:
        """Heads, a rule, then the rows by family."""
        first = _padded("candidate", self.room) + (f"  {_padded('strength', self.strength - 2)}" if self.roomy else "")
        head = first + self._numbers(self.head)
        yield Text(head, style="dim")
        yield Text("─" * cell_len(head), style="dim")
        for family, rows in self.groups.items():
            yield Text(family, style="italic dim")
            for row in rows:
                yield from self._row_lines(row)

    def _row_lines(self, row: _Row) -> Iterator[Text]:
        label, *more = _label_lines(row.label, "" if self.roomy else row.strength, self.room)
        if row.kept:
            label = Text.assemble("*", label[1:])
        label.pad_right(self.room - label.cell_len)
        strength = (f"  {_padded(row.strength, self.strength - 2)}" if self.roomy else "", "dim")
        yield Text.assemble(label, strength, self._numbers(row.cells), style="bold" if row.kept else "")
        yield from more

    def _numbers(self, cells: list[str]) -> str:
        aligned = (" " * (width - cell_len(cell)) + cell for width, cell in zip(self.widths, cells, strict=True))
        return self.gap + self.gap.join(aligned)

    def _head(self) -> list[str]:
        classes, zeros = self.page.has_classes, self.roomy or not self.page.has_classes
        score = _line(self.page.score.name, 14)
        return [score, "difference", *["b.acc"] * classes, "inputs", *["zeros"] * zeros, "s"]

    def _rows(self, candidate: CandidateRow) -> Iterator[_Row]:
        yield self._row("  " + _line(candidate.name), candidate.best, candidate.seconds)
        if candidate.one_se:
            yield self._row(_NEXT + self.page.one_se_label, candidate.one_se, None)

    def _row(self, label: str, choice: Choice, seconds: float | None) -> _Row:
        classes = self.page.has_classes
        cells = [
            plus_minus(choice.score, choice.se),
            _interval(choice.difference),
            *[_share(choice.balanced_accuracy)] * classes,
            _whole(choice.inputs),
            *[_whole(choice.zeros)] * (self.roomy or not classes),
            number(seconds, 2) if finite(seconds) else "",
        ]
        return _Row(label, spelled(_line(choice.strength)), cells, choice.kept)


def _label_length(label: str, strength: str) -> int:
    """The width that a label needs: on one line with a short setting, else the longer of the two."""
    beside = cell_len(label) + 2 + cell_len(strength)
    return beside if strength and beside <= 27 else max(cell_len(label), cell_len(_NEXT + strength))


def _label_lines(label: str, strength: str, room: int) -> list[Text]:
    """Label and strength on one line if they fit, else on two lines; a setting is never broken."""
    if strength and cell_len(label) + 2 + cell_len(strength) <= room:
        return [Text.assemble(label, "  ", (strength, "dim"))]
    names = _packed(label.strip().split(" "), " ", label[: len(label) - len(label.lstrip())], room)
    settings = _packed(strength.replace(" (", "\n(").replace(", ", ",\n").split("\n"), " ", _NEXT, room)
    return [*map(Text, names), *(Text(line, style="dim") for line in settings if strength)]


def _packed(parts: list[str], between: str, start: str, room: int) -> list[str]:
    """The parts on as few lines as possible, the first after `start`, the others indented."""
    lines = [start + parts[0]]
    for part in parts[1:]:
        longer = lines[-1] + between + part
        lines = [*lines[:-1], longer] if cell_len(longer) <= room else [*lines, _NEXT + part]
    return lines


def _say(console: Console, text: Text, start: Text | None = None) -> None:
    """A paragraph wrapped to the console, hanging below the end of `start`."""
    start = start or Text()
    for i, line in enumerate(text.wrap(console, max(20, console.width - start.cell_len), overflow="fold") or [Text()]):
        whole = Text.assemble(start if i == 0 else " " * start.cell_len, line)
        whole.rstrip()
        console.print(whole, soft_wrap=True)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _interval(found: Interval | None) -> str:
    return interval(found.mean, found.low, found.high) if found else ""


def _whole(value: int | None) -> str:
    return "" if value is None else count(value)


def _share(value: float | None) -> str:
    """.873 or 1.00: three places of a share."""
    return "" if value is None else f"{value:.2f}"[:4] if value >= 0.995 else f"{value:.3f}"[1:]


def _by_kind(columns: Sequence[Column]) -> Iterator[tuple[str, str, str]]:
    """One line for each kind, naming the first and the last column of it, and one for each of the first dropped ones."""
    kinds: dict[str, list[Column]] = {}
    for column in columns:
        kinds.setdefault(column.kind, []).append(column)
    for kind, members in kinds.items():
        if kind == "dropped":
            continue
        names = [_line(c.name, 24) for c in members]
        named = ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} … {names[-1]}"
        yield (count(len(members)), kind, named)
    dropped = kinds.get("dropped", [])
    for column in dropped[:_MOST_COLUMNS]:
        yield (_line(column.name), "dropped", _reason(column))
    if len(dropped) > _MOST_COLUMNS:
        yield (f"and {count(len(dropped) - _MOST_COLUMNS)} more", "dropped", "")


def _reason(column: Column) -> str:
    """The reason for the kind of the column; never truncated if it recommends an option."""
    reason = column.reason
    return _line(reason, None if column.kind == "dropped" or "--" in reason else _REASON)


def _line(value: object, most: int | None = 60) -> str:
    """User text as one line without control characters, which are replaced by "�"."""
    written = encodable(str(value)[:_LONGEST])
    written = "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in written)
    return written if most is None or len(written) <= most else written[: most - 1] + "…"

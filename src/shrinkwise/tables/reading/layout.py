"""Where the table is among the cells of a file: titles above it, its header of one or two rows or none, footers below.

The cells of the first rows decide: a header has texts where the rows below have numbers, and values that do not occur
below. What is found is reported, and the user can overrule it (`Layout`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from shrinkwise.tables.errors import counted, quoted

from .names import name_unnamed

HEAD, _COLUMNS = 100, 200  # the cells at the beginning that are examined
MOST_TITLES = 30
FIRST, LAST = HEAD + MOST_TITLES + 2, MOST_TITLES + 1  # rows at the two ends on which `place_of` depends
_FEWEST_BELOW = 5  # with fewer rows below it, the first row is a header
_NEARLY_ALL = 0.95

_NUMBER = re.compile(r"[^\w]*\d[\d.,' ]*([eE][+-]?\d+)?[^\w]*")
_DATE = re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.:]\d{1,4})?([T ].*)?")
_NOTHING = {"", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "--", ".", "..", "...", "*", "**", "***"}
_YEARS = range(1500, 2200)


@dataclass(frozen=True)
class Layout:
    """The user's settings for a file; what is not set is found from its cells.

    Parameters
    ----------
    header : number of the line that holds the header, from 1; lines above it are skipped
    no_header : whether the first line is already a row of the table; columns are named "column 1", "column 2", …
    skip : number of lines to skip at the beginning
    sheet : name of the sheet of a workbook

    """

    header: int | None = None
    no_header: bool = False
    skip: int = 0
    sheet: str | None = None

    @property
    def above(self) -> int:
        """Number of lines above the table that the user named."""
        return self.skip if self.header is None else self.header - 1

    @property
    def headers(self) -> int | None:
        """Number of header rows that the user requested; None if they are to be found."""
        return 0 if self.no_header else 1 if self.header is not None else None


@dataclass(frozen=True)
class Extent:
    """Where the rows of a table are: the number of lines before and after them, the names of the columns, and the notes."""

    before: int
    after: int
    names: list[str]
    notes: list[str]


def table_of(
    name: str,
    cells: pl.DataFrame,
    layout: Layout,
    line: Callable[[int], int],
    skipped: int = 0,
    with_footers: bool = True,
) -> tuple[pl.DataFrame, list[str]]:
    """The table among `cells`, and the notes of `place_of`.

    Without `with_footers` no line is a footer, because the table goes on below `cells`.
    """
    place = place_of(name, cells, layout, line, skipped, with_footers)
    table = cells.slice(place.before, cells.height - place.before - place.after)
    table.columns = place.names
    return table, place.notes


def place_of(
    name: str,
    cells: pl.DataFrame,
    layout: Layout,
    line: Callable[[int], int],
    skipped: int = 0,
    with_footers: bool = True,
) -> Extent:
    """The place of the table among `cells`, texts without blank lines; the notes say what is not a plain table with a header.

    `line(i)` is the number of the line that holds row i, `skipped` the number of title lines above `cells`.
    """
    headers = layout.headers
    titles = 0 if headers is not None else _titles(rows := texts(cells.head(HEAD + MOST_TITLES)))
    if headers is None:
        headers = header_rows(rows[titles : titles + HEAD])
    body = cells.slice(titles + headers)
    rest, about = without_footers(name, body) if with_footers and layout.headers is None else (body, "")
    notes = [_about_titles(name, line(titles), skipped + titles), about]
    if headers:
        names = name_unnamed(_joined([[cell or "" for cell in row] for row in cells.slice(titles, headers).rows()]))
    else:
        names = [f"column {position + 1}" for position in range(cells.width)]
    notes += [_about_header(name, names, headers) if layout.headers is None else ""]
    unique = suffixed(names)
    notes += [_about_names([new for new, old in zip(unique, names, strict=True) if new != old])]
    return Extent(titles + headers, body.height - rest.height, unique, [note for note in notes if note])


def without_footers(name: str, body: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The rows above the remarks below a table, and a sentence on those."""
    count = _footers(texts(body.tail(MOST_TITLES)))
    return body.head(body.height - count), _about_footers(name, body, count)


def header_rows(rows: list[list[str]]) -> int:
    """How many of the first rows are a header: 0, 1 or 2 (a second one with units or with names under common titles)."""
    below = rows[2:]
    if len(below) < _FEWEST_BELOW:
        return 1
    kinds = {j: kind for j, cells in enumerate(zip(*below, strict=True)) if (kind := _common_kind(cells)) in ("1", "d")}
    first, second = ([_kind(row[j]) for j in kinds] for row in rows[:2])
    alike = sum(kind == cell for kind, cell in zip(kinds.values(), first, strict=True))
    other = sum(cell not in ("", kind) for kind, cell in zip(kinds.values(), first, strict=True))
    if alike >= other and _is_data(rows[0], rows[1:], kinds):
        return 0
    return 2 if second.count("a") >= max(2, len(kinds) / 2) else 1


def is_header(rows: list[list[str]]) -> bool:
    """Whether the first row has names, at least half of them texts or the others such as years, above other rows.

    The upper one of two header rows may have fewer, and blanks.
    """
    others = [cell for cell in rows[0] if cell and _kind(cell) != "a"]
    n_texts = sum(_kind(cell) == "a" for cell in rows[0])
    names = n_texts * 2 >= len(rows[0]) or (n_texts and len(others) > 2 and _in_steps(others))
    if len(rows) < 2:
        return False
    return header_rows(rows) > 0 if names else "" in rows[0] and header_rows(rows) == 2


def is_footer(cells: list[str], after_blank: bool) -> bool:
    """Whether a last line has one text in its first cell and nothing else, and that text is a remark."""
    text, *others = cells
    remark = after_blank or " " in text.strip() or ":" in text
    return not any(others) and remark and re.search(r"[^\W\d_]{2}", text) is not None


def suffixed(names: list[str]) -> list[str]:
    """The names, with " (2)", " (3)", … after those that occurred before."""
    taken, found = set(names), []
    given: Counter[str] = Counter()
    for name in names:
        given[name] += 1
        new = name
        while given[name] > 1 and (new := f"{name} ({given[name]})") in taken:
            given[name] += 1
        taken.add(new)
        found.append(new)
    return found


def texts(cells: pl.DataFrame, width: int | None = _COLUMNS) -> list[list[str]]:
    """Rows of trimmed texts, "" for null."""
    cells = cells if width is None else cells[:, :width]
    return [[(cell or "").strip() for cell in row] for row in cells.rows()]


def _kind(cell: str) -> str:
    """ "" for a missing value, "1" for a number, "d" for a date or time, "a" for any other text."""
    if cell.lower() in _NOTHING:
        return ""
    if _DATE.fullmatch(cell) and not re.fullmatch(r"\d+\.\d+", cell):
        return "d"
    return "1" if _NUMBER.fullmatch(cell) else "a"


def _common_kind(cells: tuple[str, ...]) -> str:
    counts = Counter(kind for cell in cells if (kind := _kind(cell)))
    if not counts:
        return ""
    kind, count = counts.most_common(1)[0]
    return kind if count >= _NEARLY_ALL * sum(counts.values()) else ""


def _is_data(row: list[str], below: list[list[str]], numeric: dict[int, str]) -> bool:
    """Whether a row holds values like those below it and not names.

    Texts that occur again below are values, if columns with few different texts have them. Without such columns, numbers
    are values, unless they increase by equal steps, as years in a header do.
    """
    again = []
    for j, cells in enumerate(zip(*below, strict=True)):
        texts = {cell for cell in cells if _kind(cell) == "a"}
        if j not in numeric and row[j] and 0 < len(texts) <= len(cells) / 4:
            again.append(row[j] in texts)
    if again:
        return sum(again) * 2 > len(again)
    found = [row[j] for j in numeric if _kind(row[j])]
    return bool(found) and not _in_steps(found)


def _in_steps(cells: list[str]) -> bool:
    """Whether the cells may be names that are numbers: one whole number, or several that increase by nearly equal steps."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    if len(numbers) == 1:
        return numbers[0].is_integer()
    steps = [b - a for a, b in pairwise(numbers)]
    if len(numbers) == 2:
        return steps[0] == 1 or all(number in _YEARS for number in numbers)
    return 0 < min(steps) and max(steps) <= 1.5 * min(steps)


def _titles(rows: list[list[str]]) -> int:
    """The number of rows above the header with a text in the first cell and nothing else."""
    count = 0
    while count < min(MOST_TITLES, len(rows) - 2) and rows[count][0] and not any(rows[count][1:]):
        if _kind(rows[count][0]) != "a" or len(rows[count]) == 1:
            return 0
        count += 1
    return count if count and is_header(rows[count:]) else 0


def _footers(rows: list[list[str]]) -> int:
    count = 0
    while count < len(rows) - 1 and len(rows[-1]) > 1 and is_footer(rows[-1 - count], after_blank=False):
        count += 1
    return count


def _joined(headers: list[list[str]]) -> list[str]:
    """The names of one header row, or of two: a blank cell of the upper one continues the cell to its left."""
    if len(headers) == 1:
        return headers[0]
    upper, names = "", []
    for above, below in zip(*headers, strict=True):
        upper = above.strip() or upper
        names.append(f"{upper if below.strip() else above.strip()} {below.strip()}".strip())
    return names


def _about_titles(name: str, header_line: int, count: int) -> str:
    if not count:
        return ""
    return (
        f"{counted(count, 'line')} above the header of {name} (line {header_line}) "
        f"{'was' if count == 1 else 'were'} skipped; use --header LINE if the header is on another line."
    )


def _about_footers(name: str, body: pl.DataFrame, count: int) -> str:
    return about_footers(name, (body.row(body.height - count)[0] or "") if count else "", count)


def about_footers(name: str, first: str, count: int) -> str:
    """A sentence on lines below the table, of which the first is `first`; "" if there are none."""
    if not count:
        return ""
    last = "The last line" if count == 1 else f"The last {count} lines"
    shown = f"{'' if count == 1 else 'the first is '}{quoted(first.strip())}"
    return f"{last} of {name} ({shown}) {'was' if count == 1 else 'were'} skipped as a footer."


def _about_header(name: str, names: list[str], headers: int) -> str:
    if headers == 0:
        return (
            f"{name} has no header row, because its first line holds values like those below it; its columns are "
            f"named {quoted(names[0])} to {quoted(names[-1])} (use --header 1 if the first line is a header)."
        )
    if headers == 2:
        joined = next((each for each in names if " " in each), names[0])
        return (
            f"The header of {name} has two rows, joined into names such as {quoted(joined)}; use --header LINE if "
            "only one line is the header."
        )
    return ""


def _about_names(renamed: list[str]) -> str:
    if not renamed:
        return ""
    shown = ", ".join(map(quoted, renamed[:5])) + (", …" if len(renamed) > 5 else "")
    return f"Columns whose name occurs before were renamed to {shown}."

"""Errors in a user's table, each with a message of one sentence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches


class InputError(ValueError):
    """A table or a setting that cannot be used; the message is one sentence for the user."""


class RowError(InputError):
    """An error in a row of a table. `sentence(place, least)` is its message for a place such as "row 3".

    `least` is "" or "at least ", before a number of such rows. Where the table is a block of a longer one, `moved` gives the
    error for the place in that one.
    """

    def __init__(self, sentence: Callable[[str, str], str], row: int):
        super().__init__(sentence(f"row {row}", ""))
        self.sentence, self.row = sentence, row

    def moved(self, offset: int, file: str = "") -> InputError:
        """The same error `offset` rows further down, in this file; later rows of it may have the same fault."""
        of = f" of {file}" if file else ""
        return InputError(self.sentence(f"row {self.row + offset}{of}", "at least "))

    def __reduce__(self):
        return InputError, (str(self),)


def quoted(text: object, width: int = 60) -> str:
    """`text` in quotes on one line, shortened to `width`, for use within a sentence."""
    whole = str(text)
    return repr(whole if len(whole) <= width else whole[: width - 1] + "…")


def counted(n: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def figure(number: float) -> str:
    """A number for display: whole numbers in full, others with six digits."""
    number = number + 0.0  # no "-0"
    return f"{number:.0f}" if number == round(number, 0) and abs(number) < 1e15 else f"{number:.6g}"


def no_such_column(table: str, wanted: str, names: Sequence[str], used: Collection[str] = ()) -> InputError:
    """The error for an absent column, with the most similar names that are not `used`, or the first ones if none is similar."""
    lowered = {name.lower().strip(): name for name in reversed(names) if name not in used}
    near = [lowered[match] for match in get_close_matches(wanted.lower().strip(), lowered, n=3, cutoff=0.6)]
    if near:
        return InputError(f"{table} has no column {quoted(wanted)}; did you mean {' or '.join(map(quoted, near))}?")
    return InputError(f"{table} has no column {quoted(wanted)}; it has {first_names(names)}.")


def first_names(names: Sequence[str]) -> str:
    """How many columns there are, with the names of the first five."""
    return f"{counted(len(names), 'column')}: {', '.join(map(quoted, names[:5]))}{', …' if len(names) > 5 else ''}"


def first_line(error: BaseException) -> str:
    """The first line of another library's error message, without a full stop, for use within a sentence."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(" .:") if text else type(error).__name__

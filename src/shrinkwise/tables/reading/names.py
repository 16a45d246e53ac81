"""Column names: they are unique, and there are not too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shrinkwise.tables.errors import InputError, quoted

# Each column is judged, encoded and scored by itself; beyond this many a table is mostly a matrix that lies on its side.
MOST_COLUMNS = 30_000


def refuse_too_wide(table: str, width: int) -> None:
    """InputError for more than MOST_COLUMNS columns."""
    if width > MOST_COLUMNS:
        raise InputError(
            f"{table} has {width} columns, more than the limit of {MOST_COLUMNS}; select fewer columns or "
            "transpose the table."
        )


def unnamed(position: int) -> str:
    """The name given to the column at `position` (0 is the first) when it has none."""
    return f"unnamed column {position + 1}"


def name_unnamed(names: Sequence[str]) -> list[str]:
    """The names, with every blank one replaced by `unnamed`."""
    return [name if name.strip() else unnamed(position) for position, name in enumerate(names)]


def refuse_duplicates(table: str, names: Sequence[str]) -> None:
    """InputError naming the columns that share a name."""
    shared = [quoted(name) for name, count in Counter(names).items() if count > 1]
    if shared:
        shown = ", ".join(shared[:5]) + (", …" if len(shared) > 5 else "")
        raise InputError(f"{table} has more than one column named {shown}; give every column a unique name.")

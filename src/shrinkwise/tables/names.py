"""Column names: every column has one of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .errors import InputError, quoted


def unnamed(position: int) -> str:
    """The name given to the column at `position` (0 is the first) when it has none."""
    return f"unnamed column {position + 1}"


def name_unnamed(names: Sequence[str]) -> list[str]:
    """The names as they are, every blank one replaced by `unnamed`."""
    return [name if name.strip() else unnamed(position) for position, name in enumerate(names)]


def refuse_duplicates(table: str, names: Sequence[str]) -> None:
    """InputError naming the columns that share a name."""
    shared = [quoted(name) for name, count in Counter(names).items() if count > 1]
    if shared:
        shown = ", ".join(shared[:5]) + (", …" if len(shared) > 5 else "")
        raise InputError(f"{table} has more than one column named {shown}; give every column a name of its own.")

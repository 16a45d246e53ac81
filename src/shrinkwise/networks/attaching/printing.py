"""Plain-text tables for reports."""

from __future__ import annotations


def table(header: tuple[str, ...], rows) -> str:
    """Columns padded to their widest cell, separated by two spaces, with the header first; empty columns are
    omitted."""
    rows = [tuple(map(str, row)) for row in rows]
    used = [k for k in range(len(header)) if not rows or any(row[k] for row in rows)]
    lines = [[line[k] for k in used] for line in (header, *rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(used))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

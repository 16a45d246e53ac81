"""Spellings of levels: Yes, yes and YES are one level, named by its most frequent spelling."""

from __future__ import annotations

import polars as pl

from shrinkwise.tables.errors import quoted

_BOOLEAN_WORDS = (("false", "true"), ("0", "1"))


def one_spelling(text: pl.Series) -> tuple[pl.Series, str]:
    """Text in which spellings that differ only by case are replaced by the most frequent one, and a sentence that
    reports it.

    If all values would become one ("a" and "A"), the case is meaningful and nothing is changed.
    """
    counts = text.drop_nulls().value_counts(name="rows")
    counts.columns = ["spelling", "rows"]
    lowered = counts["spelling"].str.to_lowercase().alias("level")
    if not 1 < lowered.n_unique() < len(lowered):
        return text, ""
    named = counts.with_columns(lowered).sort("rows", "spelling", descending=[True, False])
    groups = named.group_by("level", maintain_order=True).agg("spelling").filter(pl.col("spelling").list.len() > 1)
    joined = {spellings[0]: sorted(spellings[1:]) for spellings in groups["spelling"].to_list()}
    renamed = {other: name for name, others in joined.items() for other in others}
    shown = [f"{', '.join(map(quoted, others))} read as {quoted(name)}" for name, others in sorted(joined.items())[:3]]
    return text.replace(renamed), ", ".join(shown) + (", …" if len(joined) > 3 else "")


def alike(text: pl.Series, levels: list[str]) -> pl.Series:
    """Text with the spellings of `levels`; unchanged if levels differ only by case."""
    own = {level.lower(): level for level in levels}
    return text if len(own) < len(levels) else _spelled(text, own, levels)


def spelled_alike(text: pl.Series, levels: list[str]) -> pl.Series:
    """The same for a yes/no or ordered column, where 0 and 1 are also equal to false and true."""
    own = {level.lower(): level for level in levels}
    if len(own) < len(levels):
        return text
    for pair, same in (_BOOLEAN_WORDS, _BOOLEAN_WORDS[::-1]):
        if set(own) == set(pair):
            own |= dict(zip(same, map(own.__getitem__, pair), strict=True))
            break
    return _spelled(text, own, levels)


def _spelled(text: pl.Series, own: dict[str, str], levels: list[str]) -> pl.Series:
    if text.is_in(levels).fill_null(True).all():  # mostly nothing is to be done
        return text
    return text.str.to_lowercase().replace_strict(own, default=text, return_dtype=pl.String)

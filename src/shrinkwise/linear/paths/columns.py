"""The number and names of the columns of X in a fit, checked again in prediction."""

from __future__ import annotations

import numpy as np


def column_names(X) -> list | None:
    """The labels of the columns of a frame, in order; None for arrays, and for a frame whose columns are numbered 0 … p−1."""
    columns = getattr(X, "columns", None)
    if columns is None or callable(columns):
        return None
    names = list(columns)
    return None if names == list(range(len(names))) else names


def labels_of(names: list | None, p: int) -> list[str]:
    """The names of p columns as texts; x0, x1, … where they have none."""
    return [f"x{j}" for j in range(p)] if names is None else [str(name) for name in names]


def check_columns(X, p: int, names: list | None) -> None:
    """Raise ValueError if the columns of X differ from those of the fit in number, names or order."""
    if np.ndim(X) != 2 or X.shape[1] != p:
        raise ValueError(f"Expected X of shape (n, {p}), with the columns of the fit, got shape {np.shape(X)}")
    given = column_names(X)
    if names is None or given is None or given == names:
        return
    if sorted(map(str, given)) == sorted(map(str, names)):
        raise ValueError("The columns of X are in a different order than in the fit; reorder them as in the fit")
    missing = [name for name in names if name not in given]
    raise ValueError(f"The columns of X differ from those of the fit: {missing[0]!r} is missing, got {given[:3]} …")


def by_column(values, names: list | None, p: int, what: str):
    """`values`, one per column: a Series with labels is put in the order of the columns, anything else is taken in the
    given order."""
    labels = getattr(values, "index", None)
    if labels is None or callable(labels):
        return values
    labels = list(labels)
    if labels == list(range(len(labels))):
        return values
    if names is None:
        raise ValueError(
            f"{what} has labels such as {labels[0]!r} but X has no column names; pass X as a data frame or {what} "
            "as an array"
        )
    if len(labels) != p or len(set(labels)) != p or set(labels) != set(names):
        odd = [label for label in [*labels, *names] if label not in names or labels.count(label) != 1]
        raise ValueError(f"Expected {what} with one label for each of the {p} columns, got a mismatch at {odd[0]!r}")
    return np.asarray(values)[[labels.index(name) for name in names]]

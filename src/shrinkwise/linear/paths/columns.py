"""The columns of X: how many a fit has seen and what they are called, checked again when it predicts."""

from __future__ import annotations

import numpy as np


def column_names(X) -> list | None:
    """The labels of the columns of a frame, in order; None for arrays, and for a frame whose columns are numbered 0 … p−1."""
    columns = getattr(X, "columns", None)
    if columns is None or callable(columns):
        return None
    names = list(columns)
    return None if names == list(range(len(names))) else names


def check_columns(X, p: int, names: list | None) -> None:
    """Refuse an X whose columns are not those of the fit: another number, other names, or another order."""
    if np.ndim(X) != 2 or X.shape[1] != p:
        raise ValueError(f"expected X of shape (n, {p}), with the columns of the fit, got shape {np.shape(X)}")
    given = column_names(X)
    if names is None or given is None or given == names:
        return
    if sorted(map(str, given)) == sorted(map(str, names)):
        raise ValueError("the columns of X are in another order than in the fit: pass X[names] in the order of the fit")
    missing = [name for name in names if name not in given]
    raise ValueError(f"the columns of X differ from those of the fit: {missing[0]!r} is missing, {given[:3]} … came")


def by_column(values, names: list | None, p: int, what: str):
    """`values`, one a column: a Series with labels is put in the order of the columns, anything else is taken as it comes."""
    labels = getattr(values, "index", None)
    if labels is None or callable(labels):
        return values
    labels = list(labels)
    if labels == list(range(len(labels))):
        return values
    if names is None:
        raise ValueError(
            f"{what} has labels such as {labels[0]!r} but X has no column names: pass a frame, or an array"
        )
    if len(labels) != p or len(set(labels)) != p or set(labels) != set(names):
        odd = [label for label in [*labels, *names] if label not in names or labels.count(label) != 1]
        raise ValueError(f"expected {what} with one label for each of the {p} columns, got a mismatch at {odd[0]!r}")
    return np.asarray(values)[[labels.index(name) for name in names]]

"""Columns that know the answer: alone they tell the target of rows that were left out.

Such a column is mostly the target again under another name, or something that is known only afterwards.
"""

from __future__ import annotations

import numpy as np

_MOST_ROWS = 20_000
# Of the squared error, or of the wrong guesses, that ignoring the column leaves, no more than this share is left.
_LEFT = 0.01
_FEWEST_TO_TELL = 10  # rows outside the largest class


def knows_target(x: np.ndarray, y: np.ndarray, has_classes: bool, seed: int = 0) -> str:
    """What a column's values x (n,), numbers or codes with NaN for missing, tell of y alone, in words; "" for little.

    Every row is guessed from the other rows: those with the same value where values repeat, otherwise the nearest two.
    """
    if len(x) > _MOST_ROWS:
        rows = np.random.default_rng(seed).permutation(len(x))[:_MOST_ROWS]
        x, y = x[rows], y[rows]
    codes = np.unique(np.where(np.isnan(x), np.inf, x), return_inverse=True)[1]
    repeats = np.bincount(codes).mean()
    if not has_classes:
        total = np.square(y - y.mean()).sum()
        left = np.square(y - _others_mean(codes, y)).sum() if repeats >= 5 else _off_the_line(x, y)
        return f"R² of {1 - left / total:.4f} on rows left out" if total > 0 and left <= _LEFT * total else ""
    y = y.astype(int)
    wrong = len(y) - np.bincount(y).max()
    if wrong < _FEWEST_TO_TELL:
        return ""
    left = int((_others_class(codes, y) != y).sum() if repeats >= 5 else _unlike_neighbours(codes, y))
    return f"it alone tells the class of all but {left} of {len(y)} rows" if left <= _LEFT * wrong else ""


def _others_mean(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each row the mean of y over the other rows with its value; over all rows where it is the only one."""
    count, total = np.bincount(codes), np.bincount(codes, weights=y)
    alone = count[codes] == 1
    return np.where(alone, y.mean(), (total[codes] - y) / np.maximum(count[codes] - 1, 1))


def _off_the_line(x: np.ndarray, y: np.ndarray) -> float:
    """Squared distance of each y to the line through the two rows nearest in x, one on either side; at the ends nothing.

    Rows without x are guessed by their mean.
    """
    gaps = np.isnan(x)
    lost = np.square(y[gaps] - y[gaps].mean()).sum() if gaps.any() else 0.0
    order = np.argsort(x[~gaps], kind="stable")
    x, y = x[~gaps][order], y[~gaps][order]
    apart = x[2:] - x[:-2]
    share = np.divide(x[1:-1] - x[:-2], apart, out=np.full(len(apart), 0.5), where=apart > 0)
    return float(lost + np.square(y[1:-1] - (1 - share) * y[:-2] - share * y[2:]).sum())


def _others_class(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each row the most frequent class among the other rows with its value."""
    n_classes = int(y.max()) + 1
    counts = np.bincount(codes * n_classes + y, minlength=(codes.max() + 1) * n_classes).reshape(-1, n_classes)
    others = counts[codes].astype(float)
    others[np.arange(len(y)), y] -= 1
    others += np.bincount(y, minlength=n_classes) / (2.0 * len(y))  # nobody else: the most frequent class of all
    return others.argmax(axis=1)


def _unlike_neighbours(codes: np.ndarray, y: np.ndarray) -> int:
    """Times the class changes along the column's values."""
    ordered = y[np.argsort(codes, kind="stable")]
    changes = ordered[1:] != ordered[:-1]
    return int(changes.sum())

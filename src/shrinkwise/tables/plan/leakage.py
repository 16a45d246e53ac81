"""Leakage: columns that alone predict the target of held-out rows, or of a large part of the rows.

Such a column usually repeats the target under another name, or is recorded after the outcome.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.tables.errors import figure, quoted

MOST_ROWS = 20_000
# Of the squared error, or of the wrong guesses, that ignoring the column leaves, no more than this share is left.
_LEFT = 0.01
_FEWEST_TO_TELL = 10  # rows outside the largest class

# A part of the rows is suspicious when it has at least this many of them and this share, and nearly all are of one class
# that is not the usual one, which chance would bring about in one of a thousand tables.
_PART_ROWS, _PART_SHARE, _PART_PURE, _USUAL, _CHANCE = 20, 0.1, 0.99, 0.7, 1e-3
_SAME_ORDER = 0.98  # rank correlation


def knows_target(x: np.ndarray, y: np.ndarray, has_classes: bool, seed: int = 0) -> str:
    """How well a column's values x (n,), numbers or codes with NaN for missing, predict y alone, in words; "" if not
    well.

    Every row is predicted from the other rows: those with the same value if values repeat, otherwise the nearest two.
    """
    if len(x) > MOST_ROWS:
        rows = np.random.default_rng(seed).permutation(len(x))[:MOST_ROWS]
        x, y = x[rows], y[rows]
    codes = np.unique(np.where(np.isnan(x), np.inf, x), return_inverse=True)[1]
    repeats = np.bincount(codes).mean()
    if not has_classes:
        left, total = _off_the_line(x, y)
        if repeats >= 5:
            left, total = np.square(y - _others_mean(codes, y)).sum(), np.square(y - y.mean()).sum()
        told = total > 0 and left <= _LEFT * total
        return f"the target (R² of {1 - left / total:.4f} on held-out rows)" if told else ""
    y = y.astype(int)
    wrong = len(y) - np.bincount(y).max()
    if wrong < _FEWEST_TO_TELL:
        return ""
    left = int((_others_class(codes, y) != y).sum() if repeats >= 5 else _unlike_neighbours(codes, y))
    if left > _LEFT * wrong:
        return ""
    return f"the class of {len(y) - left} of {len(y)} rows" if left else f"the class of all {len(y)} rows"


def tells_some(x: np.ndarray, y: np.ndarray, classes: list[str], name: str, n_columns: int) -> str:
    """For which rows a column's values x (n,) predict one class, in words; "" if there are none.

    The parts examined are the rows where it is missing or present, and those above or below a value that a tenth of the
    rows have (such as a refund above 0). Other ranges of values are not examined, because a good input has them too.
    NaN is missing; `n_columns` is the number of columns examined, for the correction for multiple tests.
    """
    gaps, edge = np.isnan(x), _frequent(x)
    parts = {f"without {name}": gaps, f"with {name}": ~gaps} if gaps.any() else {}
    if edge is not None:
        parts |= {f"with {name} above {figure(edge)}": x > edge, f"with {name} below {figure(edge)}": x < edge}
    usual = np.bincount(y, minlength=len(classes)) / len(y)
    for said, part in parts.items():
        n = int(part.sum())
        counts = np.bincount(y[part], minlength=len(classes))
        top = int(counts.argmax())
        pure = n >= max(_PART_ROWS, _PART_SHARE * len(y)) and counts[top] >= _PART_PURE * n and usual[top] < _USUAL
        if pure and 4 * n_columns * usual[top] ** n < _CHANCE:
            which = f"of the {n} rows {said}, all" if counts[top] == n else f"{counts[top]} of the {n} rows {said}"
            return f"{which} are {quoted(classes[top])}"
    return ""


def same_order(x: np.ndarray, y: np.ndarray, seed: int = 0) -> str:
    """Whether a column orders the rows as a numeric target does, in words; "" if it does not."""
    rows = np.flatnonzero(~np.isnan(x))
    rows = np.random.default_rng(seed).permutation(rows)[:MOST_ROWS]
    if len(rows) < max(_PART_ROWS, len(x) / 2):
        return ""
    ranks = np.stack([_ranks(x[rows]), _ranks(y[rows])])
    if not ranks.std(axis=1).all():
        return ""
    alike = float(np.corrcoef(ranks)[0, 1])
    if abs(alike) < _SAME_ORDER:
        return ""
    return f"it orders the rows in nearly the {'same' if alike > 0 else 'opposite'} way (rank correlation {alike:.3f})"


def _frequent(x: np.ndarray, seed: int = 0) -> float | None:
    """The most frequent number, if at least a tenth of the rows have it."""
    some = np.random.default_rng(seed).permutation(len(x))[:MOST_ROWS]
    values, counts = np.unique(x[some][~np.isnan(x[some])], return_counts=True)
    if not len(values) or counts.max() < _PART_SHARE * len(some):
        return None
    return float(values[counts.argmax()])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties shared evenly."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _others_mean(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each row the mean of y over the other rows with its value; over all rows where it is the only one."""
    count, total = np.bincount(codes), np.bincount(codes, weights=y)
    alone = count[codes] == 1
    return np.where(alone, y.mean(), (total[codes] - y) / np.maximum(count[codes] - 1, 1))


def _off_the_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Squared distance of each y to the line through the two rows nearest in x, one on either side, and to the mean.

    Rows without x are predicted by the mean of the other rows without x. Both sums are over the same rows, without
    those at the two ends and a single row without x, for which there is no prediction.
    """
    gaps = np.isnan(x)
    n_gaps = int(gaps.sum())
    rest = y[gaps] if n_gaps > 1 else y[:0]
    off = (rest - rest.mean()) * n_gaps / (n_gaps - 1) if n_gaps > 1 else rest
    order = np.argsort(x[~gaps], kind="stable")
    x, y = x[~gaps][order], y[~gaps][order]
    apart = x[2:] - x[:-2]
    share = np.divide(x[1:-1] - x[:-2], apart, out=np.full(len(apart), 0.5), where=apart > 0)
    off = np.concatenate([off, y[1:-1] - (1 - share) * y[:-2] - share * y[2:]])
    there = np.concatenate([rest, y[1:-1]])
    return float(off @ off), float(np.square(there - there.mean()).sum()) if len(there) else 0.0


def _others_class(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each row the most frequent class among the other rows with its value."""
    n_classes = int(y.max()) + 1
    counts = np.bincount(codes * n_classes + y, minlength=(codes.max() + 1) * n_classes).reshape(-1, n_classes)
    others = counts[codes].astype(float)
    others[np.arange(len(y)), y] -= 1
    others += np.bincount(y, minlength=n_classes) / (2.0 * len(y))  # nobody else: the most frequent class of all
    return others.argmax(axis=1)


def _unlike_neighbours(codes: np.ndarray, y: np.ndarray) -> int:
    """How often the class changes along the column's values."""
    ordered = y[np.argsort(codes, kind="stable")]
    changes = ordered[1:] != ordered[:-1]
    return int(changes.sum())

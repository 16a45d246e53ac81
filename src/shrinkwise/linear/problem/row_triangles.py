"""The triangular factors of rows in blocks, one per fold, in one pass over the source.

Of the rows of one block and fold the factor comes from their centred moments,

    R'R = Z'SZ     Z = [1 X y] less the means of the block,

by Cholesky where the smallest eigenvalue of their correlation matrix is at least 1e-4, so that squaring the condition number
costs four digits at most, and from Householder reflections otherwise. Factors are joined by reflections.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigvalsh

from shrinkwise.streaming import Bound, RowBlock, RowBlocks, RowsError, fold_numbers, reduce_rows

from .triangular_factor import Triangle, one_thread

_LEAST_EIGENVALUE = 1e-4
_MOST_COLUMNS = 500  # beyond, the eigenvalues cost more than reflections
_CONSTANT = 16 * np.finfo(float).eps
_AT_ONCE = 2_000_000  # values of a matrix in memory that are copied at a time
_MEMORY = 0.5  # share of the memory that the factors may take


def triangles_of_rows(rows: RowBlocks, n_folds: int = 1, seed: int = 0, progress=None) -> list[Triangle]:
    """The factor of the rows of every fold; with one fold that of all rows. One pass."""
    check_target(rows)
    check_size(len(rows.inputs), n_folds)
    found = reduce_rows(rows, Bound(contribution, (rows.shell, n_folds, seed)), merged, progress=progress)
    if found is None or not any(part is not None for part in found):
        raise RowsError("Expected at least one row with a weight above 0, got none")
    if None in found:
        raise RowsError(f"Fold {found.index(None) + 1} of {n_folds} has no rows; use fewer folds")
    return found


def check_size(p: int, n_folds: int) -> None:
    """RowsError if the factors of so many columns take too much memory."""
    needed = 8 * (p + 2) ** 2 * (2 * n_folds + 4)  # of the folds, of their complements, and what joins them
    there = memory_size()
    if needed > _MEMORY * there:
        raise RowsError(
            f"The {n_folds} triangular factors of {p} columns need {gigabytes(needed)} of memory, more than half of the "
            f"{gigabytes(there)} of this machine; select fewer columns or use fewer folds"
        )


def check_target(rows: RowBlocks) -> None:
    """RowsError for rows without a target."""
    if rows.target is None:
        raise RowsError("Expected a target to fit, got rows without one; use shrinkwise.rows(source, target=...)")


def targets(block: RowBlock, rows: RowBlocks) -> np.ndarray:
    """The target of a block, (n,)."""
    check_target(rows)
    return block.numbers(str(rows.target))


def weights(block: RowBlock, rows: RowBlocks) -> np.ndarray | None:
    """The weights of a block, (n,) ≥ 0; None where the rows have none."""
    if rows.weight is None:
        return None
    s = block.numbers(rows.weight)
    if (s < 0).any():
        row = int(np.argmax(s < 0))
        raise RowsError(f"Expected weights ≥ 0 in column {rows.weight!r}, got {s[row]:g} in {block.place(row)}")
    return s


def folds_of(block: RowBlock, rows: RowBlocks, n_folds: int, seed: int) -> np.ndarray:
    """The fold of every row of a block, (n,)."""
    groups = None if rows.group is None else block.values(rows.group)
    return fold_numbers(block.first, len(block), n_folds, seed, groups)


def triangle_of(X, y, s, rows) -> Triangle:
    """The factor of the rows of dense X numbered `rows`, with weights s (None: ones), from moments where these allow it."""
    step, parts = max(_MOST_COLUMNS * 8, _AT_ONCE // (X.shape[1] + 1)), []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        Z = np.empty((len(part), X.shape[1] + 1))
        Z[:, :-1], Z[:, -1] = X[part], y[part]
        centre = Z.mean(axis=0)
        Z -= centre
        parts.append(_triangle(Z, None if s is None else s[part], centre))
    present = [part for part in parts if part is not None]
    if not present:
        raise ValueError("Expected sample weights to be finite, ≥ 0 and not all zero")
    return present[0] if len(present) == 1 else Triangle.joined(present)


# --- the sum over blocks ------------------------------------------------------------------------------------------
def contribution(blocks: Iterable[RowBlock], rows: RowBlocks, n_folds: int, seed: int) -> list[Triangle | None]:
    """The factors of one part, by fold."""
    with one_thread():
        return _factors(blocks, rows, n_folds, seed)


def _factors(blocks: Iterable[RowBlock], rows: RowBlocks, n_folds: int, seed: int) -> list[Triangle | None]:
    """Short blocks are collected until they have twice as many rows as columns in each fold."""
    found: list[Triangle | None] = [None] * n_folds
    inputs, least = rows.inputs, 2 * n_folds * (len(rows.inputs) + 2)
    held: list[tuple] = []
    for block in blocks:
        data = block.matrix([*inputs, str(rows.target)])
        s = weights(block, rows)
        fold = folds_of(block, rows, n_folds, seed) if n_folds > 1 else np.zeros(len(block), dtype=np.intp)
        held.append((data, s, fold))
        if sum(len(each[0]) for each in held) >= least:
            _add(found, held)
            held = []
    if held:
        _add(found, held)
    return found


def _add(found: list, held: list[tuple]) -> None:
    data, fold = (np.concatenate([each[k] for each in held]) if len(held) > 1 else held[0][k] for k in (0, 2))
    s = None if held[0][1] is None else np.concatenate([each[1] for each in held])
    centre = data.mean(axis=0)
    data -= centre
    for k in range(len(found)):
        own, own_s = data, s
        if len(found) > 1:
            part = np.flatnonzero(fold == k)
            own, own_s = np.take(data.T, part, axis=1).T, None if s is None else s[part]  # columns stay contiguous
        triangle = _triangle(own, own_s, centre)
        if triangle is not None:
            found[k] = triangle if found[k] is None else Triangle.joined([found[k], triangle])


def merged(left: list, right: list) -> list:
    """The factors of two sets of rows, by fold."""
    with one_thread():
        return [
            b if a is None else a if b is None else Triangle.joined([a, b]) for a, b in zip(left, right, strict=True)
        ]


def _triangle(Z, s, centre) -> Triangle | None:
    """The factor of rows Z (m, p + 1) less `centre`, with weights s; None if none has a weight above 0."""
    if s is not None:
        present = s > 0
        Z, s = (Z, s) if present.all() else (Z[present], s[present])
    if not len(Z):
        return None
    root = None if s is None else np.sqrt(s)
    weight = float(len(Z)) if s is None else float(s.sum())
    Z = Z if root is None else Z * root[:, None]
    R = _from_moments(Z, root, weight, centre) if len(Z) > 4 * Z.shape[1] and Z.shape[1] <= _MOST_COLUMNS else None
    if R is None:
        ones = np.ones(len(Z)) if root is None else root
        R = np.asarray(np.linalg.qr(np.column_stack([ones, Z]), mode="r"))
        R[:, 1:] += np.outer(R[:, 0], centre)
    return Triangle(R, len(Z), weight)


def _from_moments(Z, root, weight: float, centre):
    """R from the moments of weighted rows Z; None where their condition does not allow it."""
    mean = (Z.sum(axis=0) if root is None else root @ Z) / weight
    G = Z.T @ Z  # a symmetric product: half the work
    G -= weight * np.outer(mean, mean)
    size = np.diagonal(G).copy()
    varies = size > weight * (_CONSTANT * (np.abs(centre) + np.abs(mean))) ** 2
    at = np.flatnonzero(varies)
    scale = np.sqrt(size[at])
    C = G[np.ix_(at, at)] / np.outer(scale, scale)
    try:
        if len(at) and eigvalsh(C, subset_by_index=(0, 0), check_finite=False)[0] < _LEAST_EIGENVALUE:
            return None
        inner = cholesky(C, check_finite=False) * scale
    except (LinAlgError, ValueError):
        return None
    R = np.zeros((len(G) + 1, len(G) + 1))
    R[0, 0] = np.sqrt(weight)
    R[0, 1:] = R[0, 0] * (mean + centre)
    R[np.ix_(at + 1, at + 1)] = inner
    return R


def memory_size() -> float:
    """Bytes of memory of this machine, ∞ where they are not known."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else np.inf


def gigabytes(size: float) -> str:
    """A number of bytes for a sentence."""
    return f"{size / 1e9:,.1f} GB"
